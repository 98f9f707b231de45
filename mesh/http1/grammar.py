"""Field syntax (RFC 9110 section 5, RFC 9112 section 5) and the two ways through it.

A head goes through one of two doors.  *Plain* heads, which almost all are, hold nothing that a proxy must
act on but one Host (requests) or one framing field (responses), and perhaps ``Connection: keep-alive``; one
expression establishes this and all of the syntax at once, on the bytes as they were read.  Every other head is
read `carefully`: here, field by field.  Both are equally strict.
"""

from __future__ import annotations

import re

from mesh.http1.errors import Malformed
from mesh.reasons import Reason

MAX_HEAD = 65_536
MAX_FIELDS = 100

TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"

_FIELD = re.compile(TCHAR + rb"++:" + VALUE)
_FIELD_LINES = re.compile(rb"(?:" + TCHAR + rb"++:" + VALUE + rb"\r\n)*\r\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain_lines(special: tuple[bytes, ...]) -> bytes:
    """Expression for up to 32 field lines, none of them of a `special` name (lower case; any case is meant).

    A name that ends in ``-`` or ``_`` stands for all that begin with it.  The group is atomic, so that
    a head with something special fails at once.  (A possessive repetition would be cheaper still, but early 3.11
    gets those wrong: python/cpython#106052.)
    """
    tails: dict[bytes, list[bytes]] = {}
    for name in special:
        tails.setdefault(name[:1], []).append(_name(name[1:]))
    names = [rb"[" + first + first.upper() + rb"](?i:" + rb"|".join(rest) + rb")" for first, rest in tails.items()]
    return rb"(?>(?:(?!" + rb"|".join(names) + rb")" + TCHAR + rb"++:" + VALUE + rb"\r\n){0,32})"


def _name(name: bytes) -> bytes:
    return re.escape(name) if name.endswith((b"-", b"_")) else re.escape(name) + rb":"


KEEP_ALIVE = rb"([Cc]onnection: [Kk]eep-[Aa]live\r\n)"
"""Expression for the line that a plain head may hold once; it is cut out."""
KEEP_ALIVE_LENGTH = 24


def special_fields(special: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Expression that finds the lines of `special` names in a lower-cased head, from LF to CR: name and raw value."""
    names = b"|".join(re.escape(name) + (TCHAR + rb"*+" if name.endswith((b"-", b"_")) else b"") for name in special)
    return re.compile(rb"\n(" + names + rb"):([^\r]*+)\r")


Fields = dict[bytes, list[bytes]]
"""Lower-case name to values without the white space around them, in order."""


def read_fields(
    head: bytes, start: int, special: re.Pattern[bytes], bad: Reason, too_many: Reason
) -> tuple[Fields, bytes]:
    """The special fields of a head, and all other lines as they came.

    `start` is where the fields begin.  Raises `Malformed`.
    """
    if not _FIELD_LINES.fullmatch(head, start):
        raise Malformed(bad, _fault(head[start:-4]))
    if head.count(b"\n", start) - 1 > MAX_FIELDS:
        raise Malformed(too_many)
    fields: Fields = {}
    others = []
    at = start
    for line in special.finditer(head.lower(), start - 1):
        others.append(head[at : line.start() + 1])
        at = line.end() + 1
        fields.setdefault(line[1], []).append(head[line.start(2) : line.end(2)].strip(b" \t"))
    others.append(head[at:-2])
    return fields, b"".join(others)


def _fault(section: bytes) -> str:
    """Say what is wrong with the first bad line of a field section."""
    for line in section.split(b"\r\n"):
        if _FIELD.fullmatch(line):
            continue
        name, colon, _ = line.partition(b":")
        if line[:1] in (b" ", b"\t"):
            return "a field line is folded"
        if _CONTROL.search(line):
            return "a control character in a field line"
        if not colon:
            return "a field line without a colon"
        return "white space before the colon of a field" if name.rstrip(b" \t") != name else "a bad field name"
    return "a malformed head"


def stray_control(partial: bytes) -> bool:
    """Whether a head that is not all there yet already holds what no head may hold, such as a bare LF."""
    return _STRAY.search(partial) is not None


def still_partial(head: bytes, known: int) -> bool:
    """Whether more of a head is to be waited for, whose first `known` bytes were found wanting before.

    Looking at all of it with every piece would cost the square of its length.
    """
    return (
        len(head) <= MAX_HEAD
        and head.find(b"\r\n\r\n", max(known - 3, 0)) < 0
        and _STRAY.search(head, max(known - 1, 0)) is None
    )


def elements(values: list[bytes]) -> list[bytes]:
    """The elements of a comma-separated list (RFC 9110 section 5.6.1) in lower case, without empty ones."""
    parts = b",".join(values).lower().split(b",")
    return [part for part in (part.strip(b" \t") for part in parts) if part]


def without(lines: bytes, names: set[bytes]) -> bytes:
    """Field lines without those of `names` (lower case)."""
    kept = [line for line in lines.split(b"\r\n")[:-1] if line.partition(b":")[0].lower() not in names]
    return b"".join([line + b"\r\n" for line in kept])


_DIGITS = re.compile(rb"[0-9]{1,64}")


def content_length(values: list[bytes], bad: Reason) -> int:
    """The value of Content-Length (RFC 9112 section 6.3): one field, digits only.  Raises `Malformed`."""
    if len(values) > 1:
        raise Malformed(bad, "more than one Content-Length")
    if not _DIGITS.fullmatch(values[0]) or (length := int(values[0])) >= 2**63:
        raise Malformed(bad, "a Content-Length that is no length")
    return length


def transfer_codings(values: list[bytes], bad: Reason, other: Reason) -> None:
    """Accept exactly ``chunked`` (RFC 9112 section 6.1).  Raises `Malformed` for all else.

    Raises with `bad` where the message cannot be framed, with `other` where only a coding is unknown.
    """
    codings = elements(values)
    if codings == [b"chunked"] and values[-1].strip(b" \t")[-1:] not in (b",", b""):
        return
    if not codings or codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or values[-1][-1:] in (b",", b""):
        raise Malformed(bad, "a Transfer-Encoding that does not end in one chunked")
    raise Malformed(other, "a transfer coding other than chunked")
