"""What a registry's store does: keeps the written zones, and everything that happened to them, beyond a crash.

A `Commit` is a change of one zone, already decided; when `Store.commit` returns, nothing of it can get lost, and only
then is it acknowledged or shown to anyone.  The history is what IXFR hands on (RFC 1995).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from discovery.registry.content import Change
from discovery.registry.wire import Record

RecordKey = tuple[bytes, int, bytes]
"""Name, type and data of a record: what makes it that one, whatever its TTL."""


class Term(NamedTuple):
    """How long a record lives unless it is refreshed."""

    owner: bytes
    """The name of the key that wrote it; empty: it was not signed."""
    seconds: int


class Commit(NamedTuple):
    """A change of the zone `origin` from one serial to the next; an empty one has the same twice, and changes terms."""

    origin: bytes
    before: int
    serial: int
    change: Change
    terms: Mapping[RecordKey, Term | None]
    """Of the records that are added, those that live by a lease; and all whose term differs now, None: it stays."""


class Stored(NamedTuple):
    """A zone as it was last committed."""

    serial: int
    records: tuple[Record, ...]
    terms: Mapping[RecordKey, Term]


class Past(NamedTuple):
    """One step of a zone's history."""

    before: int
    """The serial that the change led away from."""
    serial: int
    change: Change


class StoreError(Exception):
    """The store failed: it says where and why, in words for whoever runs the registry."""


class Store(Protocol):
    """SQLite, or etcd."""

    async def open(self, origins: Sequence[bytes]) -> Mapping[bytes, Stored]:
        """Begin, with what is there of these zones.  Raises `StoreError`."""

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Keep all of these or none, for good.  Raises `StoreError`, and then it is unknown which."""

    async def history(self, origin: bytes, since: int) -> Sequence[Past] | None:
        """All that happened after serial `since`, the oldest first; None: that is not known any more."""

    async def close(self) -> None:
        """Let go of it."""


def key_of(record: Record) -> RecordKey:
    return record.name, record.type, record.data


def pack(change: Change) -> bytes:
    """A change as bytes: how many records are removed, then all records, removed ones first."""
    parts = [len(change.removed).to_bytes(4, "big")]
    for name, kind, klass, ttl, data in (*change.removed, *change.added):
        parts += (name, (kind << 64 | klass << 48 | ttl << 16 | len(data)).to_bytes(10, "big"), data)
    return b"".join(parts)


def unpack(packed: bytes) -> Change:
    """The change that `pack` made these bytes of."""
    records = []
    at = 4
    while at < len(packed):
        end = at
        while length := packed[end]:
            end += length + 1
        end += 1
        fixed = int.from_bytes(packed[end : end + 10], "big")
        data = end + 10
        name, at = packed[at:end], data + (fixed & 0xFFFF)
        records.append(Record(name, fixed >> 64, fixed >> 48 & 0xFFFF, fixed >> 16 & 0xFFFFFFFF, packed[data:at]))
    removed = int.from_bytes(packed[:4], "big")
    return Change(tuple(records[:removed]), tuple(records[removed:]))
