"""Transfers given: what dnspython reads in them, and how large their messages are."""

from __future__ import annotations

from collections.abc import Sequence

import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest

from discovery.registry.content import Change, Content, content_of
from discovery.registry.messages import rendered
from discovery.registry.store import Past
from discovery.registry.transfer import Apex, History, incremental, messages, whole
from discovery.registry.wire import IN, SRV, TXT, A, Record, from_text, to_wire

DOMAIN = "endpoints.cluster.local"
ORIGIN = to_wire(from_text(DOMAIN))
APEX = Apex(ORIGIN, to_wire(from_text("ns.dns.cluster.local")), to_wire(from_text("hostmaster.cluster.local")))


def record(owner: str, data: bytes = b"\1\2\3\4", kind: int = A) -> Record:
    return Record(to_wire(from_text(f"{owner}.{DOMAIN}")), kind, IN, 5, data)


RECORDS = [
    record("h1.shop.default"),
    record("h2.shop.default", b"\5\6\7\x08"),
    record("h1.shop.default", b"\x0aready=true", TXT),
    record("_http._tcp.shop.default", b"\0\0\0\1\0\x50" + to_wire(from_text(f"h1.shop.default.{DOMAIN}")), SRV),
]
AXFR = ORIGIN + (252).to_bytes(2, "big") + b"\0\1"
IXFR = ORIGIN + (251).to_bytes(2, "big") + b"\0\1"


def taken(zone: dns.zone.Zone, wires: Sequence[bytes], serial: int | None, udp: bool = False) -> None:
    """Have dnspython's secondary take these messages."""
    kind = dns.rdatatype.AXFR if serial is None else dns.rdatatype.IXFR
    with dns.xfr.Inbound(zone, kind, serial, udp) as inbound:
        for wire in wires:
            done = inbound.process_message(dns.message.from_wire(wire, xfr=True, origin=zone.origin))
    assert done


def lines(zone: dns.zone.Zone) -> set[str]:
    """Names, TTLs and data, but for SOA and NS."""
    found = zone.iterate_rdatas()
    skipped = {dns.rdatatype.SOA, dns.rdatatype.NS}
    return {f"{name} {ttl} {rdata}" for name, ttl, rdata in found if rdata.rdtype not in skipped}


def secondary_of(content: Content) -> dns.zone.Zone:
    zone = dns.zone.Zone(dns.name.from_text(DOMAIN))
    taken(zone, list(messages(b"\0\1", AXFR, whole(APEX, content.serial, content.nodes))), None)
    return zone


def test_a_whole_zone() -> None:
    zone = secondary_of(content_of(ORIGIN, 7, RECORDS))
    assert lines(zone) == {
        "h1.shop.default 5 1.2.3.4",
        "h2.shop.default 5 5.6.7.8",
        'h1.shop.default 5 "ready=true"',
        "_http._tcp.shop.default 5 0 1 80 h1.shop.default",
    }
    soa = zone.get_soa()
    assert (soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum) == (7, 1, 1, 7 * 24 * 3600, 1)
    assert [ns.target.to_text() for ns in zone.get_rdataset("@", "NS") or ()] == ["ns.dns.cluster.local."]


def test_an_empty_zone() -> None:
    assert lines(secondary_of(Content(ORIGIN, 1))) == set()


def test_an_empty_name_is_a_pointer_alone() -> None:
    assert rendered(APEX.ns(), ORIGIN).startswith(b"\xc0\x0c")


@pytest.mark.parametrize("limit", [200, 600, 65535])
def test_messages_have_a_limit(limit: int) -> None:
    many = content_of(ORIGIN, 1, [record(f"h{number}.shop.default") for number in range(100)])
    wires = list(messages(b"\0\1", AXFR, whole(APEX, 1, many.nodes), limit))
    assert all(len(wire) <= limit for wire in wires)
    assert (len(wires) > 1) is (limit < 65535)
    zone = dns.zone.Zone(dns.name.from_text(DOMAIN))
    taken(zone, wires, None)
    assert len(lines(zone)) == 100


CHANGES = [
    Past(7, 8, Change((), (record("h3.shop.default"),))),
    Past(8, 9, Change((RECORDS[0], RECORDS[3]), (record("h1.shop.default", b"\x09\x09\x09\x09"),))),
    Past(9, 12, Change((record("h3.shop.default"),), ())),
]


@pytest.mark.parametrize("since", [7, 8, 9, 12])
def test_differences(since: int) -> None:
    content, history, zones = content_of(ORIGIN, 7, RECORDS), History(APEX), {}
    for past in CHANGES:
        zones[past.before] = secondary_of(content)
        content.apply(past.change, past.serial)
        history.add(past)
    zones[12] = secondary_of(content)
    steps = history.since(since) or ()
    taken(zones[since], list(messages(b"\0\1", IXFR, incremental(APEX, 12, steps))), since, udp=True)
    assert lines(zones[since]) == lines(secondary_of(content))
    assert zones[since].get_soa().serial == 12


def test_what_is_not_known() -> None:
    history = History(APEX)
    assert history.since(7) is None
    history.add(CHANGES[0])
    assert history.since(6) is None
    assert [step.serial for step in history.since(7) or ()] == [8]
    history.add(CHANGES[2])  # what lies between was not seen
    assert history.since(7) is None
    assert [step.serial for step in history.since(9) or ()] == [12]


def test_what_is_kept_is_bounded() -> None:
    history = History(APEX)
    history.add(CHANGES[0])
    (step,) = history.since(7) or ()
    history = History(APEX, 3 * step.size)
    for serial in range(8, 20):
        history.add(Past(serial, serial + 1, CHANGES[0].change))
    assert history.since(16) is None
    assert len(history.since(17) or ()) == 3
