"""The content of a written zone: what registrants said, by name, in wire form (RFC 2136 section 2, RFC 2181 section 5).

A name has a `Node`, a tuple of RRsets that never changes, so that a copy of the dictionary is a snapshot of the zone.
What an update would make of it is tried out in a `Draft`; readers see nothing of that until it has been stored and
the content adopts it.  What the draft changed is a `Change`, the unit of the journal and of IXFR.  SOA and NS of the
zone itself are made when asked for, and are not content.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from discovery.registry.wire import IN, Record


class RRset(NamedTuple):
    """All records of one type that a name has."""

    type: int
    ttl: int
    datas: tuple[bytes, ...]


Node = tuple[RRset, ...]
"""What one name has; never with an empty RRset, nor with two of one type."""

SERIALS = 1 << 32


class Change(NamedTuple):
    """What differs between two serials of a zone: removing comes before adding, as in IXFR (RFC 1995 section 4)."""

    removed: tuple[Record, ...]
    added: tuple[Record, ...]


def later(serial: int, than: int) -> bool:
    """Whether `serial` comes after `than` in the arithmetic of RFC 1982."""
    return 0 < (serial - than) % SERIALS < SERIALS // 2


def next_serial(serial: int) -> int:
    """The serial after `serial` (RFC 1982); 0 is left out, since some take it for none."""
    return (serial + 1) % SERIALS or 1


def records(name: bytes, node: Node) -> Iterator[Record]:
    """The records of one name."""
    for rrset in node:
        for data in rrset.datas:
            yield Record(name, rrset.type, IN, rrset.ttl, data)


def parent(name: bytes) -> bytes:
    """The name without its first label."""
    return name[name[0] + 1 :]


def within(name: bytes, origin: bytes) -> bool:
    """Whether `name` is `origin` or lies beneath it; both in lower case."""
    at, end = 0, len(name) - len(origin)
    while at < end:
        at += name[at] + 1
    return at == end and name.endswith(origin)


class Content:
    """A zone's names, all in lower case; `origin` is the name of the zone itself, in wire bytes."""

    def __init__(self, origin: bytes, serial: int = 0) -> None:
        self.origin = origin
        self.serial = serial
        self.nodes: dict[bytes, Node] = {}
        self._beneath: dict[bytes, dict[bytes, None]] = {}
        """The names directly beneath a name, also those that only have others beneath them."""

    def __len__(self) -> int:
        """How many records there are."""
        return sum(len(rrset.datas) for node in self.nodes.values() for rrset in node)

    def within(self, name: bytes) -> bool:
        """Whether `name` (lower case) is the zone's own or lies beneath it."""
        return within(name, self.origin)

    def exists(self, name: bytes) -> bool:
        """Whether there is such a name, with or without records of its own (RFC 8020)."""
        return name in self.nodes or name in self._beneath or name == self.origin

    def records(self) -> Iterator[Record]:
        """All records; the content must not change meanwhile, a copy of `nodes` may be taken for that."""
        for name, node in self.nodes.items():
            yield from records(name, node)

    def part(self, name: bytes) -> Iterator[tuple[bytes, Node]]:
        """What `name` has, and each name beneath it; at a cost that does not grow with the rest of the zone."""
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if node := self.nodes.get(each):
                yield each, node
            waiting += self._beneath.get(each, ())

    def put(self, name: bytes, node: Node) -> None:
        """`name` has `node` now; an empty one takes the name away."""
        was = self.exists(name)
        if node:
            self.nodes[name] = node
        else:
            self.nodes.pop(name, None)
        if was != self.exists(name):
            self._arrange(name, there=not was)

    def _arrange(self, name: bytes, *, there: bool) -> None:
        """A name came or went: so may those that only were above it."""
        while name != self.origin:
            above = parent(name)
            was = self.exists(above)
            if there:
                self._beneath.setdefault(above, {})[name] = None
            else:
                names = self._beneath[above]
                del names[name]
                if not names:
                    del self._beneath[above]
            if was == self.exists(above):
                return
            name = above

    def begin(self, nodes: dict[bytes, Node]) -> None:
        """Have `nodes`, where there is nothing yet: at once, as there are many."""
        self.nodes, beneath = nodes, self._beneath
        for each in nodes:
            name = each
            while name != self.origin:
                above = name[name[0] + 1 :]
                if above in beneath:
                    beneath[above][name] = None
                    break
                beneath[above] = {name: None}
                if above in nodes:
                    break
                name = above

    def adopt(self, nodes: Mapping[bytes, Node], serial: int) -> None:
        """Put in force what is stored: the new node of each name that differs."""
        for name, node in nodes.items():
            self.put(name, node)
        self.serial = serial

    def apply(self, change: Change, serial: int) -> None:
        """Put in force a change from elsewhere.  Raises ValueError, and changes nothing, if it does not fit."""
        draft = Draft(self)
        draft.apply(change)
        self.adopt(draft.nodes, serial)


class Draft:
    """What the content would be: `nodes` holds the names that were touched, as they would be."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.nodes: dict[bytes, Node] = {}

    def get(self, name: bytes) -> Node:
        """What `name` would have; empty if nothing."""
        found = self.nodes.get(name)
        return self.content.nodes.get(name, ()) if found is None else found

    def rrset(self, name: bytes, kind: int) -> RRset | None:
        """The RRset of that type, if there would be one."""
        for rrset in self.get(name):
            if rrset.type == kind:
                return rrset
        return None

    def has(self, name: bytes, kind: int, data: bytes) -> bool:
        """Whether there would be such a record."""
        rrset = self.rrset(name, kind)
        return rrset is not None and data in rrset.datas

    def put(self, name: bytes, node: Node) -> None:
        """`name` would have `node`; an empty one takes it away."""
        self.nodes[name] = node

    def put_rrset(self, name: bytes, rrset: RRset) -> None:
        """`name` would have this RRset in place of the one of its type; an empty one takes it away."""
        others = tuple(each for each in self.get(name) if each.type != rrset.type)
        self.nodes[name] = (*others, rrset) if rrset.datas else others

    def add(self, record: Record) -> None:
        """One record more, whose TTL is then that of its RRset (RFC 2181 section 5.2)."""
        there = self.rrset(record.name, record.type)
        datas = there.datas if there else ()
        if record.data not in datas:
            datas = (*datas, record.data)
        self.put_rrset(record.name, RRset(record.type, record.ttl, datas))

    def remove(self, name: bytes, kind: int, data: bytes) -> bool:
        """One record less; False: it is not there."""
        there = self.rrset(name, kind)
        if there is None or data not in there.datas:
            return False
        self.put_rrset(name, there._replace(datas=tuple(each for each in there.datas if each != data)))
        return True

    def apply(self, change: Change) -> None:
        """All of `change`.  Raises ValueError for one that takes away what is not there, or adds what is."""
        for record in change.removed:
            if not self.remove(record.name, record.type, record.data):
                raise ValueError(f"a record to be removed is not there: {record}")
        for record in change.added:
            there = self.rrset(record.name, record.type)
            if there is not None and record.data in there.datas:
                raise ValueError(f"a record to be added is there already: {record}")
            self.add(record)

    def change(self) -> Change:
        """What differs from the content; a record whose TTL differs is removed and added."""
        removed: list[Record] = []
        added: list[Record] = []
        for name, node in self.nodes.items():
            before = self.content.nodes.get(name, ())
            if before != node:
                removed += _only_in(name, before, node)
                added += _only_in(name, node, before)
        return Change(tuple(removed), tuple(added))


def _only_in(name: bytes, node: Node, other: Node) -> Iterator[Record]:
    """The records of `node` that the other one lacks."""
    for rrset in node:
        kind, ttl, datas = rrset
        there: Collection[bytes] = ()
        for each in other:
            if each.type == kind and each.ttl == ttl:
                there = each.datas
        if there == datas:
            continue
        if len(there) > 1:
            there = frozenset(there)
        for data in datas:
            if data not in there:
                yield Record(name, kind, IN, ttl, data)


def content_of(origin: bytes, serial: int, stored: Iterable[Record]) -> Content:
    """The content that has these records, such as a store gave it: best those of one name together."""
    content = Content(origin, serial)
    draft = Draft(content)
    last, records = b"", list[Record]()
    for record in stored:
        if record.name != last:
            _put_new(draft, last, records)
            last, records = record.name, []
        records.append(record)
    _put_new(draft, last, records)
    content.begin(draft.nodes)
    return content


def _put_new(draft: Draft, name: bytes, records: list[Record]) -> None:
    """The name has these records, if it has none yet; else these too."""
    if name in draft.nodes:
        for record in records:
            draft.add(record)
        return
    sets: dict[int, tuple[int, dict[bytes, None]]] = {}
    for _, kind, _, ttl, data in records:
        known = sets.get(kind)
        if known is None:
            sets[kind] = ttl, {data: None}
        else:
            known[1][data] = None
            sets[kind] = ttl, known[1]
    if sets:
        draft.nodes[name] = tuple([RRset(kind, ttl, tuple(datas)) for kind, (ttl, datas) in sets.items()])
