from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from discovery.platforms.docker.engine import EngineError, NotThere
from discovery.platforms.docker.sighting import sighting
from discovery.platforms.swarm.engine import MANAGER, NO_SWARM, TRIES, WORKER, SwarmConnection
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.swarm.fake import FakeSwarm, fake_swarm


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[FakeSwarm, SwarmConnection]]:
    async with fake_swarm(folder) as engine:
        connection = SwarmConnection(engine.host)
        try:
            yield engine, connection
        finally:
            await connection.close()


async def test_a_task_has_an_address_that_its_host_can_dial(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        engine.put_task()
        seen = sighting(await connection.inspect(ID))
        assert seen.addresses == {"ov": "10.0.1.3", "docker_gwbridge": "172.18.0.3"}


async def test_without_the_bridge_there_is_no_such_address(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        engine.gateways = None
        engine.put_task()
        assert sighting(await connection.inspect(ID)).addresses == {"ov": "10.0.1.3"}


async def test_plain_containers_are_as_they_are(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        plain = engine.put()
        assert await connection.inspect(ID) == plain
        assert not [path for path in engine.asked if "gwbridge" in path]


async def test_what_is_wanted_is_listed(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        engine.put_service()
        engine.put_task("kept")
        engine.put_task("gone")
        engine.tasks["gone"]["DesiredState"] = "shutdown"
        found = await connection.listing()
        assert (list(found.services), list(found.tasks)) == (["id-web"], ["kept"])
        assert await connection.role() == MANAGER
        engine.manages = False
        assert await connection.role() == WORKER
        engine.joined = False
        assert await connection.role() == NO_SWARM


async def test_an_update_that_comes_too_late_is_tried_again(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        service = engine.put_service()
        engine.others = 3
        await connection.scale("id-web", 5)
        assert service["Spec"]["Mode"] == {"Replicated": {"Replicas": 5}}
        assert service["Spec"]["Labels"] == {}
        engine.others = TRIES
        with pytest.raises(EngineError, match="others changed"):
            await connection.scale("id-web", 6)


async def test_what_cannot_be_scaled_is_said(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        engine.put_service("every", replicas=None)
        with pytest.raises(EngineError, match="has no number of replicas"):
            await connection.scale("id-every", 2)
        with pytest.raises(NotThere):
            await connection.scale("id-none", 2)


async def test_events_of_services_are_heard(tmp_path: Path) -> None:
    async with connected(tmp_path) as (engine, connection):
        heard = asyncio.Event()
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            hearing = group.create_task(connection.hear_of_services("0", heard.set))
            while not engine.listeners:
                await asyncio.sleep(0.01)
            engine.tell_of_services()
            await heard.wait()
            hearing.cancel()
