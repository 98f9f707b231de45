"""Endpoints to records of the written zone, and back to the same endpoints."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.endpoint import Endpoint, WorkloadRef
from discovery.registry import rdata
from discovery.registry.content import Content, RRset, content_of
from discovery.registry.registrations import (
    Registrations,
    origin,
    read_endpoint,
    read_text,
    registered,
    service_of,
)
from discovery.registry.wire import IN, SRV, TXT, A, Record, from_text, to_wire
from tests.texts import texts

ORIGIN = origin("cluster.local")
SHOP = Named("default", "shop")
PORTS = (ServicePort(port=80, name="http"), ServicePort(port=53, protocol="UDP"))
SERVICE = Service(metadata=ObjectMeta(name="shop"), spec=ServiceSpec(ports=PORTS))
FULL = Endpoint(
    "10.0.0.1", 8080, ready=False, serving=True, terminating=True, replica_id="shop-7f9c4-x2x8q",
    workload=WorkloadRef("Deployment", "default", "shop"), node="n1", zone="z1", hostname="web-0", weight=3, tier=1,
)  # fmt: skip


def name(text: str) -> bytes:
    return to_wire(from_text(f"{text}.endpoints.cluster.local"))


def read(records: Iterable[Record], service: Service = SERVICE) -> dict[str, tuple[Endpoint, ...]]:
    return dict(Registrations(content_of(ORIGIN, 1, records)).endpoints(SHOP, service))


def test_the_records_of_an_endpoint() -> None:
    made = {(record.name, record.type): record.data for record in registered(SHOP, SERVICE, {"http": (FULL,)}, ORIGIN)}
    (srv,) = (data for (_, kind), data in made.items() if kind == SRV)
    assert name("_http._tcp.shop.default") in {owner for owner, _ in made}
    target = srv[6:]
    assert srv[:6] == b"\0\1\0\3\x1f\x90"
    assert target.startswith(b"\x1bshop-7f9c4-x2x8q-")
    assert made[target, A] == bytes([10, 0, 0, 1])
    assert read_text(made[target, 16]) == {
        "ready": "0", "serving": "1", "terminating": "1", "node": "n1", "zone": "z1", "id": "shop-7f9c4-x2x8q",
        "hostname": "web-0", "workload": "Deployment/default/shop",
    }  # fmt: skip


def test_whether_probes_vouch_for_it_is_said() -> None:
    bare = replace(FULL, vouched=False)
    assert read(registered(SHOP, SERVICE, {"http": (bare,)}, ORIGIN))["http"] == (bare,)


def test_what_dns_has_no_name_for_is_refused() -> None:
    zone = origin(".".join(["d" * 60] * 3))
    with pytest.raises(ValueError, match="longer than the 255 bytes"):
        list(registered(Named("n" * 63, "s" * 60), SERVICE, {"http": (FULL,)}, zone))


def test_a_port_without_a_name_goes_by_its_number() -> None:
    owners = {record.name for record in registered(SHOP, SERVICE, {"53": (FULL,)}, ORIGIN) if record.type == SRV}
    assert owners == {name("_53._udp.shop.default")}


def test_all_ports_of_a_replica_share_a_host() -> None:
    records = list(registered(SHOP, SERVICE, {"http": (FULL,), "53": (replace(FULL, port=5353),)}, ORIGIN))
    assert sorted(record.type for record in records) == [A, 16, SRV, SRV]


TEXTS = texts(30, "abcXYZ019-.")
ENDPOINTS = st.builds(
    Endpoint, st.ip_addresses().map(str), st.integers(1, 65535), st.just(True), st.just(True), st.just(False),
    TEXTS, st.none() | st.just(WorkloadRef("Deployment", "default", "shop")), TEXTS, TEXTS, TEXTS,
    st.integers(1, 65535), st.integers(0, 65535),
)  # fmt: skip
CONDITIONS = st.sampled_from([(True, True, False), (False, True, False), (False, False, False), (False, True, True)])


@given(st.lists(st.tuples(ENDPOINTS, CONDITIONS), unique_by=lambda pair: pair[0].address))
def test_what_is_registered_is_read(pairs: list[tuple[Endpoint, tuple[bool, bool, bool]]]) -> None:
    there = tuple(replace(each, ready=r, serving=s, terminating=t) for each, (r, s, t) in pairs)
    found = read(registered(SHOP, SERVICE, {"http": there}, ORIGIN))
    assert found == ({"http": there, "53": ()} if there else {})


def test_what_is_written_by_hand() -> None:
    host = Record(name("a.shop.default"), A, IN, 60, bytes([192, 0, 2, 1]))
    srv = Record(
        name("_http._tcp.shop.default"), SRV, IN, 60, rdata.srv("0 0 8080 A.shop.default.endpoints.cluster.local")
    )
    assert read([host, srv])["http"] == (Endpoint("192.0.2.1", 8080, weight=1),)


NOTHING = {
    "a target without an address": rdata.srv("0 1 80 b.shop.default.endpoints.cluster.local"),
    "a target elsewhere": rdata.srv("0 1 80 www.example"),
    "data that is too short": b"\0\0\0",
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_makes_no_endpoint(case: str) -> None:
    assert read([Record(name("_http._tcp.shop.default"), SRV, IN, 5, NOTHING[case])]) == {}


def test_an_address_of_the_wrong_length_makes_none() -> None:
    host = Record(name("a.shop.default"), A, IN, 60, b"\1\2")
    srv = Record(
        name("_http._tcp.shop.default"), SRV, IN, 60, rdata.srv("0 0 80 a.shop.default.endpoints.cluster.local")
    )
    assert read([host, srv]) == {}


def test_what_stays_is_the_same_object() -> None:
    other = replace(FULL, address="10.0.0.2", replica_id="other")
    content = content_of(ORIGIN, 1, registered(SHOP, SERVICE, {"http": (FULL, other)}, ORIGIN))
    registrations = Registrations(content)
    (first, second) = registrations.endpoints(SHOP, SERVICE)["http"]
    changed = replace(FULL, ready=True, terminating=False)
    later = content_of(ORIGIN, 2, registered(SHOP, SERVICE, {"http": (changed,)}, ORIGIN))
    content.adopt({owner: node for owner, node in later.nodes.items() if not owner.startswith(b"\5_http")}, 2)
    after = registrations.endpoints(SHOP, SERVICE)["http"]
    assert after == (changed, second)
    assert after[1] is second
    assert after[0] is not first
    content.adopt(dict.fromkeys(content.nodes, ()), 3)
    assert registrations.endpoints(SHOP, SERVICE) == {}
    assert not registrations._known


OWNERS = {
    "_http._tcp.shop.default": SHOP,
    "h1.shop.default": SHOP,
    "shop.default": None,
    "a.b.shop.default": None,
    "a._tcp.shop.default": None,
}


@pytest.mark.parametrize("owner", OWNERS)
def test_whose_names_they_are(owner: str) -> None:
    assert service_of(name(owner), ORIGIN) == OWNERS[owner]
    registrations = Registrations(Content(ORIGIN))
    assert registrations.touched([name(owner), ORIGIN]) == ({SHOP} if OWNERS[owner] else set())


def test_strings_that_say_nothing_are_passed_over() -> None:
    assert read_text(b"\5ready\7READY=1\x07ready=0\x02\xff=\x50short=") == {"ready": "1", "\ufffd": "", "short": ""}


STRINGS = st.sampled_from(
    [b"ready=1", b"ready=0", b"node=a", b"id=x", b"ID=y", b"xid=z", b"id=", b"zone=id=q", b"\3id"]
)


@given(st.lists(STRINGS, max_size=4), st.integers(0, 2))
def test_what_is_shared_is_what_would_be_read(strings: list[bytes], cut: int) -> None:
    data = b"".join(bytes((len(string),)) + string for string in strings)
    data = data[: len(data) - cut]
    said = read_text(data)
    made = read_endpoint(b"\0\0\0\1\0\x50\1h\0", (RRset(A, 5, (b"\x0a\0\0\1",)), RRset(TXT, 5, (data,))))
    assert made is not None
    got = made.replica_id, made.ready, made.node, made.zone
    assert got == (said.get("id", ""), said.get("ready", "1") == "1", said.get("node", ""), said.get("zone", ""))
