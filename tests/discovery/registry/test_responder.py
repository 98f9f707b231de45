from __future__ import annotations

from random import Random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.meta import Named
from discovery.endpoint import Endpoint
from discovery.registry import wire
from discovery.registry.render import Answer
from discovery.registry.responder import KEPT_BYTES, Responder
from discovery.registry.serials import Serials
from discovery.registry.wire import Query
from discovery.registry.zone import Zone
from tests.discovery.registry.making import (
    ALL,
    EMPTY,
    EXTERNAL,
    SHOP,
    agree,
    ask,
    existing,
    query,
    rcode,
    responder,
    values,
    view,
    written,
)

Z = "cluster.local"
TABLE: dict[str, tuple[str, str, str, list[str]]] = {
    "address": (f"shop.default.svc.{Z}", "A", "NOERROR", ["A 127.96.1.1"]),
    "in capitals": (f"SHOP.default.SVC.{Z}", "A", "NOERROR", ["A 127.96.1.1"]),
    "port": (f"_http._tcp.shop.default.svc.{Z}", "SRV", "NOERROR", [f"SRV 0 100 80 shop.default.svc.{Z}."]),
    "port of UDP": (f"_dns._udp.shop.default.svc.{Z}", "SRV", "NOERROR", [f"SRV 0 100 53 shop.default.svc.{Z}."]),
    "the other family": (f"shop.default.svc.{Z}", "AAAA", "NOERROR", []),
    "no such type": (f"shop.default.svc.{Z}", "MX", "NOERROR", []),
    "between": (f"_tcp.shop.default.svc.{Z}", "A", "NOERROR", []),
    "no such port": (f"_ftp._tcp.shop.default.svc.{Z}", "SRV", "NXDOMAIN", []),
    "no such Service": (f"cart.default.svc.{Z}", "A", "NXDOMAIN", []),
    "no such namespace": (f"shop.other.svc.{Z}", "A", "NXDOMAIN", []),
    "headless": (f"db.data.svc.{Z}", "A", "NOERROR", ["A 127.97.0.5", "A 127.97.0.6"]),
    "headless, by name": (f"db-0.db.data.svc.{Z}", "A", "NOERROR", ["A 127.97.0.5"]),
    "headless, not ready": (f"127-97-0-7.db.data.svc.{Z}", "A", "NXDOMAIN", []),
    "headless, ports": (
        f"_pg._tcp.db.data.svc.{Z}", "SRV", "NOERROR",
        [f"SRV 0 1 15432 127-97-0-6.db.data.svc.{Z}.", f"SRV 0 1 15432 db-0.db.data.svc.{Z}."],
    ),
    "headless without endpoints": (f"empty.default.svc.{Z}", "A", "NXDOMAIN", []),
    "another name": (f"elsewhere.default.svc.{Z}", "A", "NOERROR", ["CNAME www.example.com."]),
    "another name, whatever the type": (f"elsewhere.default.svc.{Z}", "MX", "NOERROR", ["CNAME www.example.com."]),
    "another name, itself": (f"elsewhere.default.svc.{Z}", "CNAME", "NOERROR", ["CNAME www.example.com."]),
    "another name of ours": (
        f"alias.default.svc.{Z}", "A", "NOERROR", ["A 127.97.0.5", "A 127.97.0.6", f"CNAME db.data.svc.{Z}."],
    ),
    "another name of ours without that type": (
        f"alias.default.svc.{Z}", "AAAA", "NOERROR", [f"CNAME db.data.svc.{Z}."],
    ),
    "pod": (f"127-97-0-5.data.pod.{Z}", "A", "NOERROR", ["A 127.97.0.5"]),
    "address to name": ("1.1.96.127.in-addr.arpa", "PTR", "NOERROR", [f"PTR shop.default.svc.{Z}."]),
    "address to name of an endpoint": ("5.0.97.127.in-addr.arpa", "PTR", "NOERROR", [f"PTR db-0.db.data.svc.{Z}."]),
    "address of nobody": ("9.9.96.127.in-addr.arpa", "PTR", "NXDOMAIN", []),
    "version": (f"dns-version.{Z}", "TXT", "NOERROR", ['TXT "1.1.0"']),
    "servers": (Z, "NS", "NOERROR", [f"NS ns.dns.{Z}."]),
    "authority": (Z, "SOA", "NOERROR", [f"SOA ns.dns.{Z}. hostmaster.{Z}. 1 1 1 604800 1"]),
    "anything": (f"shop.default.svc.{Z}", "ANY", "NOERROR", ["A 127.96.1.1"]),
    "not ours": ("www.example.com", "A", "REFUSED", []),
    "a transfer": (Z, "AXFR", "REFUSED", []),
}  # fmt: skip


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("edns", [-1, 0], ids=["plain", "edns"])
@pytest.mark.parametrize("case", TABLE)
def test_answers(case: str, edns: int, tcp: bool) -> None:
    name, kind, expected, records = TABLE[case]
    made = responder()
    for _ in range(3):  # made, and then taken from what is kept
        answer = ask(made, name, kind, tcp, use_edns=edns)
        assert (rcode(answer), values(answer)) == (expected, sorted(records))
        assert all(rrset.ttl == 5 for rrset in answer.answer)
        assert answer.edns == edns
        denied = expected != "REFUSED" and not [text for text in records if not text.startswith("CNAME")]
        if denied and not (records and "example.com" in records[0]):
            [soa] = answer.authority
            assert (soa.ttl, soa[0].minimum) == (1, 1)
            assert Z in soa.name.to_text() or name.endswith(soa.name.to_text()[:-1])
        else:
            assert not answer.authority
        assert bool(answer.flags & dns.flags.AA) == (expected != "REFUSED")
        assert not answer.flags & dns.flags.RA


def test_targets_come_with_their_addresses() -> None:
    answer = ask(responder(), f"_pg._tcp.db.data.svc.{Z}", "SRV")
    assert {rrset.name.to_text(): rrset[0].address for rrset in answer.additional} == {
        f"db-0.db.data.svc.{Z}.": "127.97.0.5",
        f"127-97-0-6.db.data.svc.{Z}.": "127.97.0.6",
    }


def test_nothing_is_known_before_the_first_view() -> None:
    made = Responder(Random(1))
    answer = ask(made, f"shop.default.svc.{Z}", use_edns=0)
    assert (rcode(answer), values(answer)) == ("SERVFAIL", [])
    assert [option.to_text() for option in answer.options] == [
        "EDE 14 (Not Ready): the cluster's names are not known yet"
    ]
    made.put_in_force(view(SHOP))
    assert values(ask(made, f"shop.default.svc.{Z}", use_edns=0)) == ["A 127.96.1.1"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (f"empty.default.svc.{Z}", ["EDE 49152: Service default/empty: not ready: it has no endpoints"]),
        (f"cart.default.svc.{Z}", []),
        ("www.example.com", ["EDE 20 (Not Authoritative)"]),
    ],
)
def test_why_is_told_only_to_who_sent_opt(name: str, told: list[str]) -> None:
    made = responder()
    assert [option.to_text() for option in ask(made, name, use_edns=0).options] == told
    assert ask(made, name).options == ()


def test_scaled_to_zero_is_said_while_it_is_so() -> None:
    config_set, zone, made = written(EMPTY), Zone(Serials(0)), Responder(Random(1))
    asleep: set[Named] = set()
    zone.asleep = asleep.__contains__
    made.put_in_force(zone.update(config_set, existing(config_set).snapshot))
    said = []
    for now in (set(), {Named("default", "empty")}, set()):
        asleep.clear()
        asleep |= now
        for name in ("empty", "x.empty"):
            (option,) = ask(made, f"{name}.default.svc.{Z}", use_edns=0).options
            said.append(option.to_text().partition(": ")[2])
    idle = "Service default/empty: not ready: it has no endpoints"
    assert said == [idle] * 2 + ["Service default/empty: scaled to zero"] * 2 + [idle] * 2


def test_a_chain_that_goes_round_ends() -> None:
    text = EXTERNAL.replace("www.example.com", f"alias.default.svc.{Z}").replace(
        f"db.data.svc.{Z}", f"elsewhere.default.svc.{Z}"
    )
    answer = ask(responder(text), f"alias.default.svc.{Z}")
    assert rcode(answer) == "NOERROR"
    assert set(values(answer)) == {f"CNAME alias.default.svc.{Z}.", f"CNAME elsewhere.default.svc.{Z}."}


def test_records_take_turns() -> None:
    made = responder()
    message = query(f"db.data.svc.{Z}").to_wire()
    firsts = []
    for _ in range(6):
        answer = made.respond(message)
        assert isinstance(answer, bytes)
        firsts.append(agree(answer).answer[0][0].to_text())
    assert firsts[:2] != firsts[1:3]
    assert sorted(firsts) == ["127.97.0.5"] * 3 + ["127.97.0.6"] * 3


def test_a_kept_answer_has_the_id_and_the_case_of_each_query() -> None:
    made = responder()
    for name in (f"shop.default.svc.{Z}", f"Shop.default.svc.{Z}", f"shop.default.svc.{Z}"):
        assert ask(made, name).question[0].name.to_text() == f"{name}."
    assert len(made.finished) == 1


def test_a_new_view_forgets_what_was_kept() -> None:
    made = responder()
    assert values(ask(made, f"shop.default.svc.{Z}")) == ["A 127.96.1.1"]
    made.put_in_force(view(ALL.replace("127.96.1.1", "127.96.1.2")))
    assert values(ask(made, f"shop.default.svc.{Z}")) == ["A 127.96.1.2"]


def test_only_what_moved_is_forgotten() -> None:
    made = Responder(Random(1))
    config_set = written(ALL)
    catalog, zone = existing(config_set), Zone(Serials(0))
    made.put_in_force(zone.update(config_set, catalog.snapshot))
    for name in (f"shop.default.svc.{Z}", f"db.data.svc.{Z}", f"absent.default.svc.{Z}"):
        ask(made, name)
    kept = dict(made.finished)
    catalog.put_endpoints("other", {Named("default", "empty"): {"pg": (Endpoint("10.0.0.9", 5432),)}})
    newer = zone.update(config_set, catalog.snapshot)
    made.put_in_force(newer, newer.moved)
    assert made.finished == kept
    absent = ask(made, f"absent.default.svc.{Z}")
    assert serial_of(absent) == newer.serials.of(newer.apex) == 2
    assert values(ask(made, f"empty.default.svc.{Z}")) == ["A 10.0.0.9"]


ASKED = [
    (f"{prefix}{name}.default.svc.{Z}", kind)
    for name in ("a", "b", "alias")
    for prefix, kind in (("", "A"), ("", "AAAA"), ("_http._tcp.", "SRV"), ("_tcp.", "A"), ("x.", "A"), ("h.", "A"))
] + [
    (name, kind)
    for name in (f"10-0-0-1.default.pod.{Z}", f"fd00--1.default.pod.{Z}", f"fd00-0-0-0-0-0-0-1.default.pod.{Z}")
    for kind in ("A", "AAAA")
] + [("1.0.0.10.in-addr.arpa", "PTR"), (Z, "SOA"), (f"default.svc.{Z}", "A")]  # fmt: skip
ENDPOINTS = st.lists(
    st.builds(
        Endpoint, st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"]), st.just(80), st.booleans(),
        hostname=st.sampled_from(["", "h"]),
    ),
    unique_by=lambda each: each.address, max_size=3,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from("ab"), ENDPOINTS, st.sets(st.integers(0, len(ASKED) - 1))), max_size=6))
@example([("a", [Endpoint("10.0.0.1", 80, True)], set()), ("a", [], {4})])
def test_what_is_kept_is_what_would_be_said_now(changes: list[tuple[str, list[Endpoint], set[int]]]) -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {%s, ports: [{name: http, port: 80}]}\n"
    alias = "apiVersion: v1\nkind: Service\nmetadata: {name: alias}\nspec: {type: ExternalName, externalName: %s}\n"
    parts = (text % ("a", "clusterIP: None"), text % ("b", "clusterIP: 127.96.1.1"), alias % f"h.a.default.svc.{Z}")
    config_set = written("---\n".join(parts))
    catalog, zone, made = existing(config_set), Zone(Serials(0)), Responder(Random(1))
    made.put_in_force(zone.update(config_set, catalog.snapshot))
    for name, endpoints, asked in changes:
        for each in asked:
            ask(made, *ASKED[each], use_edns=0)
        catalog.change_endpoints("test", {Named("default", name): {"http": tuple(endpoints)}})
        newer = zone.update(config_set, catalog.snapshot)
        made.put_in_force(newer, newer.moved)
        fresh = Responder(Random(1))
        fresh.put_in_force(newer)
        for each in asked:
            now, right = (ask(responder, *ASKED[each], use_edns=0) for responder in (made, fresh))
            for message in (now, right):
                message.id = 0
            assert now == right, ASKED[each]
            assert now.extended_errors() == right.extended_errors()


def serial_of(message: dns.message.Message) -> int:
    [soa] = (rrset[0] for rrset in message.authority)
    return int(soa.serial)


def test_cookies_and_random_case_are_not_kept() -> None:
    made = responder()
    ask(made, f"shop.default.svc.{Z}", use_edns=0, options=[dns.edns.CookieOption(b"12345678", b"")])
    ask(made, f"sHoP.default.svc.{Z}")
    assert not made.finished


def test_what_is_kept_is_bounded_and_denials_crowd_nobody_out() -> None:
    made = responder()
    ask(made, f"shop.default.svc.{Z}")
    for number in range(KEPT_BYTES // 400):
        made.respond(query(f"x{number}.default.svc.{Z}").to_wire())
    assert len(made.finished) == 1


def test_versions_of_edns_that_are_not_there() -> None:
    answer = ask(responder(), f"shop.default.svc.{Z}", use_edns=1)
    assert (rcode(answer), answer.edns) == ("BADVERS", 0)


@pytest.mark.parametrize("klass", ["CH", "ANY"])
def test_other_classes_are_refused(klass: str) -> None:
    assert rcode(ask(responder(), "version.bind", "TXT", rdclass=klass)) == "REFUSED"


def test_what_is_no_query_gets_an_error_or_nothing_and_is_counted() -> None:
    made = responder()
    message = query(f"shop.default.svc.{Z}").to_wire()
    assert made.respond(b"") is None
    assert made.respond(message[:2] + b"\x81" + message[3:]) is None
    error = made.respond(message + b"x")
    assert isinstance(error, bytes)
    assert dns.message.from_wire(error).rcode() == wire.FORMERR
    ask(made, f"shop.default.svc.{Z}")
    ask(made, f"shop.default.svc.{Z}")
    ask(made, f"shop.default.svc.{Z}", "TYPE4711")
    assert {key: count[0] for key, count in made.counts.items()} == {
        ("other", "FORMERR"): 1, ("A", "NOERROR"): 2, ("other", "NOERROR"): 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "ours"),
    [
        (f"shop.default.svc.{Z}", {}, True),
        (f"cart.default.svc.{Z}", {}, True),
        ("www.example.com", {}, False),
        (f"elsewhere.default.svc.{Z}", {}, False),
        (f"elsewhere.default.svc.{Z}", {"flags": 0}, True),
        (f"alias.default.svc.{Z}", {}, True),
    ],
)
def test_with_recursion_the_rest_is_handed_back(name: str, options: dict[str, Any], ours: bool) -> None:
    outcome = responder(recursion=True).respond(query(name, **options).to_wire())
    assert isinstance(outcome, bytes if ours else Query)
    if isinstance(outcome, bytes):
        assert agree(outcome).flags & dns.flags.RA


def test_recursion_can_be_allowed_later() -> None:
    made = responder()
    assert rcode(ask(made, "www.example.com")) == "REFUSED"
    made.allow_recursion(True)
    assert isinstance(made.respond(query("www.example.com").to_wire()), Query)


@given(st.binary(max_size=50), st.integers(0, 60))
def test_no_bytes_do_any_harm(noise: bytes, at: int) -> None:
    whole = query(f"shop.default.svc.{Z}", "SRV", use_edns=0).to_wire()
    message = whole[:at] + noise + whole[at + len(noise) :]
    outcome = MADE.respond(message, tcp=bool(at % 2))
    if isinstance(outcome, bytes) and len(outcome) > 12:
        agree(outcome)
    assert values(ask(MADE, f"shop.default.svc.{Z}")) == ["A 127.96.1.1"]


MADE = responder()


def test_finishing_an_answer_from_elsewhere_counts_it() -> None:
    question = wire.parse_query(query("www.example.com").to_wire())
    made = responder(recursion=True)
    finished = made.finish(question, Answer(wire.NXDOMAIN, authoritative=False), tcp=False)
    finished.tally[0] += 1
    assert made.counts["A", "NXDOMAIN"] == [1]
