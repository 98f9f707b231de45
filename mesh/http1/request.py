"""Request heads, read as a server reads them and made ready for the next one (RFC 9112 sections 3, 6, 7.6).

Both kinds of request have the same attributes; of a plain one most are constants of its class, and few ever need
more than the four things that it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from mesh.http1.body import CHUNKED
from mesh.http1.errors import Malformed
from mesh.http1.grammar import (
    KEEP_ALIVE,
    KEEP_ALIVE_LENGTH,
    MAX_HEAD,
    TCHAR,
    Fields,
    content_length,
    elements,
    plain_lines,
    read_fields,
    special_fields,
    transfer_codings,
    without,
)
from mesh.http1.target import MAX_TARGET, read_target, valid_host
from mesh.reasons import BAD_REQUEST, HEAD_TOO_LARGE, NOT_IMPLEMENTED, VERSION_NOT_SUPPORTED

MAX_METHOD = 64
"""Bytes; RFC 9112 section 3 has longer ones answered with 501."""

_SPECIAL = (
    b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection", b"te",
    b"upgrade", b"http2-settings", b"x-forwarded-", b"x_forwarded_", b"forwarded", b"x-request-id",
)  # fmt: skip
"""Fields that concern this hop, that route or frame the request, or that say who sent it."""

Plain = tuple[bytes, bytes, int, int]
"""What a `PlainRequest` is made of: most need no more of it."""

_FORWARDING: Mapping[bytes, list[bytes]] = MappingProxyType({})


class PlainRequest(NamedTuple):
    """HTTP/1.1, no method that concerns a proxy, a path, one simple Host, nothing else that does but a length."""

    host: bytes
    lines: bytes
    end: int
    """Where the head ends in what was read."""
    length: int
    """Bytes of body."""

    @property
    def plain(self) -> Literal[True]:
        return True

    @property
    def method(self) -> bytes:
        return self.lines[: self.lines.index(b" ")]

    @property
    def minor(self) -> int:
        return 1

    @property
    def keep_alive(self) -> bool:
        return True

    @property
    def upgrade(self) -> tuple[bytes, ...]:
        return ()

    @property
    def forwarding(self) -> Mapping[bytes, list[bytes]]:
        return _FORWARDING


class CarefulRequest:
    """Any other valid request."""

    __slots__ = ("forwarding", "host", "keep_alive", "length", "lines", "method", "minor", "upgrade")

    plain: Literal[False] = False
    method: bytes
    host: bytes
    """Of the target if it names one, else of the Host field."""
    lines: bytes
    """Request line and field lines to send on, hop-by-hop fields removed and framing written anew; each ends
    in CRLF, and the empty line is not there yet."""
    minor: int
    """The client speaks HTTP/1.`minor`."""
    length: int
    """Bytes of body, or `CHUNKED`."""
    keep_alive: bool
    """The client would send another request on this connection."""
    upgrade: tuple[bytes, ...]
    """Protocols that the client offers to switch to, lower case."""
    forwarding: Fields
    """X-Forwarded-*, Forwarded and X-Request-Id as they came; `lines` has none of them."""


Request = PlainRequest | CarefulRequest

PLAIN_LINE = (
    rb"(?!CONNECT |HEAD |OPTIONS |TRACE )"
    + TCHAR
    + rb"{1,%d}+ /[!\"$-~]{0,%d}+ HTTP/1\.1\r\n" % (MAX_METHOD, MAX_TARGET - 1)
)
"""Expression for the request line of a plain request."""
PLAIN_HOST = rb"[0-9A-Za-z.\-]{1,255}+(?::[0-9]{0,4}+|:[1-5][0-9]{4}|:6[0-4][0-9]{3})?"
"""Expression for the Host of a plain request."""
PLAIN_FIELDS = plain_lines(_SPECIAL)
"""Expression for field lines that may stand anywhere in a plain request, up to 32 of them."""
_PLAIN = re.compile(
    PLAIN_LINE
    + PLAIN_FIELDS
    + rb"[Hh]ost: (%b)\r\n" % PLAIN_HOST
    + PLAIN_FIELDS
    + rb"(?:%b%b)?" % (KEEP_ALIVE, PLAIN_FIELDS)
    + rb"(?:[Cc]ontent-[Ll]ength: (0|[1-9][0-9]{0,14}+)\r\n%b)?\r\n" % PLAIN_FIELDS
).match
_SPECIAL_FIELDS = special_fields(_SPECIAL)
_MAX_FORWARDS = re.compile(rb"(?im)(^max-forwards:[ \t]*)([0-9]{1,9})[ \t]*\r\n").sub
_REQUEST_LINE = re.compile(rb"(" + TCHAR + rb"+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")


def read_plain_request(data: bytes) -> Plain | None:
    """The request whose whole head is at the beginning of `data`, if it is a plain one."""
    head = _PLAIN(data)
    if head is None:
        return None
    end = head.end()
    if end > MAX_HEAD:
        return None
    if head.lastindex == 1:
        return head[1], data[: end - 2], end, 0
    cut, length = head.start(2), head[3]
    lines = data[: end - 2] if cut < 0 else data[:cut] + data[cut + KEEP_ALIVE_LENGTH : end - 2]
    return head[1], lines, end, 0 if length is None else int(length)


def read_request(head: bytes, authority: bytes = b"") -> Request:
    """Read a whole head of either kind, from the request line to the empty line.

    `authority` is the Host to send on for an HTTP/1.0 request that names none.  Raises `Malformed`.
    """
    plain = read_plain_request(head)
    return PlainRequest(*plain) if plain is not None else read_careful_request(head, authority)


def read_careful_request(head: bytes, authority: bytes) -> CarefulRequest:
    """`read_request`, field by field."""
    start = head.find(b"\r\n") + 2
    method, target, minor = _read_request_line(head[: start - 2])
    fields, others = read_fields(head, start, _SPECIAL_FIELDS, BAD_REQUEST, HEAD_TOO_LARGE)
    target, own_host = read_target(method, target)
    options = elements(fields.get(b"connection", []))
    request = CarefulRequest()
    request.method = method
    request.minor = minor
    host = _host(fields, minor)
    request.host = own_host or host or authority
    request.length = length = _length(fields, minor)
    request.keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    request.upgrade = _upgrade(fields, minor, options)
    request.forwarding = {
        name: values for name, values in fields.items() if b"forwarded" in name or name == b"x-request-id"
    }
    drop = set(options)
    if not minor:
        drop.add(b"expect")  # RFC 9110 section 10.1.1
    for name in drop.intersection(request.forwarding):
        del request.forwarding[name]
    framing = b""
    if length == CHUNKED:
        framing = b"Transfer-Encoding: chunked\r\n"
    elif length or b"content-length" in fields:
        framing = b"Content-Length: %d\r\n" % length
    if b"trailers" in elements(fields.get(b"te", [])):
        framing += b"TE: trailers\r\nConnection: TE\r\n"
    if method in (b"OPTIONS", b"TRACE"):
        others = _MAX_FORWARDS(_one_less, others)
    request.lines = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b" % (
        method, target, request.host, without(others, drop) if drop else others, framing,
    )  # fmt: skip
    return request


def _one_less(field: re.Match[bytes]) -> bytes:
    """RFC 9110 section 7.6.2: who may not forward has to answer, which is not implemented here."""
    if not int(field[2]):
        raise Malformed(NOT_IMPLEMENTED, "Max-Forwards is 0, and this proxy itself does not do what is asked")
    return field[1] + b"%d\r\n" % (int(field[2]) - 1)


def _read_request_line(line: bytes) -> tuple[bytes, bytes, int]:
    match = _REQUEST_LINE.fullmatch(line)
    if not match:
        raise Malformed(BAD_REQUEST, "a malformed request line")
    if match[3] != b"1" or match[4] not in (b"0", b"1"):
        raise Malformed(VERSION_NOT_SUPPORTED)
    if len(match[1]) > MAX_METHOD:
        raise Malformed(NOT_IMPLEMENTED, "a method of over 64 bytes")
    return match[1], match[2], int(match[4])


def _host(fields: Fields, minor: int) -> bytes:
    """RFC 9112 section 3.2: one valid Host; only HTTP/1.0 may have none."""
    hosts = fields.get(b"host", [])
    if len(hosts) > 1:
        raise Malformed(BAD_REQUEST, "more than one Host")
    if not hosts:
        if minor:
            raise Malformed(BAD_REQUEST, "no Host")
        return b""
    if not valid_host(hosts[0]):
        raise Malformed(BAD_REQUEST, "a Host that is no host")
    return hosts[0]


def _length(fields: Fields, minor: int) -> int:
    """RFC 9112 section 6.3: how long the body is; what is ambiguous is refused, never repaired."""
    lengths, codings = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if codings is not None:
        if lengths is not None:
            raise Malformed(BAD_REQUEST, "Content-Length beside Transfer-Encoding")
        if not minor:
            raise Malformed(BAD_REQUEST, "Transfer-Encoding in HTTP/1.0")
        transfer_codings(codings, BAD_REQUEST, NOT_IMPLEMENTED)
        return CHUNKED
    return content_length(lengths, BAD_REQUEST) if lengths is not None else 0


def _upgrade(fields: Fields, minor: int, options: list[bytes]) -> tuple[bytes, ...]:
    """RFC 9110 section 7.8: an offer counts in HTTP/1.1 only, and only if Connection names it."""
    if not minor or b"upgrade" not in options:
        return ()
    return tuple(elements(fields.get(b"upgrade", [])))
