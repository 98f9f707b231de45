"""Bodies of known length and bodies that end with the connection (RFC 9112 section 6.3).

A body is given what was read, says what of it may be handed on, and keeps what came after its end.  Bytes are
handed on as they came: a body that lies in one read within its bounds is never copied.
"""

from __future__ import annotations

from typing import Final, Protocol

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2
"""Lengths of bodies whose length is not known."""


class Body(Protocol):
    """What is left to come of one message's body."""

    @property
    def complete(self) -> bool: ...
    @property
    def rest(self) -> bytes:
        """What was read beyond the end; there is none before `complete`."""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        """Take what was read; return what may be handed on.  Raises `Malformed`."""


class LengthBody:
    """A body announced by Content-Length."""

    __slots__ = ("complete", "remaining", "rest")

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.complete = not length
        self.rest = b""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        left = self.remaining - len(data)
        if left > 0:
            self.remaining = left
            return (data,)
        self.complete = True
        if left:
            self.rest = data[left:]
            data = data[:left]
        self.remaining = 0
        return (data,)


class EndlessBody:
    """A body that ends when its connection does, and only then."""

    __slots__ = ()

    complete: Final = False
    rest: Final = b""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        return (data,)


class EncodedBody:
    """A body that ends with its connection, handed on in chunks: the next reader's connection is to stay open."""

    __slots__ = ()

    complete: Final = False
    rest: Final = b""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        return (b"%x\r\n" % len(data), data, b"\r\n")


LAST_CHUNK = b"0\r\n\r\n"
