"""What a written zone says reaches the Services that it is about."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from discovery.registry.content import Content, Draft, content_of
from discovery.registry.registrations import Registrations, origin, registered, service_of
from discovery.registry.wire import to_wire
from discovery.sources.registry import AT_ONCE, MOST_IN_STEP, RegistrySource

ZONE = origin("cluster.local")
SHOP, CART = Named("default", "shop"), Named("default", "cart")
SERVICES = {
    named: Service(metadata=ObjectMeta(name=named.name), spec=ServiceSpec(ports=(ServicePort(port=80, name="http"),)))
    for named in (SHOP, CART)
}
ONE = Endpoint("10.0.0.1", 8080, replica_id="one", node="n1")
TWO = Endpoint("10.0.0.2", 8080, replica_id="two", node="n2")


def test_endpoints_come_and_go() -> None:
    content = content_of(ZONE, 1, registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    catalog.define(SERVICES)
    source = RegistrySource(catalog, content)
    source.define(SERVICES)
    assert catalog.snapshot.services[SHOP] == {"http": (ONE,)}
    assert not any(catalog.snapshot.services.get(CART, {}).values())

    draft = Draft(content)
    for record in registered(SHOP, SERVICES[SHOP], {"http": (TWO,)}, ZONE):
        draft.add(record)
    content.adopt(draft.nodes, 2)
    before = catalog.snapshot.generation
    source.changed(draft.nodes)
    assert catalog.snapshot.services[SHOP] == {"http": (ONE, TWO)}
    assert catalog.snapshot.generation == before + 1
    assert catalog.snapshot.changed == {SHOP}

    content.adopt(dict.fromkeys(content.nodes, ()), 3)
    source.changed(draft.nodes)
    assert not any(catalog.snapshot.services[SHOP].values())


def test_a_service_that_comes_later_finds_what_is_there() -> None:
    content = content_of(ZONE, 1, registered(CART, SERVICES[CART], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    source = RegistrySource(catalog, content)
    catalog.define({SHOP: SERVICES[SHOP]})
    source.define({SHOP: SERVICES[SHOP]})
    catalog.define(SERVICES)
    source.define(SERVICES)
    assert catalog.snapshot.services[CART] == {"http": (ONE,)}
    source.define({SHOP: SERVICES[SHOP]})
    catalog.define({SHOP: SERVICES[SHOP]})
    catalog.define(SERVICES)
    assert not any(catalog.snapshot.services[CART].values())


HOSTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans(), st.integers(1, 2)), max_size=4)


@given(st.lists(HOSTS, max_size=6))
def test_reading_only_what_changed_comes_to_the_same(turns: list[list[tuple[str, bool, int]]]) -> None:
    content, catalog, services = Content(ZONE), Catalog(), {SHOP: SERVICES[SHOP]}
    catalog.define(services)
    source = RegistrySource(catalog, content, lambda endpoint: endpoint.replica_id != "c")
    source.define(services)
    for serial, hosts in enumerate(turns):
        there = [Endpoint("10.0.0.1", 80, replica_id=host, ready=ready, weight=weight) for host, ready, weight in hosts]
        now = content_of(ZONE, serial, registered(SHOP, SERVICES[SHOP], {"http": tuple(there)}, ZONE)).nodes
        changed = {
            name: now.get(name, ()) for name in {**content.nodes, **now} if now.get(name) != content.nodes.get(name)
        }
        content.adopt(changed, serial)
        source.changed(changed)
        fresh = Registrations(content, lambda endpoint: endpoint.replica_id != "c").endpoints(SHOP, SERVICES[SHOP])
        assert catalog.snapshot.services[SHOP].get("http", ()) == fresh.get("http", ())


def test_names_of_nobody_change_nothing() -> None:
    content = content_of(ZONE, 1, registered(CART, SERVICES[CART], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    catalog.define({SHOP: SERVICES[SHOP]})
    source = RegistrySource(catalog, content)
    source.define({SHOP: SERVICES[SHOP]})
    before = catalog.snapshot
    source.changed(content.nodes)
    assert catalog.snapshot is before


def many(count: int) -> dict[Named, Service]:
    return {Named("default", f"many-{number}"): SERVICES[SHOP] for number in range(count)}


def zone_of(services: dict[Named, Service], serial: int, endpoint: Endpoint = ONE) -> Content:
    found = [record for named in services for record in registered(named, services[named], {"http": (endpoint,)}, ZONE)]
    return content_of(ZONE, serial, found)


def test_many_are_told_in_steps_and_only_then_is_it_settled() -> None:
    services = many(2 * MOST_IN_STEP)
    content = zone_of(services, 1)
    catalog = Catalog()
    catalog.define(services)
    source = RegistrySource(catalog, content)
    settled: list[int] = []
    source.settled.append(lambda: settled.append(content.serial))
    source.define(services)
    source.changed(content.nodes)
    told = []
    for _ in source.steps():
        told.append(sum(bool(there.get("http")) for there in catalog.snapshot.services.values()))
        if not told[-1]:
            assert not settled
    assert max(now - before for before, now in pairwise(told)) <= MOST_IN_STEP
    assert told[-1] == len(services)
    assert settled == [1]
    assert not list(source.steps())
    assert settled == [1], "nothing came since"


def test_a_small_change_amid_many_is_told_at_once_but_is_not_settled_before_them() -> None:
    services = many(2 * MOST_IN_STEP)
    content = zone_of(services, 1)
    catalog = Catalog()
    catalog.define(services)
    source = RegistrySource(catalog, content)
    settled: list[int] = []
    source.settled.append(lambda: settled.append(content.serial))
    source.define(services)
    steps = source.steps()
    next(steps)
    first = Named("default", "many-0")
    fresh = zone_of({first: services[first]}, 2, TWO)
    gone = {name for name in content.nodes if service_of(name, ZONE) == first} - fresh.nodes.keys()
    content.adopt({**dict.fromkeys(gone, ()), **fresh.nodes}, 2)
    source.changed({*gone, *fresh.nodes})
    assert catalog.snapshot.services[first] == {"http": (TWO,)}
    assert not settled
    assert [None for _ in steps]
    assert catalog.snapshot.services[first] == {"http": (TWO,)}
    assert settled == [2]


async def test_it_says_when_something_is_due() -> None:
    services = many(2 * MOST_IN_STEP)
    content = zone_of(services, 1)
    source = RegistrySource(Catalog(), content)
    waiting = asyncio.create_task(source.due())
    await asyncio.sleep(0)
    assert not waiting.done()
    source.define(services)
    await waiting
    assert list(source.steps())
    waiting = asyncio.create_task(source.due())
    await asyncio.sleep(0)
    assert not waiting.done()
    source.changed(content.nodes)
    await waiting


@pytest.mark.parametrize("before", range(6))
def test_what_is_read_already_gives_way_to_what_changed_since(before: int) -> None:
    services = many(2)
    content, catalog = zone_of(services, 1), Catalog()
    catalog.define(services)
    source = RegistrySource(catalog, content)
    source.define(services)
    source.changed([*content.nodes, *(to_wire((b"%d" % number,)) for number in range(AT_ONCE))])
    steps = source.steps()
    for _ in zip(range(before), steps, strict=False):
        pass
    first = Named("default", "many-0")
    fresh = zone_of({first: services[first]}, 2, TWO)
    gone = {name for name in content.nodes if service_of(name, ZONE) == first} - fresh.nodes.keys()
    content.adopt({**dict.fromkeys(gone, ()), **fresh.nodes}, 2)
    source.changed({*gone, *fresh.nodes})
    for _ in steps:
        pass
    assert [catalog.snapshot.services[named]["http"] for named in services] == [(TWO,), (ONE,)]
