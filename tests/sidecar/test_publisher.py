"""From a change of the catalog to the table in force: coalesced, but at once when an endpoint goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from mesh.plan import BackendKey
from mesh.proxy import Proxy
from sidecar import publisher as module
from sidecar.publisher import Publisher

WEB = Named("default", "web")
CONFIG = ConfigSet(
    services={
        WEB: Service(
            metadata=ObjectMeta(name="web", namespace="default"),
            spec=ServiceSpec(cluster_ip="127.96.0.9", ports=(ServicePort(port=80, name="http"),)),
        )
    }
)
A, B = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)


class Joined:
    """A catalog, a proxy and the publisher between them."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.catalog.define(CONFIG.services)
        self.proxy = Proxy(asyncio.get_running_loop(), time.monotonic)
        self.publisher = Publisher(self.proxy, CONFIG, self.catalog.snapshot)
        self.catalog.subscribe(self.publisher.catalog_changed)
        self.tables: list[int] = []
        self.publisher.in_force.append(lambda compiled: self.tables.append(compiled.snapshot.generation))

    def put(self, *endpoints: Endpoint) -> None:
        self.catalog.put_endpoints("test", {WEB: {"http": endpoints}})

    def served(self) -> list[int]:
        return [endpoint.port for endpoint in self.proxy.table.backends[BackendKey(*WEB, "http")].endpoints]

    async def settled(self) -> None:
        async with asyncio.timeout(5):
            while not self.tables or self.tables[-1] < self.catalog.snapshot.generation:
                await asyncio.sleep(0.001)


@pytest.fixture
async def joined() -> AsyncIterator[Joined]:
    made = Joined()
    await made.publisher.publish()
    task = asyncio.create_task(made.publisher.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_change_comes_in_force(joined: Joined) -> None:
    assert joined.served() == []
    joined.put(A)
    await joined.settled()
    assert joined.served() == [1]


async def test_how_long_changes_take_is_counted(joined: Joined) -> None:
    def counted() -> float:
        [family] = joined.publisher.convergence.families()
        return next(value for name, _, value in family.samples if name.endswith("_count"))

    before = counted()
    joined.put(A, B)
    await joined.settled()
    assert counted() == before + 1


async def test_another_configuration_comes_in_force(joined: Joined) -> None:
    async with asyncio.timeout(5):
        await joined.publisher.settled()
        joined.publisher.config_changed(ConfigSet())
        await joined.publisher.settled()
    assert joined.proxy.table.backends == {}


async def test_a_burst_is_gathered(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COALESCE_SECONDS", 0.1)
    before = len(joined.tables)
    for endpoints in ((A,), (A, B), (B, A), (B,)):
        joined.put(*endpoints)
        await asyncio.sleep(0.001)
    await joined.settled()
    assert len(joined.tables) <= before + 2
    assert joined.served() == [2]


async def test_a_change_alone_is_not_waited_with(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.sleep(module.COALESCE_SECONDS)
    waited: list[float] = []
    with monkeypatch.context() as patched:
        patched.setattr(module.asyncio, "timeout", waited.append)
        joined.put(A)
        for _ in range(5000):
            if joined.served():
                break
            await asyncio.sleep(0.001)
    assert joined.served() == [1]
    assert waited == []


async def test_an_endpoint_that_goes_is_not_waited_with(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    joined.put(A, B)
    await joined.settled()
    monkeypatch.setattr(module, "COALESCE_SECONDS", 60.0)
    joined.put(Endpoint("127.0.0.1", 1, ready=False, terminating=True), B)
    await joined.settled()
    assert [state.port for state in joined.proxy.live.backends[BackendKey(*WEB, "http")].eligible] == [2]


async def test_what_was_overtaken_is_skipped(joined: Joined) -> None:
    joined.put(A)
    joined.put(B)
    await joined.settled()
    assert joined.served() == [2]
    assert joined.tables[-1] == joined.catalog.snapshot.generation


async def test_what_takes_longer_than_a_slice_goes_on_beside_and_is_overtaken(
    joined: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUDGET", 0.0)
    await asyncio.sleep(module.COALESCE_SECONDS)
    joined.put(A)
    await asyncio.sleep(0)
    joined.put(B)
    await joined.settled()
    assert joined.served() == [2]
    monkeypatch.undo()
    await asyncio.sleep(module.COALESCE_SECONDS)
    joined.put(A, B)
    await joined.settled()
    assert joined.served() == [1, 2]


async def test_while_tables_are_held_none_comes_in_force(joined: Joined) -> None:
    await asyncio.sleep(module.COALESCE_SECONDS)
    joined.put(A)
    with joined.publisher.held():
        for _ in range(5):
            await asyncio.sleep(0)
        assert joined.served() == []
    await joined.settled()
    assert joined.served() == [1]
