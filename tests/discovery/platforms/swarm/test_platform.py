from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec
from discovery.endpoint import WorkloadRef
from discovery.platforms.swarm.platform import SwarmPlatform
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.swarm.facts import TASK
from tests.discovery.platforms.swarm.fake import FakeSwarm, fake_swarm

WEB = WorkloadRef("SwarmService", "default", "web")


@asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[tuple[FakeSwarm, SwarmPlatform]]:
    """That of a manager with one service of one task."""
    async with fake_swarm(folder) as engine:
        engine.put_service(labels={"weft.dev/publish": "8088:8080"}, replicas=1)
        engine.put_task()
        made = SwarmPlatform(engine.host, Random(1), folder / "found.json")
        await made.apply(ConfigSet(node=NodeConfigSpec(node_name="a")))
        try:
            await until(lambda: bool(made.replicas()))
            yield engine, made
        finally:
            await made.close()


async def test_tasks_are_replicas_once(tmp_path: Path) -> None:
    async with platform(tmp_path) as (_, made):
        await until(lambda: bool(made.statuses()))
        (replica,) = made.replicas()
        assert (replica.id, replica.workload, replica.node, replica.ready) == (TASK, WEB, "a", True)
        (status,) = made.statuses()
        assert (status.workload, status.desired, status.running, status.ready) == (WEB, 1, 1, 1)
        assert [each.id for each in status.replicas] == [TASK]
        assert made.standing().connected
        assert made.desired(Named("default", "web")) is None


async def test_what_labels_ask_for_is_written(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        found = tmp_path / "found.json"
        await until(found.exists)
        (item,) = json.loads(found.read_text())["items"]
        assert (item["metadata"]["name"], item["spec"]["ports"]) == ("web", [{"port": 8088, "targetPort": 8080}])
        engine.put_service("db", ports=(5432,))
        engine.services["id-web"]["Spec"]["Labels"] = {}
        engine.tell_of_services()
        await until(lambda: not json.loads(found.read_text())["items"])
        assert made.standing().remarks == ("db: port 5432/tcp is published by Docker itself",)


async def test_a_service_is_scaled(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        await until(lambda: bool(made.statuses()))
        engine.others = 1
        await made.set(WEB, 4, ("whoever",))
        assert engine.services["id-web"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 4}}
        engine.tell_of_services()
        await until(lambda: made.statuses()[0].desired == 4)
        assert (await made.read(WEB)).desired == 4
        for other in (WEB._replace(name="none"), WEB._replace(kind="Deployment")):
            with pytest.raises(KeyError):
                await made.read(other)
            with pytest.raises(KeyError):
                await made.set(other, 1)


async def test_a_task_that_swarm_ends_is_terminating_before_its_signal(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        await until(lambda: bool(made.statuses()) and len(engine.listeners) == 2)
        engine.tasks[TASK]["DesiredState"] = "remove"
        engine.tell_of_services()
        await until(lambda: made.replicas()[0].terminating)
        assert made.replicas()[0].serving
        engine.exit(next(iter(engine.containers)))
        await until(lambda: not made.replicas())
