"""UPDATE as dnspython writes it, and beside a plain reading of RFC 2136 section 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.opcode
import dns.rdata
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import wire
from discovery.registry.content import Content, Draft, Node, RRset, content_of
from discovery.registry.keys import EVERYTHING, Scope
from discovery.registry.update import Limits, Update, UpdateError, decide, read_update
from discovery.registry.wire import (
    ANY,
    CNAME,
    IN,
    NONE,
    NS,
    SOA,
    TXT,
    A,
    Malformed,
    Record,
    from_text,
    parse_message,
    to_wire,
)
from tests.discovery.registry.making import query

ORIGIN = "endpoints.cluster.local"
ZONE = to_wire(from_text(ORIGIN))
SOA_TEXT = f"ns.{ORIGIN}. host.{ORIGIN}. 7 1 1 604800 1"


def data(kind: str, text: str) -> bytes:
    return dns.rdata.from_text("IN", kind, text).to_wire()


APEX: Node = (
    RRset(SOA, 1, (data("SOA", SOA_TEXT),)),
    RRset(NS, 1, (data("NS", f"ns.{ORIGIN}."),)),
)


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.{ORIGIN}" if text else ORIGIN))


def content() -> Content:
    return content_of(ZONE, 7, [
        Record(name("host"), A, IN, 5, b"\x0a\0\0\1"), Record(name("host"), A, IN, 5, b"\x0a\0\0\2"),
        Record(name("host"), TXT, IN, 5, b"\1x"), Record(name("alias"), CNAME, IN, 5, name("host")),
        Record(name("deep.er"), A, IN, 5, b"\x0a\0\0\3"), Record(ZONE, TXT, IN, 5, b"\1z"),
    ])  # fmt: skip


def state(draft: Draft) -> dict[str, set[tuple[int, int, bytes]]]:
    """What the zone would have, by name."""
    names = {*draft.content.nodes, *draft.nodes}
    return {
        ".".join(label.decode() for label in wire.to_labels(owner)).removesuffix(ORIGIN).rstrip("."): {
            (rrset.type, rrset.ttl, each) for rrset in draft.get(owner) for each in rrset.datas
        }
        for owner in names
        if draft.get(owner)
    }


def carried_out(made: dns.update.UpdateMessage, scope: Scope = EVERYTHING) -> tuple[int, Draft]:
    draft = Draft(content())
    return decide(draft, read_update(parse_message(made.to_wire()), ZONE), scope, APEX), draft


def update(*steps: Callable[[dns.update.UpdateMessage], object]) -> dns.update.UpdateMessage:
    made = dns.update.UpdateMessage(f"{ORIGIN}.")
    for step in steps:
        step(made)
    return made


PREREQUISITES: dict[str, tuple[Callable[[dns.update.UpdateMessage], object], int]] = {
    "a name in use": (lambda m: m.present("host"), wire.NOERROR),
    "in another case": (lambda m: m.present("HOST"), wire.NOERROR),
    "a name not in use": (lambda m: m.present("nobody"), wire.NXDOMAIN),
    "a name that only is above others": (lambda m: m.present("er"), wire.NXDOMAIN),
    "the apex is always in use": (lambda m: m.present(f"{ORIGIN}."), wire.NOERROR),
    "a set": (lambda m: m.present("host", "A"), wire.NOERROR),
    "a set that is not": (lambda m: m.present("host", "AAAA"), wire.NXRRSET),
    "the SOA set": (lambda m: m.present(f"{ORIGIN}.", "SOA"), wire.NOERROR),
    "no name": (lambda m: m.absent("nobody"), wire.NOERROR),
    "no name, but it is": (lambda m: m.absent("host"), wire.YXDOMAIN),
    "no set": (lambda m: m.absent("host", "AAAA"), wire.NOERROR),
    "no set, but it is": (lambda m: m.absent("host", "TXT"), wire.YXRRSET),
    "the whole set": (lambda m: m.present("host", "A", "10.0.0.2", "10.0.0.1"), wire.NOERROR),
    "a part of the set": (lambda m: m.present("host", "A", "10.0.0.1"), wire.NXRRSET),
    "more than the set": (lambda m: m.present("host", "A", "10.0.0.1", "10.0.0.2", "10.0.0.3"), wire.NXRRSET),
    "a name in data, in another case": (lambda m: m.present("alias", "CNAME", f"Host.{ORIGIN}."), wire.NOERROR),
    "a serial": (lambda m: m.present(f"{ORIGIN}.", "SOA", SOA_TEXT), wire.NOERROR),
    "another serial": (lambda m: m.present(f"{ORIGIN}.", "SOA", SOA_TEXT.replace(" 7 ", " 8 ")), wire.NXRRSET),
    "outside of the zone": (lambda m: m.present("cluster.local."), wire.NOTZONE),
}


@pytest.mark.parametrize("case", PREREQUISITES)
def test_prerequisites(case: str) -> None:
    condition, rcode = PREREQUISITES[case]
    got, draft = carried_out(update(condition, lambda m: m.add("new", 5, "A", "10.0.0.9")))
    assert got == rcode
    assert ("new" in state(draft)) == (rcode == wire.NOERROR)


HOST = {(A, 5, b"\x0a\0\0\1"), (A, 5, b"\x0a\0\0\2"), (TXT, 5, b"\1x")}
CHANGES: dict[str, tuple[Callable[[dns.update.UpdateMessage], object], str, set[tuple[int, int, bytes]]]] = {
    "adds": (lambda m: m.add("host", 5, "A", "10.0.0.3"), "host", {*HOST, (A, 5, b"\x0a\0\0\3")}),
    "adds what is there": (lambda m: m.add("Host", 5, "A", "10.0.0.1"), "host", HOST),
    "another TTL is that of the set": (
        lambda m: m.add("host", 9, "A", "10.0.0.1"),
        "host", {(A, 9, b"\x0a\0\0\1"), (A, 9, b"\x0a\0\0\2"), (TXT, 5, b"\1x")},
    ),
    "removes one": (lambda m: m.delete("host", "A", "10.0.0.1"), "host", HOST - {(A, 5, b"\x0a\0\0\1")}),
    "removes one that is not": (lambda m: m.delete("host", "A", "10.0.0.9"), "host", HOST),
    "removes a set": (lambda m: m.delete("host", "A"), "host", {(TXT, 5, b"\1x")}),
    "removes a set that is not": (lambda m: m.delete("host", "AAAA"), "host", HOST),
    "removes a name": (lambda m: m.delete("host"), "host", set()),
    "replaces": (lambda m: m.replace("host", 6, "A", "10.0.0.9"), "host", {(A, 6, b"\x0a\0\0\x09"), (TXT, 5, b"\1x")}),
    "an alias beside others": (lambda m: m.add("host", 5, "CNAME", "a."), "host", HOST),
    "something beside an alias": (
        lambda m: m.add("alias", 5, "A", "10.0.0.1"), "alias", {(CNAME, 5, name("host"))},
    ),
    "another alias replaces it": (lambda m: m.add("alias", 6, "CNAME", "a."), "alias", {(CNAME, 6, b"\1a\0")}),
    "all of the apex": (lambda m: m.delete(f"{ORIGIN}."), "", set()),
    "SOA is not removed": (lambda m: m.delete(f"{ORIGIN}.", "SOA"), "", {(TXT, 5, b"\1z")}),
    "nor this SOA": (lambda m: m.delete(f"{ORIGIN}.", "SOA", SOA_TEXT), "", {(TXT, 5, b"\1z")}),
    "NS are not removed": (lambda m: m.delete(f"{ORIGIN}.", "NS"), "", {(TXT, 5, b"\1z")}),
    "nor the last NS": (lambda m: m.delete(f"{ORIGIN}.", "NS", f"ns.{ORIGIN}."), "", {(TXT, 5, b"\1z")}),
    "a NS that is there": (lambda m: m.add(f"{ORIGIN}.", 1, "NS", f"NS.{ORIGIN}."), "", {(TXT, 5, b"\1z")}),
    "an old SOA": (lambda m: m.add(f"{ORIGIN}.", 1, "SOA", SOA_TEXT), "", {(TXT, 5, b"\1z")}),
    "a SOA elsewhere": (lambda m: m.add("host", 1, "SOA", SOA_TEXT), "host", HOST),
    "an alias at the apex": (lambda m: m.add(f"{ORIGIN}.", 1, "CNAME", "a."), "", {(TXT, 5, b"\1z")}),
    "another type at the apex": (
        lambda m: m.add(f"{ORIGIN}.", 5, "A", "10.0.0.1"), "", {(TXT, 5, b"\1z"), (A, 5, b"\x0a\0\0\1")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_changes(case: str) -> None:
    change, owner, expected = CHANGES[case]
    rcode, draft = carried_out(update(change))
    assert rcode == wire.NOERROR
    assert state(draft).get(owner, set()) == expected
    others = {each: there for each, there in state(draft).items() if each != owner}
    assert others == {each: there for each, there in state(Draft(content())).items() if each != owner}


def raw(kind: int = A, klass: int = IN, ttl: int = 0, rdata: bytes = b"", owner: str = "new") -> Record:
    return Record(name(owner), kind, klass, ttl, rdata)


ADDED = raw(ttl=5, rdata=b"\x0a\0\0\x09")
REFUSED: dict[str, tuple[Record, int]] = {
    "outside of the zone": (ADDED._replace(name=b"\1a\0"), wire.NOTZONE),
    "adding of any type": (raw(ANY, ttl=5), wire.FORMERR),
    "adding AXFR": (raw(wire.AXFR, ttl=5), wire.FORMERR),
    "adding OPT": (raw(wire.OPT, ttl=5), wire.FORMERR),
    "removing MAILB": (raw(253, ANY), wire.FORMERR),
    "removing a set with a TTL": (raw(klass=ANY, ttl=1), wire.FORMERR),
    "removing a set with data": (raw(klass=ANY, rdata=b"\x0a\0\0\1"), wire.FORMERR),
    "removing a record with a TTL": (raw(klass=NONE, ttl=1, rdata=b"\x0a\0\0\1"), wire.FORMERR),
    "removing a record of any type": (raw(ANY, NONE), wire.FORMERR),
    "another class": (raw(klass=3, ttl=5, rdata=b"\x0a\0\0\1"), wire.FORMERR),
    "another NS": (raw(NS, ttl=1, rdata=b"\1a\0", owner=""), wire.REFUSED),
    "a later SOA": (raw(SOA, ttl=1, rdata=data("SOA", SOA_TEXT.replace(" 7 ", " 8 ")), owner=""), wire.REFUSED),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_undoes_all(case: str) -> None:
    record, rcode = REFUSED[case]
    draft = Draft(content())
    draft.add(Record(name("before"), A, IN, 5, b"\x0a\0\0\x08"))
    before = state(draft)
    assert decide(draft, Update(ZONE, (), (ADDED, record)), EVERYTHING, APEX) == rcode
    assert state(draft) == before


CONDITIONS: dict[str, tuple[Record, int]] = {
    "with a TTL": (raw(klass=ANY, ttl=1, owner="host"), wire.FORMERR),
    "with data": (raw(klass=ANY, rdata=b"\x0a\0\0\1", owner="host"), wire.FORMERR),
    "that is not, with data": (raw(klass=NONE, rdata=b"\x0a\0\0\1"), wire.FORMERR),
    "of another class": (raw(klass=3), wire.FORMERR),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_prerequisites_that_are_none(case: str) -> None:
    record, rcode = CONDITIONS[case]
    assert decide(Draft(content()), Update(ZONE, (record,), ()), EVERYTHING, APEX) == rcode


def test_one_of_several_name_servers_is_not_removed() -> None:
    apex = (APEX[0], RRset(NS, 1, (b"\1a\0", b"\1b\0")))
    removal = Update(ZONE, (), (raw(NS, NONE, rdata=b"\1a\0", owner=""),))
    assert decide(Draft(content()), removal, EVERYTHING, apex) == wire.REFUSED


@pytest.mark.parametrize(("suffix", "rcode"), [("host", wire.REFUSED), ("", wire.NOERROR)])
def test_one_name_out_of_scope_refuses_all(suffix: str, rcode: int) -> None:
    made = update(lambda m: m.add("host", 5, "A", "10.0.0.9"), lambda m: m.delete("deep.er"))
    got, draft = carried_out(made, Scope((name(suffix),)))
    assert got == rcode
    assert (state(draft) == state(Draft(content()))) == (rcode == wire.REFUSED)


def test_prerequisites_come_before_the_scope() -> None:
    made = update(lambda m: m.present("nobody"), lambda m: m.delete("host"))
    assert carried_out(made, Scope())[0] == wire.NXDOMAIN


def test_names_are_bounded() -> None:
    adds = [Record(name("new"), A, IN, 5, bytes((10, 0, 0, number))) for number in range(4)]
    for limits, rcode in ((Limits(records=4), 0), (Limits(records=3), 5), (Limits(size=16), 0), (Limits(size=15), 5)):
        draft = Draft(content())
        assert decide(draft, Update(ZONE, (), tuple(adds)), EVERYTHING, APEX, limits) == rcode
        assert bool(draft.nodes) == (rcode == 0)


def message(made: Any, flags: int = 0) -> wire.Message:
    read = parse_message(made.to_wire())
    return read._replace(flags=read.flags | flags)


READ_ERRORS = {
    "a query": (message(query(f"{ORIGIN}.", "SOA")), wire.NOTIMP),
    "an answer": (message(update(), wire.QR), wire.NOTIMP),
    "a zone that is not ours": (message(dns.update.UpdateMessage("cluster.local.")), wire.NOTAUTH),
    "a zone of another class": (message(dns.update.UpdateMessage(f"{ORIGIN}.", rdclass="CH")), wire.NOTAUTH),
    "no SOA in the zone section": (message(update())._replace(question=(ZONE, A, IN)), wire.FORMERR),
    "an address of three bytes": (message(update())._replace(authority=(raw(ttl=5, rdata=b"abc"),)), wire.FORMERR),
    "an address of no bytes": (message(update())._replace(authority=(raw(ttl=5),)), wire.FORMERR),
    "removing an address of no bytes": (message(update())._replace(authority=(raw(klass=NONE),)), wire.FORMERR),
    "too many changes": (message(update())._replace(authority=(ADDED,) * 4097), wire.REFUSED),
    "too many prerequisites": (message(update())._replace(answers=(raw(klass=ANY),) * 4097), wire.REFUSED),
}


@pytest.mark.parametrize("case", READ_ERRORS)
def test_what_is_no_update(case: str) -> None:
    made, rcode = READ_ERRORS[case]
    with pytest.raises(UpdateError) as raised:
        read_update(made, ZONE)
    assert raised.value.rcode == rcode


def test_names_are_read_in_lower_case() -> None:
    made = dns.update.UpdateMessage("Endpoints.Cluster.LOCAL.")
    made.add("_HTTP._tcp.Shop", 5, "SRV", "1 2 80 H1.Shop.endpoints.cluster.local.")
    made.add("H1.Shop", 5, "TXT", "Ready=True")
    read = read_update(parse_message(made.to_wire()), ZONE)
    assert read.changes == (
        Record(name("_http._tcp.shop"), wire.SRV, IN, 5, b"\0\1\0\2\0\x50" + name("h1.shop")),
        Record(name("h1.shop"), TXT, IN, 5, b"\x0aReady=True"),
    )


class Plain:
    """RFC 2136 section 3, word for word, over a list of records."""

    def __init__(self, rrs: list[tuple[bytes, int, int, bytes]]) -> None:
        self.rrs = rrs
        self.apex_changed = False

    def rrset(self, owner: bytes, kind: int) -> list[tuple[bytes, int, int, bytes]]:
        return [rr for rr in self.rrs if rr[0] == owner and kind in (ANY, rr[1])]

    def prerequisites(self, rrs: list[Record]) -> int:
        temp: dict[tuple[bytes, int], set[bytes]] = {}
        for rr in rrs:
            if rr.ttl != 0:
                return wire.FORMERR
            if not rr.name.endswith(ZONE):
                return wire.NOTZONE
            if rr.klass == ANY:
                if rr.data:
                    return wire.FORMERR
                if not self.rrset(rr.name, rr.type):
                    return wire.NXDOMAIN if rr.type == ANY else wire.NXRRSET
            elif rr.klass == NONE:
                if rr.data:
                    return wire.FORMERR
                if self.rrset(rr.name, rr.type):
                    return wire.YXDOMAIN if rr.type == ANY else wire.YXRRSET
            elif rr.klass == IN:
                temp.setdefault((rr.name, rr.type), set()).add(rr.data)
            else:
                return wire.FORMERR
        for (owner, kind), datas in temp.items():
            if {rr[3] for rr in self.rrs if rr[:2] == (owner, kind)} != datas:
                return wire.NXRRSET
        return wire.NOERROR

    def prescan(self, rrs: list[Record]) -> int:
        for rr in rrs:
            if not rr.name.endswith(ZONE):
                return wire.NOTZONE
            if rr.klass == IN:
                if rr.type in (ANY, wire.AXFR):
                    return wire.FORMERR
            elif rr.klass == ANY:
                if rr.ttl != 0 or rr.data or rr.type == wire.AXFR:
                    return wire.FORMERR
            elif rr.klass == NONE:
                if rr.ttl != 0 or rr.type in (ANY, wire.AXFR):
                    return wire.FORMERR
            else:
                return wire.FORMERR
        return wire.NOERROR

    def change(self, rr: Record) -> None:
        apex = rr.name == ZONE
        before = self.made()
        if rr.klass == IN:
            self.add(rr)
        elif rr.klass == ANY:
            keep = (SOA, NS) if apex else ()
            self.rrs = [
                each for each in self.rrs if each[0] != rr.name or each[1] in keep or rr.type not in (ANY, each[1])
            ]
        else:
            only = rr.type == NS and apex and len(self.rrset(ZONE, NS)) == 1
            if not (apex and rr.type == SOA) and not only:
                self.rrs = [each for each in self.rrs if (each[0], each[1], each[3]) != (rr.name, rr.type, rr.data)]
        self.apex_changed |= before != self.made()

    def made(self) -> set[tuple[int, bytes]]:
        return {(rr[1], rr[3]) for rr in self.rrs if rr[0] == ZONE and rr[1] in (SOA, NS)}

    def add(self, rr: Record) -> None:
        if rr.type == CNAME:
            if any(each[1] != CNAME for each in self.rrset(rr.name, ANY)):
                return
        elif self.rrset(rr.name, CNAME):
            return
        if rr.type == SOA:
            there = self.rrset(rr.name, SOA)
            if not there or there[0][3][-20:-16] >= rr.data[-20:-16]:
                return
        others = [each for each in self.rrs if each[:2] != (rr.name, rr.type)]
        kept = (
            [] if rr.type in (CNAME, SOA) else [each[3] for each in self.rrset(rr.name, rr.type) if each[3] != rr.data]
        )
        self.rrs = others + [(rr.name, rr.type, rr.ttl, each) for each in (*kept, rr.data)]


OWNERS = st.sampled_from([ZONE, name("a"), name("a"), name("b.a"), name("c"), b"\1a\0"])
DATA = {
    A: [b"\x0a\0\0\1", b"\x0a\0\0\2"], TXT: [b"\1x", b"\1y"], CNAME: [b"\1x\0", b"\1y\0"],
    NS: [APEX[1].datas[0], b"\1x\0"],
    SOA: [data("SOA", SOA_TEXT.replace(" 7 ", f" {serial} ")) for serial in (6, 7, 8)],
    ANY: [b""], wire.AXFR: [b""],
}  # fmt: skip
KINDS = st.sampled_from([A, A, A, TXT, CNAME, CNAME, NS, SOA, ANY, ANY, wire.AXFR])


@st.composite
def some_records(draw: st.DrawFn, classes: list[int], ttls: list[int]) -> Record:
    """Mostly such as mean something."""
    kind, klass = draw(KINDS), draw(st.sampled_from(classes))
    is_odd = draw(st.integers(0, 15)) == 0
    rdata = draw(st.sampled_from(DATA[kind])) if (klass in (IN, NONE)) != is_odd else b""
    ttl = draw(st.sampled_from(ttls if klass == IN else [0] * 15 + [5]))
    return Record(draw(OWNERS), kind, klass, ttl, rdata)


EXISTING = st.lists(
    st.sampled_from(
        [Record(name(owner), kind, IN, 5, each) for owner in ("a", "b.a") for kind in (A, TXT) for each in DATA[kind]]
    )
)


@given(
    EXISTING,
    st.lists(some_records([IN, ANY, NONE], [0, 0, 0, 0, 5]), max_size=2),
    st.lists(some_records([IN, IN, ANY, NONE, 3], [5, 5, 6]), max_size=6),
)
def test_as_a_plain_reading_of_the_rfc_has_it(
    existing: list[Record], conditions: list[Record], changes: list[Record]
) -> None:
    draft = Draft(content_of(ZONE, 7, existing))
    before = {(rr.name, rr.type, rr.ttl, rr.data) for rr in draft.content.records()}
    made = [(ZONE, rrset.type, rrset.ttl, each) for rrset in APEX for each in rrset.datas]
    plain = Plain([*before, *made])
    expected = plain.prerequisites(conditions) or plain.prescan(changes)
    if not expected:
        for change in changes:
            plain.change(change)
        expected = wire.REFUSED if plain.apex_changed else wire.NOERROR
    assert decide(draft, Update(ZONE, tuple(conditions), tuple(changes)), EVERYTHING, APEX) == expected
    after = {(owner, *each) for owner in {*draft.content.nodes, *draft.nodes} for each in flat(draft.get(owner))}
    there = {rr for rr in plain.rrs if rr[0] != ZONE or rr[1] not in (SOA, NS)}
    assert after == (there if expected == wire.NOERROR else before)


def flat(node: Node) -> list[tuple[int, int, bytes]]:
    return [(rrset.type, rrset.ttl, each) for rrset in node for each in rrset.datas]


WHOLE = update(
    lambda m: m.present("host"),
    lambda m: m.absent("new", "A"),
    lambda m: m.add("new", 5, "SRV", "0 1 80 host"),
    lambda m: m.add("host", 5, "TXT", "ready=true"),
    lambda m: m.delete("host", "A", "10.0.0.1"),
    lambda m: m.delete("deep.er"),
).to_wire()


@given(st.binary(max_size=30), st.integers(0, len(WHOLE)), st.booleans())
def test_no_bytes_do_any_harm(noise: bytes, at: int, cut: bool) -> None:
    """Whatever is done to an update, it is no message, or it gets an rcode, and what it changes is data of its type."""
    draft = Draft(content())
    try:
        read = read_update(parse_message(WHOLE[:at] + noise + (b"" if cut else WHOLE[at + len(noise) :])), ZONE)
    except (Malformed, UpdateError):
        return
    rcode = decide(draft, read, EVERYTHING, APEX)
    assert rcode in wire.RCODE_NAMES
    assert not draft.nodes or rcode == wire.NOERROR
    for owner, node in draft.nodes.items():
        assert draft.content.within(owner)
        for kind, _, each in flat(node):
            assert dns.rdata.from_wire("IN", kind, each, 0, len(each)).to_digestable() == each
