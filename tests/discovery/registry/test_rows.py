"""Rows of a zone: after any commits, what is loaded is what they left behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import rows
from discovery.registry.content import Change, Content, Draft, records
from discovery.registry.lease import datums
from discovery.registry.store import Commit, RecordKey, Term, key_of
from discovery.registry.wire import IN, TXT, A, Record

ORIGIN, OTHER = b"\1z\0", b"\1y\0"
NAMES = st.sampled_from([b"\1a" + ORIGIN, b"\1b" + ORIGIN])
RECORDS = st.builds(
    Record, NAMES, st.sampled_from([A, TXT]), st.just(IN), st.sampled_from([1, 5]), st.sampled_from([b"\1x", b"\1y"])
)
TERMS = st.none() | st.builds(Term, st.sampled_from([b"", b"\1k\0"]), st.sampled_from([30, 60]), st.just(b""))


class Zone:
    """What is committed, as a primary has it."""

    def __init__(self) -> None:
        self.content = Content(ORIGIN)
        self.terms: dict[RecordKey, Term] = {}

    def change(self, added: dict[Record, Term | None], removed: list[Record]) -> Commit:
        draft = Draft(self.content)
        for record in removed:
            draft.remove(*key_of(record))
        for record in added:
            draft.add(record)
        change = draft.change()
        fresh = set(map(key_of, change.added))
        granted = {key_of(record): term for record, term in added.items()}
        terms = {key: granted.get(key, self.terms.get(key)) for key in fresh | granted.keys()}
        before = self.content.serial
        nodes = {**{name: draft.get(name) for name, _, _ in terms}, **draft.nodes}
        self.content.adopt(draft.nodes, before + 1)
        there = {key_of(record) for name, node in self.content.nodes.items() for record in records(name, node)}
        self.terms = {key: term for key, term in (self.terms | terms).items() if term is not None and key in there}
        return Commit(ORIGIN, before, before + 1, change, terms, nodes)


@given(st.lists(st.tuples(st.dictionaries(RECORDS, TERMS, max_size=4), st.lists(RECORDS, max_size=3)), max_size=6))
def test_what_is_written_is_loaded(changes: list[tuple[dict[Record, Term | None], list[Record]]]) -> None:
    zone = Zone()
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(rows.TABLES)
        rows.write(database, Commit(OTHER, 6, 7, Change((), ()), {}, {b"\1a" + OTHER: ()}))
        for added, removed in changes:
            rows.write(database, zone.change(added, removed))
            found = rows.load(database, ORIGIN)
            assert (found.serial, found.nodes) == (zone.content.serial, zone.content.nodes)
            assert {key: term for term, names in found.terms.items() for key in datums(names)} == zone.terms
            for names in found.terms.values():  # what lives as a whole takes no memory
                assert all(node is found.nodes[name] for name, node in names.items() if node == found.nodes[name])
        assert rows.load(database, OTHER) == (7, {}, {})


def test_a_damaged_row_is_a_value_error() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(rows.TABLES)
        database.execute("INSERT INTO names VALUES (?, ?, ?, NULL)", (ORIGIN, ORIGIN, b"\x91"))
        with pytest.raises(ValueError, match="truncated"):
            rows.load(database, ORIGIN)
    assert issubclass(msgspec.DecodeError, ValueError)
