"""Which records live only as long as somebody refreshes them (RFC 9664 section 5).

Records that one message of one owner lists together have one `Lease`, with one deadline: a refresh of exactly these
moves the deadline and touches nothing else, and if its bytes are those of the last one it is not even read.  Whoever
lists other records gets a new lease for them, which takes them out of those they were in.

When many go silent at once, more likely the network or this process was away than they: if more than a fifth of all
leased records were not refreshed in time, nothing expires until that share has fallen again; and after a pause of
the process everything first lives for a full term.  Deadlines are those of a monotonic clock, which is passed in.

That has an end, or the records of one of three nodes, which are more than a fifth, would outlive it for ever.  Of how
many owners the silent ones are says nothing about it: the owners of a small cluster are few, and many may share a key.
What does is who still refreshes.  If that is at least half, the way to here is open, and who has been silent for ten
terms more is gone.  If it is less, it is we who are cut off: an hour of that must change nothing, so the silent are
held for two, or for as many terms as are two hours at the usual lease.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from discovery.registry.content import Change, Draft, Node, RRset
from discovery.registry.terms import Terms
from discovery.registry.update import Update
from discovery.registry.wire import Record

Datum = tuple[bytes, int, bytes]
"""A record: name, type and data."""

_KEY: Final = 25
LATE: Final = 0.9
"""The part of a term after which a refresh, which comes at 0.80 to 0.85 of it, is missing."""
MOST_SILENT: Final = 0.2
HELD_TERMS: Final = 10
"""That a lease outlives its deadline by, at most, while nothing expires, and most are refreshed."""
HELD_TERMS_ALONE: Final = 240
"""The same while most are silent."""
HELD_SECONDS: Final = 2 * 3600.0
"""No lease outlives its deadline by more, however long its term is."""
FEW_RECORDS: Final = 10
"""Of which all may expire at once."""
LONGEST_PAUSE: Final = 5.0
"""Seconds between two calls of `due` that are no pause of the process."""


class Lease:
    """Records that live and die together."""

    __slots__ = ("count", "deadline", "fingerprint", "late_at", "names", "owner", "term", "watched_at")

    def __init__(self, owner: bytes, names: dict[bytes, Node]) -> None:
        self.owner = owner
        self.names = names
        """What of each name lives by it: of most names all that the zone has, and then it is the same object."""
        self.count = sum([len(datas) for node in names.values() for _, _, datas in node])
        """How many records there are."""
        self.term = self.deadline = self.late_at = 0.0
        self.watched_at: float | None = None
        """When it is looked at next; None: it is late."""
        self.fingerprint = b""

    def has(self, datum: Datum) -> bool:
        """Whether this record lives by it."""
        name, kind, data = datum
        for rrset in self.names.get(name, ()):
            if rrset.type == kind:
                return data in rrset.datas
        return False

    def discard(self, datum: Datum) -> bool:
        """This record, which it has, lives by it no more; whether none of its name does."""
        name, kind, data = datum
        node = tuple(
            each if each.type != kind else each._replace(datas=tuple([other for other in each.datas if other != data]))
            for each in self.names[name]
            if each.type != kind or len(each.datas) > 1
        )
        self.count -= 1
        if node:
            self.names[name] = node
        else:
            del self.names[name]
        return not node

    def bump(self, term: float, now: float) -> None:
        """It lives for `term` seconds from `now`."""
        self.term = term
        self.deadline = now + term
        self.late_at = now + term * LATE

    def is_over(self, now: float, held_terms: int) -> bool:
        """Whether it ended, and was held for so many terms after that."""
        return self.deadline + min(self.term * held_terms, HELD_SECONDS) <= now


class Leases:
    """All leases of a zone."""

    def __init__(self, pause: float = LONGEST_PAUSE, few: int = FEW_RECORDS) -> None:
        self._pause = pause
        self._few = few
        self._by_name: dict[bytes, tuple[Lease, ...]] = {}
        """The leases that have records of a name: nearly always one, but many where a Service's name is shared."""
        self._by_fingerprint: dict[bytes, Lease] = {}
        self._watched: list[tuple[float, int, Lease]] = []
        """A heap of those that are not late, by when they are looked at; entries of another time are void."""
        self._turn = 0
        self._late: dict[int, Lease] = {}
        """By identity: those whose refresh is missing."""
        self._expired: deque[tuple[float, int]] = deque()
        """Until when records count that expired, and how many they are."""
        self._last_look: float | None = None
        self.records = 0
        """How many records have a lease."""
        self.leases = 0
        self.is_suspended = False
        """Whether what is due is held back because too much is."""
        self.silent = 0
        """How many records were not refreshed in time, when was last looked."""

    def refresh(self, fingerprint: bytes, term: float, now: float) -> bool:
        """A message came whose bytes stand for all of a lease; False: not known, or late, so it is to be read.

        What is late may be being removed at this moment, and then its refresh must come after that.
        """
        lease = self._by_fingerprint.get(fingerprint)
        if lease is None or now >= lease.late_at:
            return False
        self._bump(lease, term, now)
        return True

    def renew(
        self, owner: bytes, records: Iterable[Datum], term: float, now: float, fingerprint: bytes = b"",
        *, draft: Draft | None = None,
    ) -> None:  # fmt: skip
        """`owner` listed these records together; they live for `term` seconds from `now`.

        `fingerprint`: what `refresh` is to know that list by; empty: it is not to.  `draft`: has all of them.
        """
        listed = dict.fromkeys(records)
        if not listed:
            return
        lease = self._lease_with_all(owner, listed)
        if lease is None:
            for datum in listed:
                if datum[0] in self._by_name:
                    self.forget(datum)
            lease = self._made(owner, _nodes_of(listed, draft))
        self._bump(lease, term, now)
        self._name(lease, fingerprint)

    def take(self, owner: bytes, names: dict[bytes, Node], term: float, now: float) -> None:
        """These records of `owner`, none of which has a lease, live together for `term` seconds from `now`."""
        self._bump(self._made(owner, names), term, now)

    def settle(
        self,
        owner: bytes,
        update: Update,
        draft: Draft,
        *,
        change: Change,
        terms: Terms | None,
        now: float,
        fingerprint: bytes = b"",
    ) -> None:
        """An UPDATE was carried out on `draft`, whose `change` is stored: keep the leases of what it lists or removed.

        `terms`: what was granted; None: the records are to stay until somebody removes them.
        """
        stays = {_datum(record) for record in change.added}
        for datum in map(_datum, change.removed):
            if datum not in stays:
                self.forget(datum)
        listed = [_datum(record) for record in update.added() if draft.has(*_datum(record))]
        if terms is None:
            for datum in listed:
                self.forget(datum)
            return
        keys = [datum for datum in listed if datum[1] == _KEY]
        plain = [datum for datum in listed if datum[1] != _KEY]
        is_whole = len(plain) == len(update.changes) and not update.prerequisites
        self.renew(owner, plain, terms.lease, now, fingerprint if is_whole else b"", draft=draft)
        self.renew(owner, keys, terms.lease if terms.key_lease is None else terms.key_lease, now, draft=draft)

    def lease_of(self, datum: Datum) -> Lease | None:
        """The lease that a record has."""
        for lease in self._by_name.get(datum[0], ()):
            if lease.has(datum):
                return lease
        return None

    def forget(self, datum: Datum) -> None:
        """The record was removed, or is to stay until somebody removes it."""
        lease = self.lease_of(datum)
        if lease is None:
            return
        self.records -= 1
        self._name(lease, b"")
        if lease.discard(datum):
            self._leave(datum[0], lease)
        if not lease.count:
            self.leases -= 1
            self._late.pop(id(lease), None)

    def due(self, now: float) -> list[Datum]:
        """The records to be removed by now; the same again until `expired` is told of them.

        To be called every second or so: if much more has passed, this process was away, and nobody could refresh.
        """
        if self._last_look is not None and now - self._last_look > self._pause:
            self.restart(now)
        self._last_look = now
        self._find_late(now)
        while self._expired and self._expired[0][0] <= now:
            self._expired.popleft()
        gone = sum(count for _, count in self._expired)
        self.silent = sum(lease.count for lease in self._late.values())
        silent = gone + self.silent
        known = self.records + gone
        self.is_suspended = silent > max(self._few, MOST_SILENT * known)
        terms = (HELD_TERMS_ALONE if 2 * silent > known else HELD_TERMS) if self.is_suspended else 0
        return [datum for lease in self._late.values() if lease.is_over(now, terms) for datum in datums(lease.names)]

    def expired(self, records: Iterable[Datum], now: float) -> None:
        """What was due has been removed from the zone."""
        count, term = 0, 0.0
        for datum in records:
            lease = self.lease_of(datum)
            if lease is not None:
                count, term = count + 1, max(term, lease.term)
                self.forget(datum)
        if count:
            self._expired.append((now + term, count))

    def restart(self, now: float) -> None:
        """Nobody could refresh until now: every lease lives for a full term from `now`."""
        leases = [lease for at, _, lease in self._watched if at == lease.watched_at and lease.count]
        leases += self._late.values()
        self._watched.clear()
        self._late.clear()
        self._expired.clear()
        self.is_suspended, self.silent = False, 0
        for lease in leases:
            lease.watched_at = None
            self._bump(lease, lease.term, now)

    def _find_late(self, now: float) -> None:
        while self._watched and self._watched[0][0] <= now:
            at, _, lease = heappop(self._watched)
            if at != lease.watched_at or not lease.count:
                continue
            lease.watched_at = None
            if lease.late_at <= now:
                self._late[id(lease)] = lease
            else:
                self._watch(lease)

    def _bump(self, lease: Lease, term: float, now: float) -> None:
        """It lives for `term` seconds from `now`: a lease that is looked at before it is late needs no new entry."""
        lease.bump(term, now)
        if lease.watched_at is None or lease.late_at < lease.watched_at:
            self._late.pop(id(lease), None)
            self._watch(lease)

    def _watch(self, lease: Lease) -> None:
        if len(self._watched) > 2 * self.leases + 64:
            self._watched = [each for each in self._watched if each[0] == each[2].watched_at and each[2].count]
            heapify(self._watched)
        self._turn += 1
        lease.watched_at = lease.late_at
        heappush(self._watched, (lease.late_at, self._turn, lease))

    def _lease_with_all(self, owner: bytes, listed: Mapping[Datum, None]) -> Lease | None:
        """The lease of exactly these records."""
        lease = self.lease_of(next(iter(listed)))
        if lease is None or lease.owner != owner or lease.count != len(listed):
            return None
        return lease if all(map(lease.has, listed)) else None

    def _made(self, owner: bytes, names: dict[bytes, Node]) -> Lease:
        lease = Lease(owner, names)
        alone = (lease,)
        for name in names:
            others = self._by_name.get(name)
            self._by_name[name] = alone if others is None else (*others, lease)
        self.records += lease.count
        self.leases += 1
        return lease

    def _leave(self, name: bytes, lease: Lease) -> None:
        others = tuple(each for each in self._by_name[name] if each is not lease)
        if others:
            self._by_name[name] = others
        else:
            del self._by_name[name]

    def _name(self, lease: Lease, fingerprint: bytes) -> None:
        """The bytes by which `lease` is known; empty: none."""
        if lease.fingerprint != fingerprint:
            self._by_fingerprint.pop(lease.fingerprint, None)
            lease.fingerprint = fingerprint
        if fingerprint:
            self._by_fingerprint[fingerprint] = lease


def datums(names: Mapping[bytes, Node]) -> Iterator[Datum]:
    """The records of some names."""
    return ((name, kind, data) for name, node in names.items() for kind, _, datas in node for data in datas)


def _nodes_of(listed: Iterable[Datum], draft: Draft | None) -> dict[bytes, Node]:
    """Records by name; if they are all that the name has there, that is taken as it is."""
    names: dict[bytes, dict[int, list[bytes]]] = {}
    for name, kind, data in listed:
        names.setdefault(name, {}).setdefault(kind, []).append(data)
    found: dict[bytes, Node] = {}
    for name, sets in names.items():
        there = draft.get(name) if draft is not None else ()
        is_all = sum([len(datas) for _, _, datas in there]) == sum(map(len, sets.values()))
        found[name] = there if is_all else tuple([RRset(kind, 0, tuple(datas)) for kind, datas in sets.items()])
    return found


def _datum(record: Record) -> Datum:
    return record.name, record.type, record.data
