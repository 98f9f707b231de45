from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.meta import Named
from discovery.endpoint import Endpoint
from discovery.registry import service_names
from discovery.registry.names import Record
from discovery.registry.service_names import names_of
from discovery.registry.wire import from_text
from tests.discovery.registry.making import EMPTY, SHOP, written

DOMAIN = from_text("cluster.local")


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
    found = names_of(shop, written(SHOP), {"http": (Endpoint("10.0.0.1", 1),)})
    assert found.reverse
    assert not made
    assert () in found.made.nodes
    assert found.made.nodes
    assert made == [shop], "once"
