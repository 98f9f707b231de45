from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import cast

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap
from config.settings import NodeConfigSpec
from discovery.backoff import Backoff
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.swarm import manager
from discovery.platforms.swarm import platform as module
from discovery.platforms.swarm.platform import SwarmPlatform
from discovery.prober import Prober
from tests.discovery.platforms.docker.facts import sends_to
from tests.discovery.platforms.docker.running import assert_no_more, held, until
from tests.discovery.platforms.local import FakeProber
from tests.discovery.platforms.swarm.facts import TASK
from tests.discovery.platforms.swarm.fake import FakeSwarm, fake_swarm

WEB = WorkloadRef("SwarmService", "default", "web")


@asynccontextmanager
async def platform(folder: Path) -> AsyncIterator[tuple[FakeSwarm, SwarmPlatform]]:
    """That of a manager with one service of one task."""
    async with fake_swarm(folder) as engine:
        engine.put_service(labels={"weft.dev/publish": "8088:8080"}, replicas=1)
        engine.put_task()
        made = SwarmPlatform(engine.host, Random(1), cast("Prober", FakeProber()), folder / "found.json")
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


async def test_what_an_earlier_run_found_does_not_hold(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    found.write_text('{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Service"}]}')
    async with fake_swarm(tmp_path) as engine:
        made = SwarmPlatform(engine.host, Random(1), None, found)
        await made.apply(ConfigSet())
        await until(lambda: not json.loads(found.read_text())["items"])
        await made.close()


async def test_a_file_that_could_not_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "REWRITE_SECONDS", 0.01)
    missing = tmp_path / "missing"
    async with fake_swarm(tmp_path) as engine:
        made = SwarmPlatform(engine.host, Random(1), None, missing / "found.json")
        await made.apply(ConfigSet())
        await until(lambda: "cannot be written" in caplog.text)
        missing.mkdir()
        await until(lambda: os.listdir(missing) == ["found.json"])
        await made.close()


async def test_a_label_of_the_service_counts_on_all_nodes(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        engine.manages = False
        names = ConfigMap(ObjectMeta(name="swarm-services.weft.dev"), {"default.web": "shop/front"})
        await made.apply(ConfigSet(config_maps={Named("default", "swarm-services.weft.dev"): names}))
        (replica,) = made.replicas()
        assert (replica.services, replica.workload) == ((Named("shop", "front"),), WEB)


async def test_a_task_without_a_check_is_ready_once_it_listens(tmp_path: Path) -> None:
    async with platform(tmp_path) as (_, made):
        assert made.replicas()[0].ready
        await made.apply(ConfigSet(services=sends_to(8080, Named("default", "web"))))
        assert not made.replicas()[0].ready
        await until(lambda: made.replicas()[0].ready)


SIGNS: dict[str, Callable[[FakeSwarm], None]] = {
    "its stop signal": lambda engine: engine.tell("kill", signal="15"),
    "INT": lambda engine: engine.tell("kill", signal="2"),
    "QUIT": lambda engine: engine.tell("kill", signal="3"),
    "KILL": lambda engine: engine.tell("kill", signal="9"),
    "its end": lambda engine: engine.tell("die", exitCode="0"),
    "no memory": lambda engine: engine.tell("oom"),
    "stop": lambda engine: engine.tell("stop"),
    "destroy": lambda engine: engine.tell("destroy"),
    "pause": lambda engine: engine.tell("pause"),
    "sick": lambda engine: engine.tell("health_status: unhealthy"),
}


@pytest.mark.parametrize("sign", SIGNS.values(), ids=SIGNS)
async def test_on_a_worker_its_own_engine_tells_that_a_task_ends(
    tmp_path: Path, sign: Callable[[FakeSwarm], None]
) -> None:
    async with fake_swarm(tmp_path) as engine:
        engine.manages = False
        engine.put_task()
        made = SwarmPlatform(engine.host, Random(1), None, None)
        await made.apply(ConfigSet())
        await until(lambda: engine.listeners and any(each.ready for each in made.replicas()))
        assert made.statuses() == ()
        engine.tell("kill", signal="1")
        told: list[tuple[Replica, ...]] = []
        made.subscribe(told.append)
        sign(engine)  # and nothing else: after some events it is looked at again, and is as it was
        await until(lambda: any(not any(each.ready for each in replicas) for replicas in told))
        await made.close()


async def test_why_labels_may_not_count_is_told(tmp_path: Path) -> None:
    async with fake_swarm(tmp_path) as engine:
        engine.manages = False
        for manifests, remarks in ((tmp_path / "found.json", 1), (None, 0)):
            made = SwarmPlatform(engine.host, Random(1), None, manifests)
            await made.apply(ConfigSet())
            await until(lambda made=made: made.standing().connected and "no manager" in str(made._manager.trouble))
            assert len(made.standing().remarks) == remarks
            await made.close()


async def test_a_service_is_scaled(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        await until(lambda: bool(made.statuses()))
        engine.others = 1
        await made.set(WEB, 4, ("whoever",))
        assert engine.services["id-web"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 4}}
        engine.tell_of_services()
        await until(lambda: made.statuses()[0].desired == 4)
        assert (made.size(Named("default", "web")), made.size(Named("default", "none"))) == (4, None)
        assert (await made.read(WEB)).desired == 4
        for other in (WEB._replace(name="none"), WEB._replace(kind="Deployment")):
            with pytest.raises(KeyError):
                await made.read(other)
            with pytest.raises(KeyError):
                await made.set(other, 1)
        engine.others = 1000
        with pytest.raises(OSError, match="service web cannot be scaled: others changed"):
            await made.set(WEB, 5)


async def test_a_task_that_swarm_ends_is_terminating_before_its_signal(tmp_path: Path) -> None:
    async with platform(tmp_path) as (engine, made):
        await until(lambda: bool(made.statuses()) and len(engine.listeners) == 2)
        engine.tasks[TASK]["DesiredState"] = "remove"
        engine.tell_of_services()
        await until(lambda: made.replicas()[0].terminating)
        assert made.replicas()[0].serving
        engine.exit(next(iter(engine.containers)))
        await until(lambda: not made.replicas())


async def test_a_task_that_was_ending_before_weft_began_is_terminating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager, "PERIOD", 0.02)
    async with platform(tmp_path) as (engine, made):
        engine.tasks[TASK]["DesiredState"] = "shutdown"
        await until(lambda: made.replicas()[0].terminating)
        again = SwarmPlatform(engine.host, Random(1), None, None)
        await again.apply(ConfigSet())
        await until(lambda: again.replicas() and again.replicas()[0].terminating)
        await again.close()


async def test_reconnecting_leaks_nothing(
    tmp_path: Path, size: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many times for the manager's sake as for the containers'."""
    monkeypatch.setattr(Backoff, "failed", lambda _self, _now: 0.001)
    many = size(60, 2000)
    async with platform(tmp_path) as (engine, made):
        engine.cut_events = True
        engine.send(None)
        await until(lambda: engine.asked.count("/v1.41/events") >= 20)
        before = held()
        await until(lambda: engine.asked.count("/v1.41/events") >= many, 300)
        engine.cut_events = False
        await until(lambda: len(engine.listeners) == 2 and made.standing().connected)
        assert_no_more(held(), before)
        assert made.replicas()[0].ready
