"""The autoscaler joined to a data plane and a platform, and what is told of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import ObjectKey
from config.settings import AutoscalerSettings, NodeConfigSpec, PrometheusSettings
from discovery.endpoint import WorkloadRef
from discovery.platforms.making import maker as platform_maker
from mesh.autoscaling.fast_lane import LOOKS, TICK_SECONDS
from mesh.status import ACCEPTED
from sidecar.assembly import Assembly
from sidecar.autoscaling import NOTHING_SCALED, Autoscaling, steady_clock
from tests.discovery.platforms.making import parts
from tests.discovery.platforms.swarm.fake import fake_swarm
from tests.mesh.autoscaling.objects import Written, metric
from tests.mesh.autoscaling.test_controller import WEB, World
from tests.scenarios.manifests import deployment, listed, policy, service
from tests.scenarios.weft import Network

KEY = ObjectKey("HorizontalPodAutoscaler", *WEB)


def config_set(dry_run: bool = False) -> ConfigSet:
    settings = AutoscalerSettings(period=1.0, dry_run=dry_run)
    return ConfigSet(autoscalers={WEB: Written().made()}, node=NodeConfigSpec(autoscaler=settings))


async def test_what_is_told() -> None:
    world = World()
    made = Autoscaling(config_set(), lambda: world, world)
    assert made.status(KEY) is ACCEPTED
    _, before = made.document()
    assert [each.get("word") for each in before["autoscalers"]] == [None]  # type: ignore[attr-defined]
    assert made.parts is not None
    made.parts.controller.look()
    await made.parts.controller.tick()
    status = made.status(KEY)
    assert status is not None
    assert status.state == "degraded"
    assert status.reasons[0].startswith("the HPA was unable to compute the replica count: ")
    assert made.status(ObjectKey("Service", *WEB)) is None
    _, document = made.document()
    (told,) = document["autoscalers"]  # type: ignore[misc]
    assert (told["word"], told["currentReplicas"], told["desiredReplicas"], told["dryRun"]) == (
        "FailedGetPodsMetric", 2, 2, False,
    )  # fmt: skip
    assert [each["type"] for each in told["conditions"]] == ["AbleToScale", "ScalingActive"]
    assert msgspec.json.encode(told)
    assert {family.name for family in made.families()} >= {"weft_autoscaler_desired_replicas"}


async def test_an_edit_takes_effect() -> None:
    made = Autoscaling(config_set(), World, World())
    made.define(config_set(dry_run=True))
    (told,) = list(made.document()[1]["autoscalers"])  # type: ignore[call-overload]
    assert told["dryRun"]
    made.define(ConfigSet())
    assert made.status(KEY) is ACCEPTED
    assert list(made.document()[1]["autoscalers"]) == []  # type: ignore[call-overload]


@pytest.mark.parametrize(("what", "measured"), [("pods", False), ("object", False), ("cpu", True), ("memory%", True)])
async def test_who_is_measured(what: str, measured: bool) -> None:
    hpa = Written((metric(what, 1),)).made()
    (scaled,) = Autoscaling(ConfigSet(autoscalers={WEB: hpa}), World, World()).targets().values()
    assert scaled == (False, measured)


async def test_it_stops() -> None:
    made = Autoscaling(config_set(), World, World())
    made.stop()
    assert made.parts is not None
    assert made.parts.controller.scalers == {}


async def test_nothing_of_it_is_made_before_there_is_an_autoscaler() -> None:
    made = Autoscaling(ConfigSet(), World, World())
    made.stop()
    assert (made.parts, list(made.families()), made.status(KEY)) == (None, [], ACCEPTED)
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    made.define(config_set())
    assert made.parts is not None
    async with asyncio.timeout(10):
        while made.status(KEY) is ACCEPTED:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_the_clock_is_the_time_of_day_and_never_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = steady_clock()
    assert abs(clock() - time.time()) < 1.0
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock() > 1_000_000_000


async def test_a_node_says_what_its_autoscalers_do(node: Assembly) -> None:
    assert node.running.autoscaled(KEY) is ACCEPTED
    assert "/api/v1/autoscalers" in node.answers()


async def test_only_watching_outlives_an_edit() -> None:
    made = Autoscaling(config_set(), World, World())
    made.only_watch()
    made.define(config_set())
    (told,) = list(made.document()[1]["autoscalers"])  # type: ignore[call-overload]
    assert told["dryRun"]


FAST = {"scaling": {"target": 10, "minReplicas": 0}}


async def test_policies_are_lanes_and_sleep_until_they_are_woken() -> None:
    written = listed(Network.random(), deployment("web", 0), service("web", app="web"), policy("web", **FAST))
    world = World(desired=0)
    made = Autoscaling(load_text(written, "test").config_set, lambda: world, world)
    (told,) = list(made.document()[1]["autoscalers"])  # type: ignore[call-overload]
    assert (told["kind"], told["target"], told["maxReplicas"]) == ("TrafficPolicy", "Deployment/web", 10)
    web = WorkloadRef("Deployment", "default", "web")
    assert made.targets() == {web: (True, False)}
    assert await made.wake(web)
    assert world.told == [(1, ())]
    assert not await made.wake(WorkloadRef("Deployment", "default", "other"))


async def test_what_became_of_the_scaling_of_policies() -> None:
    web = [service("web", app="web"), policy("web", **FAST)]
    key, plain = ObjectKey("TrafficPolicy", "default", "web"), ObjectKey("TrafficPolicy", "default", "plain")
    made = Autoscaling(load_text(listed(Network.random(), *web), "test").config_set, World, World())
    assert made.status(plain) is None
    status = made.status(key)
    assert status is not None
    assert (status.state, status.reasons) == ("degraded", (NOTHING_SCALED,))
    made.define(load_text(listed(Network.random(), *web, deployment("web", 1)), "test").config_set)
    assert made.status(key) is None, "nothing is decided yet"
    assert made.parts is not None
    await made.parts.fast.tick()
    status = made.status(key)
    assert status is not None
    assert status.reasons == ("nothing has been measured yet",)


async def test_a_policy_scales_a_service_of_a_swarm(tmp_path: Path) -> None:
    fast = {
        "scaling": {"target": 4, "utilizationPercent": 100, "scaleTargetRef": {"kind": "SwarmService", "name": "blue"}}
    }
    written = listed(Network.random(), deployment("web", 0), service("web", app="web"), policy("web", **fast))
    world = World(in_flight=12)
    async with fake_swarm(tmp_path) as engine:
        engine.put_service("blue", replicas=1)
        swarm = platform_maker("swarm").make(parts(tmp_path, host=engine.host), runs=False).platform
        await swarm.apply(ConfigSet())
        made = Autoscaling(load_text(written, "test").config_set, lambda: world, swarm)
        assert made.parts is not None
        made.parts.executor.clock = world.clock
        async with asyncio.timeout(10):
            while not swarm.statuses():
                await asyncio.sleep(0.01)
        for _ in range(LOOKS):
            world.now += TICK_SECONDS / LOOKS
            made.parts.fast.look()
        await made.parts.fast.tick()
        assert engine.services["id-blue"]["Spec"]["Mode"] == {"Replicated": {"Replicas": 3}}
        await swarm.close()


async def test_a_prometheus_is_asked_where_one_is_named() -> None:
    def asking(url: str, secret: str = "") -> ConfigSet:
        prometheus = PrometheusSettings(url, secret)
        node = NodeConfigSpec(autoscaler=AutoscalerSettings(prometheus=prometheus))
        return ConfigSet(autoscalers={WEB: Written().made()}, node=node)

    made = Autoscaling(asking("http://127.0.0.1:1"), World, World())
    assert made.parts is not None
    first = made.parts.controller.external
    assert first is not None
    made.define(asking("http://127.0.0.1:1"))
    assert made.parts.controller.external is first
    made.define(asking("http://127.0.0.1:2"))
    assert made.parts.controller.external not in (None, first)
    made.define(asking("http://127.0.0.1:2", "nobody/knows"))
    assert made.parts.controller.external is None
    made.define(asking(""))
    assert made.parts.controller.external is None
    await asyncio.sleep(0)
