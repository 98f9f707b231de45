from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

from discovery.backoff import BackoffPolicy
from discovery.platforms.swarm.engine import SwarmConnection
from discovery.platforms.swarm.listing import Listing
from discovery.platforms.swarm.manager import Manager
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.swarm.facts import TASK
from tests.discovery.platforms.swarm.fake import FakeSwarm, fake_swarm


def known(manager: Manager) -> Listing:
    assert manager.listing is not None
    return manager.listing


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
        assert TASK in known(manager).tasks
        engine.tasks.clear()
        began = asyncio.get_running_loop().time()
        engine.tell_of_services()
        await until(lambda: not known(manager).tasks)
        assert asyncio.get_running_loop().time() - began < 0.5
        assert manager.asked >= began


async def test_it_is_told_of_each_look_and_given_the_same_listing_until_it_differs(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        await until(lambda: manager.listing is not None and bool(engine.listeners))
        first, asked = manager.listing, manager.asked
        engine.tell_of_services()
        await until(lambda: manager.asked > asked)
        assert manager.listing is first


async def test_what_is_known_stays_while_the_engine_is_gone(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        await until(lambda: manager.listing is not None)
        before = manager.listing
        await engine.end()
        await until(lambda: manager.trouble)
        assert manager.listing is before
        engine.put_service("other")
        engine.socket.unlink(missing_ok=True)
        await engine.begin()
        await until(lambda: len(known(manager).services) == 2)
        assert not manager.trouble


async def test_a_worker_is_asked_nothing_else(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        engine.manages = False
        await until(lambda: "no manager of its swarm" in manager.trouble)
        assert manager.listing is None
        assert "/v1.41/services" not in engine.asked


async def test_an_engine_without_a_swarm_is_told_how_to_get_one(tmp_path: Path) -> None:
    async with managing(tmp_path) as (engine, manager):
        engine.manages = engine.joined = False
        await until(lambda: "docker swarm init" in manager.trouble)
