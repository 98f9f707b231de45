"""The loop, on a clock of its own: what it reads, tells, remembers and leaves alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from config.meta import Named, ObjectMeta
from config.resources.autoscaling import HorizontalPodAutoscaler
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage
from mesh.autoscaling.controller import Controller
from mesh.autoscaling.executor import Executor
from mesh.autoscaling.samples import PER_PERIOD
from mesh.autoscaling.target import ReplicaLoad
from mesh.stats import BackendFrame, StatsFrame
from tests.mesh.autoscaling.objects import NOW, Fake, FakeScale, Written, behavior, metric

WEB = Named("default", "web")


@dataclass
class World:
    """A platform and a data plane."""

    now: float = NOW
    desired: int = 2
    in_flight: float = 0.0
    """Of each replica."""
    told: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    known: bool = True
    gone: bool = False
    asked: list[Collection[Named]] = field(default_factory=list)
    usages: int = 0
    epochs: int = 0
    codes: int = 0

    async def read(self, workload: WorkloadRef) -> FakeScale:
        if not self.known:
            raise KeyError(workload)
        assert workload == WorkloadRef("Deployment", "default", "web")
        return FakeScale(self.desired, tuple(Fake(f"r{i}", started=float(i)) for i in range(self.desired)))

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        if self.gone:
            raise KeyError(workload)
        self.told.append((replicas, victims))
        self.desired = replicas

    def usage(self, workload: WorkloadRef) -> Mapping[str, tuple[ContainerUsage, ...]]:
        self.usages += 1
        return {f"r{i}": (ContainerUsage("main", self.now / 10, 1.0, {"cpu": "50m"}),) for i in range(self.desired)}

    def services(self, names: Collection[Named]) -> StatsFrame:
        self.asked.append(names)
        return StatsFrame(
            [BackendFrame(*name, "http", in_flight=int(self.in_flight), codes={200: self.codes}) for name in names]
        )

    def epoch(self) -> int:
        return self.epochs

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        return {f"r{i}": ReplicaLoad(int(self.in_flight) if i else 0, 0) for i in range(self.desired)}

    def clock(self) -> float:
        return self.now


def written(*metrics: Any, most: int = 10, down: int | None = 0, **annotations: str) -> HorizontalPodAutoscaler:
    rules = behavior(scaleDown={"stabilizationWindowSeconds": down}) if down is not None else behavior()
    chosen = tuple(metrics) or (object_metric(),)
    return Written(chosen, most=most, behavior=rules, annotations=annotations).made()


def object_metric(target: int = 10, what: str = "object/", name: str = "weft_http_requests_in_flight") -> Any:
    made = metric(what, target)
    assert made.object is not None
    named = msgspec.structs.replace(made.object.metric, name=name)
    return msgspec.structs.replace(made, object=msgspec.structs.replace(made.object, metric=named))


def controller(world: World, hpa: HorizontalPodAutoscaler, dry_run: bool = False) -> Controller:
    made = Controller(executor := Executor(world, world, world.clock))
    executor.dry_run = dry_run
    made.define({WEB: hpa}, 15.0)
    return made


async def decide(made: Controller, world: World, seconds: float = 15.0) -> Any:
    """All looks of a period, and a decision."""
    for _ in range(PER_PERIOD):
        world.now += seconds / PER_PERIOD
        made.look()
    await made.tick()
    return made.scalers[WEB].decision


async def test_more_load_more_replicas() -> None:
    world = World(in_flight=40)
    made = controller(world, written())
    assert (await decide(made, world)).desired == 4
    assert world.told == [(4, ())]
    assert set(world.asked[0]) == {WEB}
    assert (await decide(made, world)).word == "ReadyForNewScale"


async def test_less_load_the_emptiest_go() -> None:
    world = World(in_flight=40, desired=4)
    made = controller(world, written())
    await decide(made, world)
    world.in_flight = 20
    await decide(made, world)
    assert world.told == [(2, ("r0", "r3"))]


async def test_a_fresh_one_takes_nothing_away_at_once() -> None:
    world = World(desired=4)
    made = controller(world, written(down=None))
    decision = await decide(made, world)
    assert (decision.word, world.told) == ("ScaleDownStabilized", [])
    world.now += 301
    await decide(made, world)
    assert [replicas for replicas, _ in world.told] == [1]


async def test_the_first_replica_stays_while_requests_wait_for_it() -> None:
    world = World(desired=0)
    rules = behavior(scaleDown={"stabilizationWindowSeconds": 0})
    made = controller(world, Written((object_metric(what="object"),), least=0, behavior=rules).made())
    await decide(made, world)
    assert await made._executor.wake(made.scalers[WEB])
    made.scalers[WEB].awaited = world.now + 14.0
    assert (await decide(made, world)).desired == 1
    assert world.told == [(1, ())]
    assert (await decide(made, world)).desired == 0, "nobody waits any more"


async def test_counters_of_somebody_who_counted_before_are_no_growth() -> None:
    world = World(desired=2)
    made = controller(world, written(object_metric(name="weft_http_requests_per_second")))
    await decide(made, world)
    made.look()
    world.codes, world.epochs = 1_000_000, 1
    assert (await decide(made, world)).proposals[0].value == 0
    world.codes += 15 * 60
    assert (await decide(made, world)).proposals[0].value == pytest.approx(60), "of the one that is left"


async def test_who_is_newly_looked_at_has_no_growth() -> None:
    world = World(desired=2, codes=1_000_000)
    other = msgspec.structs.replace(written(), metadata=ObjectMeta("other", "default"))
    made = controller(world, other)
    made.define({Named("default", "other"): msgspec.structs.replace(other, spec=msgspec.structs.replace(
        other.spec, metrics=(metric("pods", 10),)
    ))}, 15.0)  # fmt: skip
    for _ in range(PER_PERIOD):
        world.now += 1.0
        made.look()
    made.define({WEB: written(object_metric(name="weft_http_requests_per_second"))}, 15.0)
    assert (await decide(made, world)).proposals[0].value == 0


async def test_policies_see_earlier_changes() -> None:
    world = World(in_flight=1000, desired=1)
    made = controller(world, written(most=100))
    assert (await decide(made, world, 2.0)).desired == 5
    world.known = False
    assert (await decide(made, world, 1.0)).word == "FailedGetScale"
    world.known = True
    assert (await decide(made, world, 1.0)).word == "ScaleUpLimit"
    assert (await decide(made, world, 20.0)).desired == 10
    assert [replicas for replicas, _ in world.told] == [5, 10]


@pytest.mark.parametrize(
    ("annotations", "dry_run", "why"),
    [({"weft.dev/autoscale": "paused"}, False, "weft.dev/autoscale: paused"), ({}, True, "dry run")],
    ids=["paused", "dry run"],
)
async def test_it_decides_and_changes_nothing(annotations: dict[str, str], dry_run: bool, why: str) -> None:
    world = World(in_flight=40)
    made = controller(world, written(**annotations), dry_run)
    decision = await decide(made, world)
    assert (decision.desired, decision.steps[-1], world.told) == (4, f"not carried out: {why}", [])
    assert decision.history.changes == ()


async def test_a_target_that_is_not_run_here() -> None:
    world = World(known=False)
    made = controller(world, written())
    decision = await decide(made, world)
    assert decision.word == "FailedGetScale"
    assert decision.conditions[0].message.endswith("Deployment web is not run here")
    world.known = True
    assert (await decide(made, world)).word == "ScaleDownStabilized" or world.told


async def test_a_target_that_goes_meanwhile() -> None:
    world = World(in_flight=40, gone=True)
    decision = await decide(controller(world, written()), world)
    assert (decision.word, decision.history.changes) == ("FailedUpdateScale", ())


async def test_resources_are_read_when_they_are_asked_for() -> None:
    world = World()
    made = controller(world, written(metric("cpu%", 50)))
    assert (await decide(made, world)).word == "FailedGetResourceMetric"
    decision = await decide(made, world)
    assert (decision.proposals[0].value, decision.desired, world.usages) == (200.0, 6, 2)
    idle = World()
    await decide(controller(idle, written()), idle)
    assert idle.usages == 0


async def test_what_is_remembered_outlives_an_edit_but_not_another_target() -> None:
    world = World(in_flight=40)
    made = controller(world, written())
    await decide(made, world)
    before = made.scalers[WEB].decision
    made.define({WEB: written(most=20)}, 15.0)
    assert made.scalers[WEB].decision is before
    other = written()
    target = msgspec.structs.replace(other.spec.scale_target_ref, name="else")
    elsewhere = msgspec.structs.replace(other.spec, scale_target_ref=target)
    made.define({WEB: msgspec.structs.replace(other, spec=elsewhere)}, 15.0)
    assert made.scalers[WEB].decision is None
    made.define({}, 15.0)
    assert made.scalers == {}


async def test_nothing_is_asked_without_an_autoscaler() -> None:
    world = World()
    made = controller(world, written())
    made.define({}, 15.0)
    made.look()
    await made.tick()
    assert (world.asked, world.told) == ([], [])


async def test_it_runs_until_it_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    world = World(in_flight=40)
    made = Controller(Executor(world, world, asyncio.get_running_loop().time))
    made.define({WEB: written()}, 0.1)
    with caplog.at_level(logging.INFO, "weft.autoscaler"):
        running = asyncio.create_task(made.run())
        async with asyncio.timeout(10):
            while not world.told:
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert world.told[0] == (4, ())
    assert "workload is scaled" in caplog.messages
