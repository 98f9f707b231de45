"""Names of a written zone, and several who know names."""

from __future__ import annotations

from random import Random

import pytest

from discovery.registry.content import Content, content_of
from discovery.registry.found import Joined, Written
from discovery.registry.responder import Responder
from discovery.registry.wire import NS, SOA, A, from_text
from tests.discovery.registry.making import ask, rcode, values, view
from tests.discovery.registry.test_transfer import APEX, DOMAIN, ORIGIN, RECORDS, record


def content() -> Content:
    return content_of(ORIGIN, 7, RECORDS)


ASKED = {
    "a name": (f"h1.shop.default.{DOMAIN}", [A, 16]),
    "one above others": (f"shop.default.{DOMAIN}", []),
    "the zone": (DOMAIN, [SOA, NS]),
    "none": (f"h9.shop.default.{DOMAIN}", None),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_is_found(case: str) -> None:
    name, kinds = ASKED[case]
    found = Written(APEX, content()).find(from_text(name))
    assert found is not None
    assert (None if found.node is None else [rrset.type for rrset in found.node]) == kinds
    assert (found.apex, found.soa) == (ORIGIN, APEX.soa(7).data)


@pytest.mark.parametrize("name", ["cluster.local", "x" * 64 + "." + DOMAIN, "www.example"])
def test_what_is_not_its_own(name: str) -> None:
    assert Written(APEX, content()).find(from_text(name)) is None


def test_the_first_one_that_knows_decides() -> None:
    made = Responder(Random(1))
    made.put_in_force(Joined(Written(APEX, content()), view()))
    assert values(ask(made, f"h1.shop.default.{DOMAIN}")) == ["A 1.2.3.4"]
    assert values(ask(made, "shop.default.svc.cluster.local")) == ["A 127.96.1.1"]
    assert rcode(ask(made, "www.example")) == "REFUSED"
    denied = ask(made, f"h9.shop.default.{DOMAIN}")
    assert (rcode(denied), denied.authority[0][0].serial) == ("NXDOMAIN", 7)


def test_what_is_not_known_yet_is_not_denied() -> None:
    made = Responder(Random(1))
    made.put_in_force(Written(APEX, content()), is_partial=True)
    assert values(ask(made, f"h1.shop.default.{DOMAIN}")) == ["A 1.2.3.4"]
    early = ask(made, "shop.default.svc.cluster.local", use_edns=0)
    assert rcode(early) == "SERVFAIL"
    assert [option.code for option in early.options] == [14]
    made.put_in_force(Joined(Written(APEX, content()), view()), moved=())
    assert values(ask(made, "shop.default.svc.cluster.local")) == ["A 127.96.1.1"]


def test_srv_records_bring_their_targets() -> None:
    made = Responder(Random(1))
    made.put_in_force(Written(APEX, content()))
    answer = ask(made, f"_http._tcp.shop.default.{DOMAIN}", "SRV")
    assert [str(rrset[0]) for rrset in answer.additional] == ["1.2.3.4"]


@pytest.mark.parametrize("tcp", [False, True])
def test_answers_follow_what_changes(tcp: bool) -> None:
    zone = content()
    made = Responder(Random(1))
    made.put_in_force(Written(APEX, zone))
    asked = {f"h1.shop.default.{DOMAIN}": "A", f"h2.shop.default.{DOMAIN}": "A", f"new.{DOMAIN}": "A"}
    before = {name: ask(made, name, kind, tcp) for name, kind in asked.items()}
    service = ask(made, f"_http._tcp.shop.default.{DOMAIN}", "SRV", tcp)
    zone.put(RECORDS[0].name, ())
    zone.put(record("new").name, zone.nodes[RECORDS[1].name])
    zone.serial = 8
    assert values(ask(made, f"h1.shop.default.{DOMAIN}", "A", tcp)) == values(before[f"h1.shop.default.{DOMAIN}"])
    made.changed([RECORDS[0].name, record("new").name])
    gone = ask(made, f"h1.shop.default.{DOMAIN}", "A", tcp)
    assert (rcode(gone), gone.authority[0][0].serial) == ("NXDOMAIN", 8)
    assert values(ask(made, f"new.{DOMAIN}", "A", tcp)) == ["A 5.6.7.8"]
    assert len(service.additional) == 1
    assert ask(made, f"_http._tcp.shop.default.{DOMAIN}", "SRV", tcp).additional == []
    assert len(made.finished) == (0 if tcp else 3)
