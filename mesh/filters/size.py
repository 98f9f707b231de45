"""The longest body that a request may have."""

from __future__ import annotations

from mesh.filters.query import Query, Reply
from mesh.http1.chunked import ChunkedBody
from mesh.reasons import BAD_REQUEST, CONTENT_TOO_LARGE


class Size:
    """Judges a body that is announced; one in chunks is to be measured as it comes."""

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, query: Query) -> Reply | None:
        return Reply(CONTENT_TOO_LARGE) if query.length > self.most else None


class Measure:
    """Counts what a chunked body holds, its coding aside."""

    __slots__ = ("_body", "_left")

    def __init__(self, most: int) -> None:
        self._body = ChunkedBody(BAD_REQUEST, decode=True)
        self._left = most

    def exceeded(self, data: bytes) -> bool:
        """Take what was read; whether the body is too long already.  Raises `Malformed`."""
        self._left -= sum(map(len, self._body.feed(data)))
        return self._left < 0
