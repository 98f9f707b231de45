"""A replica is drained when all know that it goes and nothing is in flight on it, or when time is up."""

from __future__ import annotations

import asyncio

import pytest

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from mesh.listener import ListenerState
from mesh.table import ListenerKey
from sidecar.joining import Draining, served_at


class Proxy:
    """Counts what is in flight, like the real one."""

    def __init__(self, in_flight: int) -> None:
        self.count = in_flight

    def in_flight(self, _replica_id: str) -> int:
        return self.count


class Listeners:
    """Bound elsewhere, not bound yet, or never heard of."""

    def __init__(self) -> None:
        self.states = {
            ListenerKey("127.96.0.1", 80): ListenerState(ListenerKey("127.96.0.1", 8080), "no right"),
            ListenerKey("127.96.0.1", 81): ListenerState(None, "taken"),
            ListenerKey("127.96.0.1", 53, "UDP"): ListenerState(ListenerKey("127.96.0.1", 8053, "UDP"), "no right"),
        }


@pytest.mark.parametrize(("port", "served"), [(80, 8080), (81, 81), (82, 82), (53, 8053)])
def test_where_a_port_is_served(port: int, served: int) -> None:
    assert served_at(Listeners(), "127.96.0.1", port) == served  # type: ignore[arg-type]


def changed_catalog() -> Catalog:
    name = Named("default", "web")
    catalog = Catalog()
    ports = (ServicePort(port=80),)
    catalog.define({name: Service(metadata=ObjectMeta(name="web"), spec=ServiceSpec(ports=ports))})
    catalog.acknowledge("proxy", catalog.snapshot.generation)
    catalog.put_endpoints("test", {name: {"80": (Endpoint("127.0.0.1", 1),)}})
    return catalog


async def is_done(task: asyncio.Task[None], within: float) -> bool:
    done, _ = await asyncio.wait([task], timeout=within)
    return bool(done)


async def test_it_waits_for_the_acknowledgement_and_then_for_what_is_in_flight() -> None:
    catalog, proxy = changed_catalog(), Proxy(in_flight=1)
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(Draining(catalog, proxy).drained("web-1", loop.time() + 30))
    assert not await is_done(task, 0.03)
    catalog.acknowledge("proxy", catalog.snapshot.generation)
    assert not await is_done(task, 0.05)
    proxy.count = 0
    assert await is_done(task, 5)


async def test_it_gives_up_at_the_deadline() -> None:
    catalog, proxy = changed_catalog(), Proxy(in_flight=1)
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(Draining(catalog, proxy).drained("web-1", loop.time() + 0.05))
    assert await is_done(task, 5)


async def test_when_the_process_ends_its_own_bound_counts() -> None:
    catalog = changed_catalog()
    catalog.acknowledge("proxy", catalog.snapshot.generation)
    draining = Draining(catalog, Proxy(in_flight=1))
    now = asyncio.get_running_loop().time()
    task = asyncio.create_task(draining.drained("web-1", now + 30))
    assert not await is_done(task, 0.03)
    draining.latest = now
    assert await is_done(task, 5)


async def test_what_outlives_the_process_is_given_up_before_a_replica_is_left_to_itself() -> None:
    catalog, proxy = changed_catalog(), Proxy(in_flight=1)
    draining = Draining(catalog, proxy)  # type: ignore[arg-type]
    given_up: list[int] = []
    draining.begin(0.05, lambda: given_up.append(proxy.count))
    await asyncio.wait_for(draining.drained("web-1", asyncio.get_running_loop().time() + 30), 5)
    assert given_up == [1]
    await draining.until(lambda: False)  # what came since
    assert given_up == [1, 1]


async def test_nothing_is_given_up_in_time() -> None:
    draining = Draining(changed_catalog(), Proxy(in_flight=0))  # type: ignore[arg-type]
    draining.begin(30, lambda: pytest.fail("there was time"))
    await asyncio.wait_for(draining.until(lambda: True), 5)
