"""A replica is drained when all know that it goes and nothing is in flight on it, or when time is up."""

from __future__ import annotations

import asyncio

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from sidecar.joining import Draining


class Proxy:
    """Counts what is in flight, like the real one."""

    def __init__(self, in_flight: int) -> None:
        self.count = in_flight

    def in_flight(self, _replica_id: str) -> int:
        return self.count


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
