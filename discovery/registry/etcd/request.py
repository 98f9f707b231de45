"""A commit as a transaction of etcd: on which state it depends, and what it writes.

What was decided on is that each name is as it was at a revision: one that was there has been there ever since and not
changed after it, one that was not has not come.  So nothing needs to be known of single names but whether they are
there.  etcd takes 128 comparisons and operations at once: what depends on more names depends on the whole zone, and
writes are nested in groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from discovery.registry.content import Change
from discovery.registry.etcd.client import Json, text
from discovery.registry.etcd.mirror import Mirror, Zone
from discovery.registry.etcd.values import keepers, pack
from discovery.registry.store import Commit, RecordKey, Term, TooLarge

MOST_FLAT: Final = 100
"""Comparisons, or writes, that are not too many with those that are always there; etcd's own bound is 128."""
GROUP: Final = 64
MOST_NAMES: Final = GROUP * 60
MOST_BYTES: Final = 1_400_000
"""Of keys and values in one request; etcd's own bound is 1.5 MiB, unless it is told otherwise."""


class Transaction:
    """What is asked of ``kv/txn``."""

    def __init__(self, mirror: Mirror, prefix: bytes, keeper: bytes) -> None:
        self._mirror = mirror
        self._keepers_at = keepers(prefix)
        self._compares: list[Json] = []
        self._writes: list[Json] = []
        self._reads: list[Json] = []
        self._touches: list[Json] = []
        self._size = 0
        self._marker(keeper, must=True)

    @property
    def writes(self) -> bool:
        """Whether it would change anything."""
        return bool(self._touches)

    def add(self, commit: Commit, mark: bytes) -> None:
        """Carry out `commit` too; `mark`: what is written beside it, to know it by.  Raises `TooLarge`."""
        zone = self._mirror.zones[commit.origin]
        for keeper in commit.absent:
            self._marker(keeper, must=False)
        self._depend(zone, commit.read)
        self._reads += (_read(zone.keys.content), _read(zone.keys.terms))
        touched = _touched(commit)
        if len(touched) > MOST_NAMES:
            raise TooLarge(f"a change of {len(touched)} names is more than etcd takes at once")
        terms = _by_name(commit.terms)
        for name in touched:
            node = commit.nodes[name]
            where = text(zone.keys.name(name))
            self._size += len(where)
            if node:
                value = pack(name, node, {**zone.held.get(name, {}), **terms.get(name, {})})
                self._size += len(value)
                self._writes.append({"request_put": {"key": where, "value": text(value)}})
            else:
                self._writes.append({"request_delete_range": {"key": where}})
        if self._size > MOST_BYTES:
            raise TooLarge(f"names with {self._size} bytes of records are more than etcd takes at once")
        if touched:
            key = zone.keys.content if commit.change != Change((), ()) else zone.keys.terms
            self._touches.append({"request_put": {"key": text(key), "value": text(mark)}})

    def body(self) -> Json:
        """The request; where a comparison fails it reads what tells how far others are, and the markers first."""
        writes = self._writes
        if len(writes) > MOST_FLAT:
            groups = (writes[at : at + GROUP] for at in range(0, len(writes), GROUP))
            writes = [{"request_txn": {"success": group}} for group in groups]
        return {"compare": self._compares, "success": [*writes, *self._touches], "failure": self._reads}

    def _marker(self, keeper: bytes, must: bool) -> None:
        """That registry must be there, or must not."""
        key = self._keepers_at + keeper
        self._compares.append(_compare(key, "CREATE", "GREATER" if must else "EQUAL", 0))
        self._reads.append(_read(key))

    def _depend(self, zone: Zone, read: Mapping[bytes, bool]) -> None:
        if len(read) + sum(read.values()) + len(self._compares) > MOST_FLAT:
            self._compares.append(_compare(zone.keys.content, "MOD", "EQUAL", zone.content))
            self._compares.append(_compare(zone.keys.terms, "MOD", "EQUAL", zone.terms))
            return
        for name, was_there in read.items():
            key = zone.keys.name(name)
            self._compares.append(_compare(key, "MOD", "LESS", self._mirror.revision + 1))
            if was_there:
                self._compares.append(_compare(key, "CREATE", "GREATER", 0))


def _compare(key: bytes, target: str, result: str, revision: int) -> Json:
    field = "create_revision" if target == "CREATE" else "mod_revision"
    return {"key": text(key), "target": target, "result": result, field: str(revision)}


def _read(key: bytes) -> Json:
    return {"request_range": {"key": text(key), "keys_only": True}}


def _touched(commit: Commit) -> list[bytes]:
    """The names whose records or terms are others."""
    changed: Iterable[bytes] = (record.name for record in (*commit.change.removed, *commit.change.added))
    return list(dict.fromkeys([*changed, *(name for name, _, _ in commit.terms)]))


def _by_name(terms: Mapping[RecordKey, Term | None]) -> dict[bytes, dict[RecordKey, Term | None]]:
    found: dict[bytes, dict[RecordKey, Term | None]] = {}
    for key, term in terms.items():
        found.setdefault(key[0], {})[key] = term
    return found
