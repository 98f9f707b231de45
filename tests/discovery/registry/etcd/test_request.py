"""Transactions: what a commit depends on, and how much of it goes at once."""

from __future__ import annotations

from base64 import b64decode

import pytest

from discovery.registry.content import Change, RRset
from discovery.registry.etcd.client import Json
from discovery.registry.etcd.mirror import Mirror
from discovery.registry.etcd.request import GROUP, MOST_BYTES, MOST_NAMES, Transaction
from discovery.registry.etcd.values import unpack
from discovery.registry.store import Commit, Term, TooLarge, key_of
from discovery.registry.wire import Record
from tests.discovery.registry.test_transfer import ORIGIN, record

ETCDS_BOUND = 128


def mirror() -> Mirror:
    made = Mirror(b"weft/", [ORIGIN])
    made.revision = 41
    made.zones[ORIGIN].content, made.zones[ORIGIN].terms = 40, 39
    return made


def commit(records: list[Record], *, there: bool = False, absent: tuple[bytes, ...] = ()) -> Commit:
    nodes = {each.name: (RRset(each.type, each.ttl, (each.data,)),) for each in records}
    read = {each.name: there for each in records}
    return Commit(ORIGIN, 1, 2, Change((), tuple(records)), {}, nodes, read, absent)


def request(*commits: Commit) -> Json:
    made = Transaction(mirror(), b"weft/", b"me")
    for each in commits:
        made.add(each, b"mark")
    return made.body()


def compared(body: Json) -> list[tuple[bytes, str, str]]:
    return [
        (b64decode(each["key"]).rpartition(b"/")[2], each["target"] + " " + each["result"],
         each.get("mod_revision", each.get("create_revision")))
        for each in body["compare"]
    ]  # fmt: skip


A1, A2 = record("a.shop.default"), record("b.shop.default")


def test_a_name_is_as_it_was() -> None:
    there = commit([A2], there=True)
    assert compared(request(commit([A1]))) == [(b"me", "CREATE GREATER", "0"), (A1.name, "MOD LESS", "42")]
    assert compared(request(there))[1:] == [(A2.name, "MOD LESS", "42"), (A2.name, "CREATE GREATER", "0")]
    assert compared(request(commit([A1], absent=(b"gone",))))[1] == (b"gone", "CREATE EQUAL", "0")


def test_what_is_written() -> None:
    body = request(commit([A1]))
    put, touch = (each["request_put"] for each in body["success"])
    assert b64decode(put["key"]).endswith(A1.name)
    assert unpack(A1.name, b64decode(put["value"])) == ((RRset(A1.type, A1.ttl, (A1.data,)),), {})
    assert (b64decode(touch["key"]).rpartition(b"/")[2], b64decode(touch["value"])) == (b"content", b"mark")


def test_terms_alone_have_no_serial() -> None:
    node = (RRset(A1.type, A1.ttl, (A1.data,)),)
    only = Commit(ORIGIN, 1, 1, Change((), ()), {key_of(A1): Term(b"", 30, b"me")}, {A1.name: node}, {A1.name: True})
    put, touch = (each["request_put"] for each in request(only)["success"])
    assert unpack(A1.name, b64decode(put["value"])).terms == {key_of(A1): Term(b"", 30, b"me")}
    assert b64decode(touch["key"]).endswith(b"/terms")


def test_terms_that_are_no_matter_of_a_change_stay() -> None:
    made, other = mirror(), A1._replace(data=b"\5\5\5\5")
    made.zones[ORIGIN].held[A1.name] = {key_of(A1): Term(b"k", 30, b"other")}
    node = (RRset(A1.type, A1.ttl, (A1.data, other.data)),)
    both = Commit(
        ORIGIN, 1, 2, Change((), (other,)), {key_of(other): Term(b"", 9, b"me")}, {A1.name: node}, {A1.name: True}
    )
    transaction = Transaction(made, b"weft/", b"me")
    transaction.add(both, b"mark")
    held = unpack(A1.name, b64decode(transaction.body()["success"][0]["request_put"]["value"]))
    assert held.terms == {key_of(A1): Term(b"k", 30, b"other"), key_of(other): Term(b"", 9, b"me")}


def test_what_only_reads_writes_nothing() -> None:
    made = Transaction(mirror(), b"weft/", b"me")
    made.add(Commit(ORIGIN, 1, 1, Change((), ()), {}, {}, {A1.name: True}), b"mark")
    assert not made.writes
    assert made.body()["success"] == []


def depth(body: Json) -> int:
    """Operations that etcd counts: those of a request, and on top of them those of the largest within."""
    within = [depth(each["request_txn"]) for each in body["success"] if "request_txn" in each]
    return max(len(body.get("compare", ())), len(body["success"])) + max(within, default=0)


@pytest.mark.parametrize("count", [1, 40, 60, 100, 101, 1000, MOST_NAMES])
def test_never_more_than_etcd_takes(count: int) -> None:
    records = [record(f"h{number}.shop.default") for number in range(count)]
    body = request(commit(records, there=True))
    assert depth(body) <= ETCDS_BOUND
    puts = [each for each in body["success"] if "request_put" in each]
    grouped = [each for each in body["success"] if "request_txn" in each]
    assert len(puts) + sum(len(each["request_txn"]["success"]) for each in grouped) == count + 1
    assert all(len(each["request_txn"]["success"]) <= GROUP for each in grouped)
    if count > 100:
        assert [each[1:] for each in compared(body)[1:]] == [("MOD EQUAL", "40"), ("MOD EQUAL", "39")]


def test_what_is_too_much() -> None:
    records = [record(f"h{number}.shop.default") for number in range(MOST_NAMES + 1)]
    with pytest.raises(TooLarge, match="3841 names is more than etcd takes at once"):
        request(commit(records))
    large = [record(f"h{number}.shop.default")._replace(data=bytes(1000)) for number in range(MOST_BYTES // 1000)]
    with pytest.raises(TooLarge, match="more than etcd takes at once"):
        request(commit(large))


def test_names_that_go_are_counted_too() -> None:
    long = [record(".".join([f"h{number}", "n" * 63, "n" * 63])) for number in range(MOST_NAMES)]
    gone = commit(long)._replace(nodes={each.name: () for each in long})
    some = [record(f"h{number}.shop.default")._replace(data=bytes(1000)) for number in range(MOST_BYTES // 2000)]
    assert request(gone)
    assert request(commit(some))
    with pytest.raises(TooLarge, match="more than etcd takes at once"):
        request(commit(some), gone)
