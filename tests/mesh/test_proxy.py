"""Publishing: one assignment puts a table in force, live state survives it, and what is withdrawn is told."""

from __future__ import annotations

import asyncio

import pytest

from config.meta import Named
from config.resources.core import ServicePort
from discovery.catalog import Snapshot
from mesh.compiler import Compiled
from mesh.compiler import compile as compiled_from
from mesh.plan import BackendKey
from mesh.proxy import Proxy
from mesh.table import ListenerKey
from tests.mesh.making import Clock, config, endpoint, endpoints, service, snapshot

SHOP = BackendKey("default", "shop", "http")
ADDRESS = ListenerKey("127.96.0.1", 80)


@pytest.fixture
async def proxy() -> Proxy:
    return Proxy(asyncio.get_running_loop(), Clock())


def put_in_force(proxy: Proxy, *names: str, there: tuple[object, ...] = endpoints(3), generation: int = 1) -> Compiled:
    written = config(*(service(name, cluster_ip=f"127.96.0.{number}") for number, name in enumerate(names, 1)))
    existing = snapshot(generation, **{name: {"http": there} for name in names})  # type: ignore[dict-item]
    compiled = compiled_from(written, existing, None, proxy.live)
    proxy.publish(compiled)
    return compiled


async def test_a_table_comes_in_force_as_a_whole(proxy: Proxy) -> None:
    assert not proxy.table.listeners
    compiled = put_in_force(proxy, "shop")
    assert proxy.table is compiled.table
    backend = proxy.table.listeners[ADDRESS].route.backend
    assert [state.host for _ in range(4) if (state := backend.pick())] == [
        "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.0",
    ]  # fmt: skip


async def test_live_state_survives_a_table(proxy: Proxy) -> None:
    put_in_force(proxy, "shop")
    backend = proxy.live.backends[SHOP]
    backend.pick()
    backend.stats.finished(200, 0.01)
    put_in_force(proxy, "shop", "other", there=endpoints(4), generation=2)
    assert proxy.table.listeners[ADDRESS].route.backend is backend
    assert (state := backend.pick())
    assert state.host == "10.0.0.1"
    assert backend.stats.codes == {200: 1}
    assert len(backend.endpoints) == 4


async def test_withdrawn_backends_are_retired_after_the_assignment(proxy: Proxy) -> None:
    seen = []
    put_in_force(proxy, "other", "shop")
    backend = proxy.live.backends[SHOP]
    state = backend.eligible[0]

    class Connection:
        def endpoint_withdrawn(self) -> None:
            seen.append(ListenerKey("127.96.0.2", 80) in proxy.table.listeners)

    state.connections.add(Connection())
    put_in_force(proxy, "other", generation=2)
    assert seen == [False]
    assert backend.pick() is None


async def test_a_large_change_yields_between_backends(proxy: Proxy) -> None:
    names = [f"s{number}" for number in range(20)]
    first = put_in_force(proxy, *names, there=())
    there = {name: {"http": endpoints(2)} for name in names}
    compiled = compiled_from(first.config_set, Snapshot(2, {Named("default", n): p for n, p in there.items()},
        frozenset(first.config_set.services)), first, proxy.live)  # fmt: skip
    steps = proxy.publish_steps(compiled)
    for _ in names:
        next(steps)
        assert proxy.table is first.table
    assert list(steps) == []
    assert proxy.table is compiled.table


async def test_a_change_of_endpoints_looks_at_the_services_that_it_touches(proxy: Proxy) -> None:
    first = put_in_force(proxy, "shop", "other")
    second = with_shop(first, 4, 2, proxy)
    assert second.touched == (Named("default", "shop"),)
    assert [plan.key for plan, _ in second.touched_pairs()] == [SHOP]
    proxy.publish(second)
    assert len(proxy.live.backends[SHOP].endpoints) == 4


async def test_one_that_follows_a_table_never_published_is_put_in_force_as_a_whole(proxy: Proxy) -> None:
    first = put_in_force(proxy, "shop", "other")
    left_out = with_shop(first, 4, 2, proxy)
    there = {**left_out.snapshot.services, Named("default", "other"): {"http": endpoints(5)}}
    third = compiled_from(
        first.config_set, Snapshot(3, there, frozenset({Named("default", "other")})), left_out, proxy.live
    )
    assert third.touched == (Named("default", "other"),)
    proxy.publish(third)
    assert len(proxy.live.backends[SHOP].endpoints) == 4


def with_shop(before: Compiled, count: int, generation: int, proxy: Proxy) -> Compiled:
    """`before` with so many endpoints of the Service shop; not published."""
    there = {**before.snapshot.services, Named("default", "shop"): {"http": endpoints(count)}}
    now = Snapshot(generation, there, frozenset({Named("default", "shop")}))
    return compiled_from(before.config_set, now, before, proxy.live)


async def test_in_flight_and_frame(proxy: Proxy) -> None:
    put_in_force(proxy, "shop", there=(endpoint(1, replica_id="r"),))
    state = proxy.live.backends[SHOP].eligible[0]
    state.in_flight = 2
    assert proxy.in_flight("r") == 2
    assert [frame.service for frame in proxy.frame().backends] == ["shop"]


async def test_draining_reaches_open_connections(proxy: Proxy) -> None:
    told = []

    class Client:
        def drain(self) -> None:
            told.append(self)
            proxy.clients.discard(self)

    client = Client()
    proxy.clients.add(client)
    proxy.drain()
    assert proxy.draining
    assert told == [client]


async def test_a_port_that_leaves_takes_its_listener_along(proxy: Proxy) -> None:
    two = service("shop", ServicePort(80, name="http"), ServicePort(81, name="admin"))
    first = compiled_from(config(two), snapshot(), None, proxy.live)
    proxy.publish(first)
    one = service("shop")
    proxy.publish(compiled_from(config(one), snapshot(), first, proxy.live))
    assert list(proxy.table.listeners) == [ADDRESS]
    assert list(proxy.live.backends) == [SHOP]
