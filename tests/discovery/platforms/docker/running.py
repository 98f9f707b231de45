"""A runner on a fake engine, with an observer that keeps it up to date and a prober that says what it is told."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple, cast

from config.configset import ConfigSet
from discovery.backoff import BackoffPolicy
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.labels import WORKLOAD
from discovery.platforms.docker.observer import Observer
from discovery.platforms.docker.replica import DockerReplica
from discovery.platforms.docker.runner import DockerRunner
from discovery.prober import Prober
from tests.discovery.platforms.docker.fake import FakeEngine
from tests.discovery.platforms.docker.pods import SHOP
from tests.discovery.platforms.local import Drains, FakeProber

SOON = BackoffPolicy(first=0.001, ceiling=0.01)


async def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """What `condition` gives once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.001)
    return found


class Held(NamedTuple):
    """What may leak."""

    descriptors: int
    tasks: int
    clients: int


def held() -> Held:
    """How many there are in this process."""
    gc.collect()
    clients = sum(isinstance(each, Connection) for each in gc.get_objects())
    return Held(len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), clients)


def assert_no_more(now: Held, before: Held) -> None:
    """A few that are just being made or ended apart."""
    assert all(there <= known + 10 for there, known in zip(now, before, strict=True)), (now, before)


class World:
    """One weft that runs containers on `fake`."""

    def __init__(
        self,
        fake: FakeEngine,
        prober: FakeProber | None = None,
        state: str = "/state",
        restarts: BackoffPolicy = SOON,
    ) -> None:
        self.fake = fake
        self.prober = prober or FakeProber()
        self.drains = Drains()
        self.told: list[object] = []
        self.observer = Observer(
            lambda: Connection(fake.host),
            host=fake.host,
            matters=lambda labels: WORKLOAD in labels,
            changed=lambda: self.runner.observe(),  # noqa: PLW0108 - the runner is made later
            random=Random(1),
            reconnects=SOON,
        )
        self.host = Host(
            engine=Connection(fake.host),
            conditions=self.observer.observation.conditions,
            prober=cast("Prober", self.prober),
            drained=self.drains,
            random=Random(1),
            restarts=restarts,
            state=state,
        )
        self.runner = DockerRunner(self.host)
        self.runner.subscribe(self.told.append)

    @property
    def replicas(self) -> list[DockerReplica]:
        return list(self.runner.replicas(SHOP))

    async def one(self) -> DockerReplica:
        """The only replica, once it is ready."""
        await until(lambda: self.replicas and self.replicas[0].ready)
        (replica,) = self.replicas
        return replica

    def running(self) -> list[str]:
        return [name for name, each in self.fake.containers.items() if each["State"]["Running"]]


@asynccontextmanager
async def world(
    fake: FakeEngine,
    prober: FakeProber | None = None,
    state: str = "/state",
    restarts: BackoffPolicy = SOON,
    **config: Any,
) -> AsyncIterator[World]:
    """A weft that knows what runs; it ends without taking that with it."""
    made = World(fake, prober, state, restarts)
    await made.runner.define(ConfigSet(**config))
    observing = asyncio.create_task(made.observer.run())
    try:
        await until(lambda: made.runner.known and made.observer.standing.connected)
        yield made
    finally:
        await made.runner.close()
        observing.cancel()
        await asyncio.gather(observing, return_exceptions=True)
