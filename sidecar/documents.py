"""What the admin server gives: JSON documents in slices, for a large listing must not hold the event loop.

A document is an object; a value that is an iterator becomes an array, whose items are made and encoded as the
slices are asked for.  All else is encoded at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

Document = Mapping[str, object]

Answer = Callable[[], tuple[int, Document]]
"""Makes the status and the document of one path."""

Query = Mapping[str, Sequence[str]]
Question = Callable[[Query], tuple[int, Document]]
"""As an Answer, to what was asked; raises `Refused`."""
Stream = Callable[[Query], AsyncGenerator[bytes, None]]
"""Lines, as they come; raises `Refused` at once."""
Write = Callable[[str, Query, bytes], Awaitable[tuple[int, Document]]]
"""Carries out what a method, a query and a body ask for; raises `Refused`."""

ITEMS_PER_SLICE = 32
"""About a millisecond of encoding for the largest objects that a listing has."""


class Refused(Exception):
    """A question that gets no answer; the text says what is wrong."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def slices(document: Document) -> Iterator[bytes]:
    """The JSON text of `document`, in pieces that are each quickly made."""
    opening = b"{"
    for name, value in document.items():
        yield opening + msgspec.json.encode(name) + b":"
        if isinstance(value, Iterator):
            yield from _array(value)
        else:
            yield msgspec.json.encode(value)
        opening = b","
    yield b"}\n" if document else b"{}\n"


def _array(items: Iterator[object]) -> Iterator[bytes]:
    opening = b"["
    while batch := list(islice(items, ITEMS_PER_SLICE)):
        yield opening + b",".join(map(msgspec.json.encode, batch))
        opening = b","
    yield b"]" if opening == b"," else b"[]"
