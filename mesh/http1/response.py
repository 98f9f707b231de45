"""Response heads, read as a client reads them and made ready for the client behind (RFC 9112 sections 4, 6).

As with requests there are two doors.  A plain response has one framing field and nothing else that concerns
this hop but ``Connection: keep-alive``, whose line is cut out.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from mesh.http1.body import CHUNKED, UNTIL_CLOSE
from mesh.http1.errors import Malformed
from mesh.http1.grammar import (
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

_SPECIAL = (
    b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade",
)  # fmt: skip

_LINES = plain_lines(_SPECIAL)
_PLAIN = re.compile(
    rb"http/1\.1 (?!204|304)([2-9][0-9][0-9])(?: " + VALUE + rb")?\r\n"
    + _LINES
    + rb"(?:content-length: ([0-9]{1,15}+)|transfer-encoding: chunked)\r\n"
    + _LINES
    + rb"\r\n"
).fullmatch  # fmt: skip
_SPECIAL_FIELDS = special_fields(_SPECIAL)
_KEEP_ALIVE = b"\r\nconnection: keep-alive\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + VALUE + rb"))?")
_SECONDS = re.compile(rb"timeout=\"?([0-9]{1,9})\"?")

_STATUS = {b"%d" % status: status for status in range(100, 1000)}
"""int() of bytes costs three times a look-up."""


class PlainResponse:
    __slots__ = ("cut", "length", "status")

    plain: Literal[True] = True
    reusable: Final = True
    timeout: Final = 0

    def __init__(self, status: int, length: int, cut: int) -> None:
        self.status = status
        self.length = length
        """Bytes of body, or `CHUNKED`."""
        self.cut = cut
        """Where ``Connection: keep-alive`` and its CRLF, 24 bytes, begin in the head; -1: it is not there."""

    def lines(self, head: bytes) -> bytes:
        """The head to hand on, without the empty line."""
        return head[:-2] if self.cut < 0 else head[: self.cut] + head[self.cut + 24 : -2]


class CarefulResponse:
    __slots__ = ("declared", "length", "reusable", "start", "status", "timeout", "upgrade")

    plain: Literal[False] = False
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


def read_response(head: bytes) -> Response:
    """Read a whole head, from the status line to the empty line.  Raises `Malformed`."""
    low = head.lower()
    if (plain := _PLAIN(low)) and head.startswith(b"HTTP"):
        status, length = plain.groups()
        cut = low.find(_KEEP_ALIVE) + 2
        if cut == 1:
            return PlainResponse(_STATUS[status], CHUNKED if length is None else int(length), -1)
        if low.find(_KEEP_ALIVE, cut) < 0:
            return PlainResponse(_STATUS[status], CHUNKED if length is None else int(length), cut)
    return _read_carefully(head, low)


def read_response_carefully(head: bytes) -> CarefulResponse:
    """Read a head field by field, also a plain one: for clients that cannot be handed it as it is."""
    return _read_carefully(head, head.lower())


def _read_carefully(head: bytes, low: bytes) -> CarefulResponse:
    start = head.find(b"\r\n") + 2
    line = _STATUS_LINE.fullmatch(head[: start - 2])
    if not line:
        raise Malformed(RESPONSE_MALFORMED, "a malformed status line or an unknown version")
    fields, others = read_fields(head, low, start, _SPECIAL_FIELDS, RESPONSE_MALFORMED, RESPONSE_HEAD_TOO_LARGE)
    minor, status = int(line[1]), int(line[2])
    options = elements(fields.get(b"connection", []))
    response = CarefulResponse()
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
