"""The body of a request on its way: followed to its end, and kept, up to a limit, for another try."""

from __future__ import annotations

from typing import Final

from mesh.http1.body import CHUNKED, Body, LengthBody
from mesh.http1.chunked import ChunkedBody
from mesh.reasons import BAD_REQUEST

KEPT: int = 65_536
"""Bytes that are kept so that the request can be sent again."""


class Whole:
    """A body that came with its head."""

    __slots__ = ("kept",)

    full: Final = False
    complete: Final = True
    rest: Final = b""

    def __init__(self, body: bytes) -> None:
        self.kept: list[bytes] | None = [body]

    def sent(self) -> None:
        """It is little, and stays."""


class Upload:
    """`kept` is all of the body that was read so far, or None once that is more than may be kept."""

    __slots__ = ("_body", "_size", "kept")

    def __init__(self, length: int) -> None:
        self._body: Body = ChunkedBody(BAD_REQUEST) if length == CHUNKED else LengthBody(length)
        self._size = 0
        self.kept: list[bytes] | None = []

    def take(self, data: bytes) -> tuple[bytes, ...]:
        """What may be sent on of `data`.  Raises `Malformed`."""
        pieces = self._body.feed(data)
        self._size += len(data)
        if self.kept is not None:
            self.kept.extend(pieces)
        return pieces

    @property
    def full(self) -> bool:
        """More has been read than may be kept; until it is sent, no more should be."""
        return self._size > KEPT

    def sent(self) -> None:
        """All that was read has been sent: what is too much to keep is let go."""
        if self._size > KEPT:
            self.kept = None

    @property
    def complete(self) -> bool:
        return self._body.complete

    @property
    def rest(self) -> bytes:
        """What was read after the end of the body."""
        return self._body.rest
