"""The mirror: events of a revision become one arrival of each zone."""

from __future__ import annotations

import pytest

from discovery.registry.content import RRset
from discovery.registry.etcd.client import Json, text
from discovery.registry.etcd.mirror import Listing, Mirror
from discovery.registry.etcd.values import Keys, pack
from discovery.registry.store import Arrival, StoreError, Term, key_of
from tests.discovery.registry.test_transfer import ORIGIN, record

KEYS = Keys(b"weft/", ORIGIN)
A1, A2 = record("a.shop.default"), record("b.shop.default")
NODE = (RRset(A1.type, A1.ttl, (A1.data,)),)
MINE, THEIRS = Term(b"", 30, b"me"), Term(b"", 30, b"other")


def put(key: bytes, revision: int, value: bytes = b"") -> Json:
    return {"kv": {"key": text(key), "mod_revision": str(revision), **({"value": text(value)} if value else {})}}


def gone(key: bytes, revision: int) -> Json:
    return {"type": "DELETE", "kv": {"key": text(key), "mod_revision": str(revision)}}


def named(name: bytes, revision: int, term: Term | None = None) -> Json:
    terms = {} if term is None else {(name, A1.type, A1.data): term}
    return put(KEYS.name(name), revision, pack(name, NODE, terms))


def test_revision_by_revision() -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    events = [
        named(A1.name, 4, MINE), named(A2.name, 4), put(KEYS.content, 4, b"mark"),
        named(A1.name, 5, THEIRS), put(KEYS.terms, 5, b"other"),
        gone(KEYS.name(A1.name), 7), put(KEYS.content, 7),
        put(b"weft/elsewhere", 8),
    ]  # fmt: skip
    told = [(mirror.revision, each.arrivals.get(ORIGIN), each.own) for each in mirror.take(events, [b"mark"])]
    assert told == [
        (4, Arrival(4, {A1.name: NODE, A2.name: NODE}, {key_of(A1): MINE}, is_own=True), {b"mark"}),
        (5, Arrival(4, {A1.name: NODE}, {key_of(A1): THEIRS}), set()),
        (7, Arrival(7, {A1.name: ()}, {}), set()),
        (8, None, set()),
    ]
    assert mirror.zones[ORIGIN].held == {}


def test_a_lease_that_is_given_up() -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    *_, last = mirror.take([named(A1.name, 4, MINE), named(A1.name, 5), put(KEYS.terms, 5)], [])
    assert last.arrivals[ORIGIN].terms == {key_of(A1): None}


def test_serials_are_revisions_modulo_their_number() -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    (told,) = mirror.take([put(KEYS.content, (1 << 32) + 9)], [])
    assert told.arrivals[ORIGIN].serial == 9


def test_registries_come_and_go() -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    events = [
        put(b"weft/keepers/a", 2),
        put(b"weft/keepers/b", 3),
        put(b"weft/keepers/a", 4),
        gone(b"weft/keepers/a", 5),
    ]
    assert [told.keepers for told in mirror.take(events, [])] == [{b"a"}, {b"a", b"b"}, None, {b"b"}]


def test_a_list_says_what_differs() -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    list(mirror.take([named(A1.name, 4, MINE), named(A2.name, 4, MINE), put(KEYS.content, 4)], []))
    listing, there = {ORIGIN: Listing()}, set[bytes]()
    kvs = [put(KEYS.content, 9), put(KEYS.terms, 8), named(A1.name, 6, THEIRS), put(b"weft/keepers/a", 2)]
    mirror.read([kv["kv"] for kv in kvs], listing, there)
    told = mirror.adopt(listing, there, 12)
    assert told.arrivals[ORIGIN] == Arrival(9, {A1.name: NODE}, {key_of(A1): THEIRS}, is_whole=True)
    assert (told.keepers, mirror.revision, mirror.zones[ORIGIN].terms) == ({b"a"}, 12, 8)
    assert listing[ORIGIN].stored() == (9, {A1.name: NODE}, {THEIRS: {A1.name: NODE}})


@pytest.mark.parametrize("value", [b"", b"nonsense", b"\2\0\0"])
def test_what_is_none_of_ours(value: bytes) -> None:
    mirror = Mirror(b"weft/", [ORIGIN])
    with pytest.raises(StoreError, match="is none of weft's"):
        list(mirror.take([put(KEYS.name(A1.name), 4, value)], []))
    assert mirror.revision == 0
