from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

from discovery.backoff import BackoffPolicy
from discovery.platforms.swarm.engine import SwarmConnection
from discovery.platforms.swarm.manager import Manager
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.swarm.facts import TASK
from tests.discovery.platforms.swarm.fake import FakeSwarm, fake_swarm

AT_ONCE = BackoffPolicy(first=0.01, ceiling=0.01)


@asynccontextmanager
async def managing(folder: Path) -> AsyncIterator[tuple[FakeSwarm, Manager]]:
    async with fake_swarm(folder) as engine:
        engine.put_service()
        engine.put_task()
        manager = Manager(
            lambda: SwarmConnection(engine.host), changed=lambda: None, random=Random(1), reconnects=AT_ONCE
        )
        running = asyncio.get_running_loop().create_task(manager.run())
        try:
            yield engine, manager
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_an_event_of_a_service_hurries_the_next_look(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        await until(lambda: manager.listing is not None and bool(engine.listeners))
        assert manager.unwanted == frozenset()
        engine.tasks.clear()
        began = asyncio.get_running_loop().time()
        engine.tell_of_services()
        await until(lambda: manager.unwanted == {TASK})
        assert asyncio.get_running_loop().time() - began < 0.5
        manager.forget(frozenset({TASK}))
        assert not manager.unwanted


async def test_what_is_known_stays_while_the_engine_is_gone(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        await until(lambda: manager.listing is not None)
        known = manager.listing
        await engine.end()
        await asyncio.sleep(0.1)
        assert manager.listing is known
        engine.put_service("other")
        engine.socket.unlink(missing_ok=True)
        await engine.begin()
        await until(lambda: manager.listing is not None and len(manager.listing.services) == 2)


async def test_a_worker_is_asked_nothing_else(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        engine.manages = False
        await until(lambda: "/v1.41/info" in engine.asked)
        await asyncio.sleep(0.05)
        assert manager.listing is None
        assert "/v1.41/services" not in engine.asked
