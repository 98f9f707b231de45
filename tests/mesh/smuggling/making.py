"""Pieces that the tables of messages are made of, and the words for their outcomes."""

from __future__ import annotations

from typing import NamedTuple

HELLO = b"5\r\nhello\r\n"
END = b"0\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: hidden\r\n\r\n"
"""The request that somebody would like to have taken for one of its own."""
HIDDEN_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden"
CHUNKED = b"Transfer-Encoding: chunked"


class Seen(NamedTuple):
    """A request as an endpoint sees it."""

    target: bytes = b"/"
    framing: str = "none"
    """`none`, `length` or `chunked`; anything else is a fault."""
    body: bytes = b""


def length(body: bytes, target: bytes = b"/") -> list[Seen]:
    return [Seen(target, "length", body)]


def chunked(body: bytes = b"hello", target: bytes = b"/") -> list[Seen]:
    return [Seen(target, "chunked", body)]


ONE = [Seen()]
"""One request without a body."""


def head(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([line, *lines]) + b"\r\n\r\n"


def get(*lines: bytes, target: bytes = b"/", version: bytes = b"HTTP/1.1") -> bytes:
    return head(b"GET %b %b" % (target, version), b"Host: a", *lines)


def post(*lines: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return head(b"POST / " + version, b"Host: a", *lines) + body


def answer(*lines: bytes, body: bytes = b"", start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return head(start, *lines) + body


class Told(NamedTuple):
    """What a client is told."""

    status: int
    body: bytes = b""
    whole: bool = True
    """False: the client can see that the response broke off."""


BAD = Told(502)
"""The proxy answers in the endpoint's place; its text is not looked at."""
CUT = Told(200, whole=False)


class Response(NamedTuple):
    data: bytes
    told: Told
    request: bytes = b"GET /case HTTP/1.1\r\nHost: a\r\n\r\n"
    closes: bool = False
    """The endpoint ends the connection after `data`."""
