from __future__ import annotations

from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from config.meta import Named
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from discovery.registry.differences import Differences, zone_of
from discovery.registry.service_names import NOTHING, Key, ServiceNames, names_of
from discovery.registry.wire import from_text, to_labels
from tests.discovery.registry.making import EMPTY, SHOP, written

DOMAIN = from_text("cluster.local")
NETWORKS = (ip_network("10.0.0.0/15"), ip_network("fd00::/16"))
ONE = {"pg": (Endpoint("10.0.0.1", 1),)}
CASES: dict[str, tuple[PortEndpoints | None, PortEndpoints | None, set[str]]] = {
    "nothing": (ONE, ONE, set()),
    "a port that the records tell of": (
        ONE, {"pg": (Endpoint("10.0.0.1", 2),)},
        {"_pg._tcp.empty.default.svc.cluster.local"},
    ),
    "the reason": (
        {}, {"pg": (Endpoint("10.0.0.1", 1, ready=False),)},
        {"empty.default.svc.cluster.local", "10-0-0-1.default.pod.cluster.local"},
    ),
    "the hostname": (
        ONE, {"pg": (Endpoint("10.0.0.1", 1, hostname="h"),)},
        {
            "h.empty.default.svc.cluster.local", "10-0-0-1.empty.default.svc.cluster.local",
            "_pg._tcp.empty.default.svc.cluster.local", "1.0.0.10.in-addr.arpa",
        },
    ),
    "a Service that had none goes": ({}, None, {"empty.default.svc.cluster.local"}),
}  # fmt: skip


def names(endpoints: PortEndpoints | None) -> ServiceNames | None:
    return None if endpoints is None else names_of(Named("default", "empty"), written(EMPTY), endpoints)


@pytest.mark.parametrize("case", CASES)
def test_what_moves(case: str) -> None:
    was, now, expected = CASES[case]
    found = differences((b"default", b"empty"), names(was) or NOTHING, names(now) or NOTHING)
    assert set(map(text, found.names())) == expected


def test_endpoints_behind_a_cluster_ip_move_their_own_names_only() -> None:
    config_set, shop = written(SHOP), Named("default", "shop")
    was, now = (names_of(shop, config_set, {"http": (Endpoint(f"10.0.0.{n}", 1),)}) for n in (1, 2))
    found = differences((b"default", b"shop"), was, now)
    assert set(map(text, found.names())) == {f"10-0-0-{n}.default.pod.cluster.local" for n in (1, 2)}
    assert replace(was, pods=frozenset(), addresses=()) == replace(now, pods=frozenset(), addresses=())


def differences(key: Key, was: ServiceNames, now: ServiceNames) -> Differences:
    found = Differences(DOMAIN)
    found.compare(key, was, now)
    found.flip(was.pods ^ now.pods, key[0])
    return found


def text(name: bytes) -> str:
    return b".".join(to_labels(name)).decode()


ZONES: dict[str, tuple[PortEndpoints | None, PortEndpoints | None, set[str]]] = {
    "nothing": (ONE, ONE, set()),
    "a port": (ONE, {"pg": (Endpoint("10.0.0.1", 2),)}, {"cluster.local"}),
    "an address of a network": (ONE, {}, {"cluster.local", "0.10.in-addr.arpa"}),
    "of two": ({"pg": (Endpoint("10.1.0.1", 1),)}, {"pg": (Endpoint("fd00::1", 1),)},
               {"cluster.local", "1.10.in-addr.arpa", "0.0.d.f.ip6.arpa"}),
    "an address of none": ({"pg": (Endpoint("192.0.2.1", 1),)}, None, {"cluster.local", "1.2.0.192.in-addr.arpa"}),
}  # fmt: skip


@pytest.mark.parametrize("case", ZONES)
def test_in_which_zones_that_is(case: str) -> None:
    was, now, expected = ZONES[case]
    found = differences((b"default", b"empty"), names(was) or NOTHING, names(now) or NOTHING)
    assert set(map(text, found.zones(NETWORKS))) == expected


def test_a_reason_is_in_no_zone() -> None:
    unready = tuple(Endpoint("10.0.0.1", port, ready=False) for port in (1, 2))
    empty = written(EMPTY)
    was, now = (names_of(Named("default", "empty"), empty, {"pg": each}) for each in (unready[:1], ()))
    found = Differences(DOMAIN)
    found.compare((b"default", b"empty"), was, now)
    assert set(map(text, found.names())) == {"empty.default.svc.cluster.local"}
    assert found.zones(NETWORKS) == set()


def test_an_address_that_came_with_one_service_and_left_with_another_did_neither() -> None:
    found = Differences(DOMAIN)
    found.flip({"10.0.0.1"}, b"default")
    found.flip({"10.0.0.1"}, b"default")
    assert found.names() == frozenset()
    found.flip({"10.0.0.1"}, b"other")
    assert found.zones(NETWORKS) == {b"\7cluster\5local\0"}


def test_the_zone_of_an_address() -> None:
    assert text(zone_of(bytes((10, 1, 2, 3)), NETWORKS)) == "1.10.in-addr.arpa"
    assert text(zone_of(bytes((10, 2, 2, 3)), NETWORKS)) == "3.2.2.10.in-addr.arpa"
