"""The longest body that a request may have."""

from __future__ import annotations

from mesh.filters.query import Query, Reply
from mesh.reasons import CONTENT_TOO_LARGE


class Size:
    """Judges a body that is announced; one of unknown length is counted as it comes, up to `most` bytes."""

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, query: Query) -> Reply | None:
        return Reply(CONTENT_TOO_LARGE) if query.length > self.most else None
