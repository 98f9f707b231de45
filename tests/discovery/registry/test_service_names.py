from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from config.meta import Named
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from discovery.registry import service_names
from discovery.registry.names import Record
from discovery.registry.service_names import ServiceNames, moved, names_of, pod_name
from discovery.registry.wire import from_text, to_labels
from tests.discovery.registry.making import EMPTY, SHOP, written

DOMAIN = from_text("cluster.local")
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
    found = moved((b"default", b"empty"), names(was), names(now), DOMAIN)
    assert {b".".join(to_labels(name)).decode() for name in found} == expected


def test_endpoints_behind_a_cluster_ip_move_their_own_names_only() -> None:
    config_set, shop = written(SHOP), Named("default", "shop")
    was, now = (names_of(shop, config_set, {"http": (Endpoint(f"10.0.0.{n}", 1),)}) for n in (1, 2))
    expected = {pod_name(f"10.0.0.{n}", b"default", DOMAIN) for n in (1, 2)}
    assert set(moved((b"default", b"shop"), was, now, DOMAIN)) == expected
    assert replace(was, pods=frozenset(), addresses=()) == replace(now, pods=frozenset(), addresses=())


@pytest.mark.parametrize(("manifest", "name", "port"), [(SHOP, "shop", "http"), (EMPTY, "empty", "pg")])
def test_what_is_taken_over_from_other_endpoints_is_what_would_be_made(manifest: str, name: str, port: str) -> None:
    config_set, named = written(manifest), Named("default", name)
    for endpoints in ({}, {port: (Endpoint("10.0.0.1", 1, ready=False),)}, {port: (Endpoint("10.0.0.2", 1),)}):
        was = names_of(named, config_set, {port: (Endpoint("10.0.0.9", 9),)})
        assert names_of(named, config_set, endpoints, was=was) == names_of(named, config_set, endpoints)


def test_what_endpoints_have_no_part_in_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Named] = []
    real = service_names.records

    def records(named: Named, *rest: Any) -> Iterator[Record]:
        made.append(named)
        return real(named, *rest)

    monkeypatch.setattr(service_names, "records", records)
    shop = Named("default", "shop")
    found = names_of(shop, written(SHOP), ONE)
    assert found.reverse
    assert not made
    assert () in found.made.nodes
    assert found.made.nodes
    assert made == [shop], "once"
