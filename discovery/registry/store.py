"""What a registry's store does: keeps the written zones, and everything that happened to them, beyond a crash.

A `Commit` is a change of one zone, already decided; when `Store.commit` returns, nothing of it can get lost, and only
then is it acknowledged or shown to anyone.  The history is what IXFR hands on (RFC 1995).

A store may be shared by several registries.  Then changes also come from others, so every change, whoever asked for
it, reaches the zone's `Follower` as an `Arrival`, in the order of serials; a commit that was decided on what is not so
any more is `Outdated`; and each lease has a keeper, the one registry that takes its refreshes and lets it expire.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from discovery.registry.content import Change, Node
from discovery.registry.wire import Record

RecordKey = tuple[bytes, int, bytes]
"""Name, type and data of a record: what makes it that one, whatever its TTL."""


class Term(NamedTuple):
    """How long a record lives unless it is refreshed."""

    owner: bytes
    """The name of the key that wrote it; empty: it was not signed."""
    seconds: int
    keeper: bytes = b""
    """The registry that takes its refreshes, as `Store.keeper` names it."""


class Commit(NamedTuple):
    """A change of the zone `origin` from one serial to the next; an empty one has the same twice, and changes terms."""

    origin: bytes
    before: int
    serial: int
    change: Change
    terms: Mapping[RecordKey, Term | None]
    """Of the records that are added, those that live by a lease; and all whose term differs now, None: it stays."""
    nodes: Mapping[bytes, Node] = MappingProxyType({})
    """The names that were touched, as they are to be; an empty node: there is no such name any more."""
    read: Mapping[bytes, bool] = MappingProxyType({})
    """The names on which this was decided, and whether they were there; of concern where the store is shared."""
    absent: Collection[bytes] = ()
    """Registries that must be gone, since what they kept is removed."""


class Arrival(NamedTuple):
    """A zone is at another serial, or has other terms at the same."""

    serial: int
    nodes: Mapping[bytes, Node]
    """As in a `Commit`."""
    terms: Mapping[RecordKey, Term | None]
    """As in a `Commit`."""
    change: Change | None = None
    """None: that is to be found by comparing."""
    is_own: bool = False
    """Whether it is what `commit` was called for."""
    is_whole: bool = False
    """Whether there are no names but these."""


class Follower(Protocol):
    """Who is told of what becomes of a zone; it is told between two steps of the event loop, and does not wait."""

    def arrive(self, arrival: Arrival) -> None:
        """This is stored."""

    def attend(self, keepers: frozenset[bytes]) -> None:
        """These registries are there now."""

    def resume(self) -> None:
        """This registry was not sure that others knew of it, and took no refreshes; now it does again."""


class Stored(NamedTuple):
    """A zone as it was last committed."""

    serial: int
    nodes: dict[bytes, Node]
    """All names, which whoever opened the store may keep and change."""
    terms: Mapping[Term, Mapping[bytes, Node]]
    """What lives by a lease: by name, all of the node, the same object, or part of it."""


class Past(NamedTuple):
    """One step of a zone's history."""

    before: int
    """The serial that the change led away from."""
    serial: int
    change: Change


class StoreError(Exception):
    """The store failed: it says where and why, in words for whoever runs the registry."""


class Outdated(StoreError):
    """Somebody else was faster; the zone is as that left it, and whoever asked may decide anew."""


class TooLarge(StoreError):
    """It is more than the store takes at once, and nothing of it is kept; it never will be."""


class Store(Protocol):
    """SQLite, or etcd."""

    keeper: bytes
    """How other registries know this one; empty: the store is not shared."""
    keepers: frozenset[bytes]
    """The registries that are there, this one among them."""
    most_names: int
    """Names in one commit that it does well."""

    @property
    def is_keeping(self) -> bool:
        """Whether others let live what this registry keeps, so that it may take refreshes."""

    def follow(self, origin: bytes, follower: Follower) -> None:
        """Tell `follower` of the zone from now on; to be called at once after `open`."""

    async def open(self, origins: Sequence[bytes]) -> Mapping[bytes, Stored]:
        """Begin, with what is there of these zones.  Raises `StoreError`."""

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Keep all of these or none, for good; when this returns, their followers have been told.

        Raises `StoreError`, and then it is unknown which, or `Outdated` or `TooLarge`, and then it is none.  What they
        were decided on must have been read without a pause before this is called.
        """

    async def history(self, origin: bytes, since: int) -> Sequence[Past] | None:
        """All that happened after serial `since`, the oldest first; None: that is not known any more."""

    async def close(self) -> None:
        """Let go of it."""


class Alone:
    """What is so of every store that one registry has for itself."""

    keeper = b""
    keepers = frozenset({b""})
    most_names = 512
    is_keeping = True

    def __init__(self) -> None:
        self._followers: dict[bytes, Follower] = {}

    def follow(self, origin: bytes, follower: Follower) -> None:
        """Tell `follower` of what is committed of the zone."""
        self._followers[origin] = follower

    def tell(self, commits: Iterable[Commit]) -> None:
        """These are stored."""
        for commit in commits:
            follower = self._followers.get(commit.origin)
            if follower is not None:
                follower.arrive(Arrival(commit.serial, commit.nodes, commit.terms, commit.change, is_own=True))


def part(node: Node, places: Container[int]) -> Node:
    """What a node has at these places, of which each of its data is one."""
    found, at = [], 0
    for rrset in node:
        datas = tuple([data for place, data in enumerate(rrset.datas, at) if place in places])
        at += len(rrset.datas)
        if datas:
            found.append(rrset._replace(datas=datas))
    return tuple(found)


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
