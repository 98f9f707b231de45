"""The fast lane on a clock of its own: what it measures, tells, keeps over an edit and leaves alone."""

from __future__ import annotations

import asyncio

from config.meta import Named, ObjectMeta
from config.scaling import ScalingPolicy
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.executor import Executor
from mesh.autoscaling.fast_lane import LOOKS, TICK_SECONDS, FastLane, Lane
from tests.mesh.autoscaling.test_controller import WEB, World

TARGET = WorkloadRef("Deployment", "default", "web")


def lane(port: str = "", target: WorkloadRef = TARGET, **said: float) -> Lane:
    policy = ScalingPolicy(target=10, utilization_percent=100, max_replicas=50, **said)  # type: ignore[arg-type]
    return Lane(ObjectMeta("web", "default"), policy, WEB, port, target)


async def tick(fast: FastLane, world: World, times: int = 1) -> None:
    for _ in range(times):
        for _ in range(LOOKS):
            world.now += TICK_SECONDS / LOOKS
            fast.look()
        await fast.tick()


async def test_more_at_once_and_fewer_after_a_quiet_window() -> None:
    world = World(in_flight=15, desired=2)
    fast = FastLane(Executor(world, world, world.clock))
    fast.define([lane()])
    world.in_flight = 80
    await tick(fast, world)
    assert world.told == [(8, ())]
    world.in_flight = 10
    await tick(fast, world, 29)
    assert len(world.told) == 1, "a whole quiet window first"
    await tick(fast, world, 35)
    assert [replicas for replicas, _ in world.told][-1] == 1
    assert fast.scalers[WEB].decision is not None


async def test_what_is_woken_for_those_who_wait_is_not_taken_away_meanwhile() -> None:
    world = World(desired=0)
    executor = Executor(world, world, world.clock)
    fast = FastLane(executor)
    fast.define([lane(min_replicas=0)])
    await tick(fast, world, 30)
    world.in_flight = 25
    assert await executor.wake(fast.scalers[WEB])
    assert world.told == [(3, ())], "at once, whatever the means over the windows are"
    await tick(fast, world, 20)
    assert len(world.told) == 1, "a window with the quiet time before does not undo it"
    world.in_flight = 10
    await tick(fast, world, 60)
    assert [replicas for replicas, _ in world.told][-1] == 1


async def test_only_one_port_counts() -> None:
    world = World(in_flight=80, desired=2)
    fast = FastLane(Executor(world, world, world.clock))
    fast.define([lane("other")])
    await tick(fast, world)
    assert world.told == []


async def test_what_is_measured_outlives_an_edit_that_is_about_something_else() -> None:
    world = World(in_flight=10, desired=1)
    fast = FastLane(Executor(world, world, world.clock))
    fast.define([lane()])
    await tick(fast, world)
    before = fast.scalers[WEB]
    fast.define([lane(scale_down_delay=5.0)])
    assert fast.scalers[WEB].averages is before.averages
    assert fast.scalers[WEB].decision is before.decision
    fast.define([lane(window=30.0)])
    assert fast.scalers[WEB].averages is not before.averages
    fast.define([])
    fast.look()
    assert (fast.scalers, len(world.asked)) == ({}, LOOKS)


async def test_a_target_that_is_not_run_here() -> None:
    world = World(known=False)
    fast = FastLane(Executor(world, world, world.clock))
    fast.define([lane()])
    await tick(fast, world)
    decision = fast.scalers[Named("default", "web")].decision
    assert decision is not None
    assert decision.word == "FailedGetScale"


async def test_it_runs() -> None:
    world = World(in_flight=80, desired=2)
    fast = FastLane(Executor(world, world, asyncio.get_running_loop().time))
    running = asyncio.create_task(fast.run())
    fast.define([lane()])
    async with asyncio.timeout(10):
        while not world.told:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.told == [(8, ())]
