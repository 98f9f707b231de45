"""A written zone as SQLite holds it: a row for each name, with all that it has, and beside that its leases.

A zone is read into memory when a registry starts, and a row per name is read in a fifth of the time that a row per
record takes: node and leases are decoded at once, what most names have in common is decoded once, and what has a lease
as a whole is not looked at.  Data of a node
are counted over all of its RRsets; a grant says which of them live for so long, and none stands for all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from discovery.registry.content import Node, RRset
from discovery.registry.store import Commit, RecordKey, Stored, Term, key_of, part

TABLES: Final = """
CREATE TABLE zones (origin BLOB PRIMARY KEY, serial INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE names (
    origin BLOB NOT NULL, name BLOB NOT NULL, node BLOB NOT NULL, grants BLOB, PRIMARY KEY (origin, name)
) WITHOUT ROWID;
"""


class _Grant(NamedTuple):
    owner: bytes
    seconds: int
    places: tuple[int, ...]


_encode: Final = msgspec.msgpack.encode
_node: Final = msgspec.msgpack.Decoder(tuple[RRset, ...]).decode
_grants: Final = msgspec.msgpack.Decoder(tuple[_Grant, ...]).decode


def load(database: sqlite3.Connection, origin: bytes) -> Stored:
    """A zone as it is there.  Raises sqlite3.Error, and ValueError for what `write` did not write."""
    rows = database.execute("SELECT name, node, grants FROM names WHERE origin = ?", (origin,))
    nodes: dict[bytes, Node] = {}
    terms: dict[Term, dict[bytes, Node]] = {}
    known: dict[bytes, list[tuple[dict[bytes, Node], tuple[int, ...]]]] = {}
    for name, packed, granted in rows:
        nodes[name] = node = _node(packed)
        if granted is None:
            continue
        shares = known.get(granted)
        if shares is None:
            grants = _grants(granted)
            shares = [(terms.setdefault(Term(owner, seconds), {}), places) for owner, seconds, places in grants]
            known[granted] = shares
        for there, places in shares:
            there[name] = part(node, places) if places else node
    return Stored(serial_of(database, origin), nodes, terms)


def serial_of(database: sqlite3.Connection, origin: bytes) -> int:
    """The serial of a zone; 0: there is no such zone yet."""
    row = database.execute("SELECT serial FROM zones WHERE origin = ?", (origin,)).fetchone()
    return row[0] if row else 0


def write(database: sqlite3.Connection, commit: Commit) -> None:
    """Have the names that `commit` touched be what it says; raises sqlite3.Error."""
    fresh = set(map(key_of, commit.change.added))
    gone = [(commit.origin, name) for name, node in commit.nodes.items() if not node]
    database.executemany("DELETE FROM names WHERE origin = ? AND name = ?", gone)
    for name, node in commit.nodes.items():
        if node:
            row = commit.origin, name, _encode(node), _pack(_terms(database, commit, name, fresh))
            database.execute("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)", row)
    if commit.serial != commit.before:
        database.execute("INSERT OR REPLACE INTO zones VALUES (?, ?)", (commit.origin, commit.serial))


def _keys(name: bytes, node: Node) -> list[RecordKey]:
    return [(name, kind, data) for kind, _, datas in node for data in datas]


def _terms(database: sqlite3.Connection, commit: Commit, name: bytes, fresh: set[RecordKey]) -> list[Term | None]:
    """For how long each record of a name lives now: as the commit says, else as before if it was there before."""
    keys = _keys(name, commit.nodes[name])
    lasting: dict[RecordKey, Term] = {}
    if not (fresh | commit.terms.keys()).issuperset(keys):
        lasting = _lasting(database, commit.origin, name)
    return [commit.terms[key] if key in commit.terms else None if key in fresh else lasting.get(key) for key in keys]


def _lasting(database: sqlite3.Connection, origin: bytes, name: bytes) -> dict[RecordKey, Term]:
    """The terms of the records that a name has in `database`."""
    row = database.execute(
        "SELECT node, grants FROM names WHERE origin = ? AND name = ? AND grants IS NOT NULL", (origin, name)
    ).fetchone()
    if row is None:
        return {}
    keys = _keys(name, _node(row[0]))
    return {
        keys[at]: Term(owner, seconds)
        for owner, seconds, places in _grants(row[1])
        for at in places or range(len(keys))
    }


def _pack(terms: Iterable[Term | None]) -> bytes | None:
    """Grants for records with these terms."""
    places: dict[Term | None, list[int]] = {}
    for place, term in enumerate(terms):
        places.setdefault(term, []).append(place)
    is_one = len(places) == 1
    grants = [(term.owner, term.seconds, [] if is_one else found) for term, found in places.items() if term is not None]
    return _encode(grants) if grants else None
