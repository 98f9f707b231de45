"""Response heads, read as a client reads them and made ready for the client behind (RFC 9112 sections 4, 6).

As with requests there are two doors.  A plain response has one framing field and nothing else that concerns
this hop but ``Connection: keep-alive``, whose line is cut out.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from mesh.http1.body import CHUNKED, UNTIL_CLOSE
from mesh.http1.errors import Malformed
from mesh.http1.grammar import (
    KEEP_ALIVE,
    KEEP_ALIVE_LENGTH,
    MAX_HEAD,
    VALUE,
    Fields,
    content_length,
    elements,
    plain_lines,
    read_fields,
    special_fields,
    transfer_codings,
    without,
)
from mesh.reasons import RESPONSE_CODING, RESPONSE_HEAD_TOO_LARGE, RESPONSE_MALFORMED

MOST: Final = 512
"""Heads that are remembered; one more, and all are forgotten."""
LONGEST: Final = 1024
"""Bytes of a head that is remembered."""

_SPECIAL = (
    b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade",
)  # fmt: skip

_LINES = plain_lines(_SPECIAL)
_PLAIN = re.compile(
    rb"HTTP/1\.1 (?!204|304)([2-9][0-9][0-9])(?: %b)?\r\n" % VALUE
    + _LINES
    + rb"(?:%b%b)?" % (KEEP_ALIVE, _LINES)
    + rb"(?:[Cc]ontent-[Ll]ength: ([0-9]{1,15}+)|[Tt]ransfer-[Ee]ncoding: chunked)\r\n"
    + _LINES
    + rb"(?:(?(2)(?!))%b%b)?" % (KEEP_ALIVE, _LINES)
).fullmatch
_SPECIAL_FIELDS = special_fields(_SPECIAL)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + VALUE + rb"))?")
_SECONDS = re.compile(rb"timeout=\"?([0-9]{1,9})\"?")


class PlainResponse(NamedTuple):
    status: int
    length: int
    """Bytes of body, or `CHUNKED`."""
    end: int
    """Where the head ends in what was read."""
    shown: bytes
    """The head to hand on, where ``Connection: keep-alive`` was cut out; empty: it goes as it came."""
    head: bytes
    """As it came."""

    @property
    def plain(self) -> Literal[True]:
        return True

    @property
    def reusable(self) -> bool:
        return True

    @property
    def timeout(self) -> int:
        return 0

    def lines(self, head: bytes) -> bytes:
        """The head to hand on, without the empty line."""
        return self.shown[:-2] or head[:-2]


class CarefulResponse:
    __slots__ = ("declared", "end", "length", "reusable", "start", "status", "timeout", "upgrade")

    plain: Literal[False] = False
    end: int
    """Length of the head."""
    status: int
    start: bytes
    """Status line and field lines to hand on, without those that frame the message."""
    declared: int
    """Content-Length, also where there is no body (HEAD, 304); -1: none."""
    length: int
    """Bytes of body, `CHUNKED` or `UNTIL_CLOSE`."""
    reusable: bool
    """The connection stays open after this response."""
    timeout: int
    """Seconds that the endpoint keeps an idle connection, if it says so (``Keep-Alive``); else 0."""
    upgrade: tuple[bytes, ...]
    """Protocols switched to (101) or offered, lower case."""

    def lines(self, head: bytes) -> bytes:
        """Start line and fields with the framing that the endpoint used; valid for HTTP/1.1 clients."""
        if self.length == CHUNKED:
            return self.start + b"Transfer-Encoding: chunked\r\n"
        return self.start + b"Content-Length: %d\r\n" % self.declared if self.declared >= 0 else self.start


Response = PlainResponse | CarefulResponse


_heads: dict[bytes, PlainResponse | None] = {}
"""Heads that were read lately; None: one that is not plain.

Within a second, in which its Date stands still, a busy server sends few different heads.
"""


def _read_plain(head: bytes) -> PlainResponse | None:
    """Read a whole head, but for the empty line."""
    match = _PLAIN(head, 0, len(head) - 2)
    if match is None:
        return None
    status, length = match.group(1, 3)
    cut = match.start(2)
    if cut < 0:
        cut = match.start(4)
    shown = b"" if cut < 0 else head[:cut] + head[cut + KEEP_ALIVE_LENGTH :]
    return PlainResponse(int(status), CHUNKED if length is None else int(length), len(head), shown, head)


def read_plain_response(data: bytes) -> PlainResponse | None:
    """The response whose whole head is at the beginning of `data`, if it is a plain one; equal ones are one object."""
    head = data[: data.find(b"\r\n\r\n", 0, MAX_HEAD) + 4]
    try:
        return _heads[head]
    except KeyError:
        response = _read_plain(head)
        if len(head) <= LONGEST:
            if len(_heads) >= MOST:
                _heads.clear()
            _heads[head] = response
        return response


def read_response(head: bytes) -> Response:
    """Read a whole head of either kind, from the status line to the empty line.  Raises `Malformed`."""
    return read_plain_response(head) or read_careful_response(head)


def read_careful_response(head: bytes) -> CarefulResponse:
    """`read_response`, field by field: also for clients that cannot be handed a plain head as it is."""
    start = head.find(b"\r\n") + 2
    line = _STATUS_LINE.fullmatch(head[: start - 2])
    if not line:
        raise Malformed(RESPONSE_MALFORMED, "a malformed status line or an unknown version")
    fields, others = read_fields(head, start, _SPECIAL_FIELDS, RESPONSE_MALFORMED, RESPONSE_HEAD_TOO_LARGE)
    minor, status = int(line[1]), int(line[2])
    options = elements(fields.get(b"connection", []))
    response = CarefulResponse()
    response.end = len(head)
    response.status = status
    response.start = b"HTTP/1.1 %b %b\r\n%b" % (line[2], line[3] or b"", without(others, set(options)))
    response.declared, response.length = _framing(fields, minor, status)
    response.upgrade = tuple(elements(fields.get(b"upgrade", [])))
    response.reusable = (
        b"close" not in options and (minor == 1 or b"keep-alive" in options) and response.length != UNTIL_CLOSE
    )
    seconds = _SECONDS.search(b",".join(fields.get(b"keep-alive", [])).lower())
    response.timeout = int(seconds[1]) if seconds else 0
    return response


def _framing(fields: Fields, minor: int, status: int) -> tuple[int, int]:
    """Content-Length (-1: none) and the body's length by RFC 9112 section 6.3, the request's method aside."""
    lengths, codings = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if status < 200 or status == 204:
        return -1, 0
    declared = content_length(lengths, RESPONSE_MALFORMED) if lengths is not None else -1
    if codings is not None:
        if lengths is not None:
            raise Malformed(RESPONSE_MALFORMED, "Content-Length beside Transfer-Encoding")
        if not minor:
            raise Malformed(RESPONSE_MALFORMED, "Transfer-Encoding in HTTP/1.0")
        transfer_codings(codings, RESPONSE_MALFORMED, RESPONSE_CODING)
    if status == 304:
        return declared, 0
    if codings is not None:
        return -1, CHUNKED
    return declared, declared if declared >= 0 else UNTIL_CLOSE
