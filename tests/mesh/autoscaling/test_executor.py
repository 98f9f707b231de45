"""Carrying out: who may, waking what sleeps, and what is said when nothing is done."""

from __future__ import annotations

import pytest

from discovery.endpoint import WorkloadRef
from mesh.autoscaling.decision import Decision
from mesh.autoscaling.executor import Executor
from mesh.autoscaling.scaler import AWAITED, scaler_of
from tests.mesh.autoscaling.objects import Written, behavior, metric
from tests.mesh.autoscaling.test_controller import World, object_metric


def sleeper(least: int = 0, **annotations: str) -> Written:
    return Written(least=least, annotations=annotations)


async def test_what_sleeps_is_woken_at_once() -> None:
    world = World(desired=0)
    executor = Executor(world, world, world.clock)
    scaler = scaler_of(sleeper().made())
    assert await executor.wake(scaler)
    assert world.told == [(1, ())]
    assert scaler.decision is not None
    assert (scaler.decision.word, scaler.decision.reason) == ("SucceededRescale", "requests are waiting")
    assert scaler.decision.history.recommendations == {1: world.now}, "so that a window holds it"
    assert await executor.wake(scaler), "it is awake"
    assert len(world.told) == 1


IN_FLIGHT = object_metric()
ENOUGH: dict[str, tuple[Written, list[int]]] = {
    "as much as waits": (Written((IN_FLIGHT,), least=0, most=9), [3, 7]),
    "of several metrics the largest": (Written((metric("object", 10), IN_FLIGHT), least=0, most=9), [3, 7]),
    "one where no metric sees it": (Written((metric("pods", 10),), least=0, most=9), [1]),
    "no faster than policies allow": (
        Written(
            (IN_FLIGHT,), least=0, most=9,
            behavior=behavior(scaleUp={"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}),
        ),
        [2],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENOUGH)
async def test_as_many_are_woken_as_what_waits_asks_for(case: str) -> None:
    written, sizes = ENOUGH[case]
    world = World(desired=0, in_flight=30)
    executor = Executor(world, world, world.clock)
    scaler = scaler_of(written.made())
    assert await executor.wake(scaler)
    world.now += 20.0
    world.in_flight = 200
    assert await executor.wake(scaler), "said again while they wait"
    assert [replicas for replicas, _ in world.told] == sizes
    assert scaler.is_awaited(world.now + AWAITED / 2)
    assert not scaler.is_awaited(world.now + AWAITED)


REFUSED: dict[str, tuple[Written, dict[str, bool], str]] = {
    "not to zero": (sleeper(1), {}, ""),
    "paused": (sleeper(0, **{"weft.dev/autoscale": "paused"}), {}, ""),
    "standby": (sleeper(), {}, "another acts"),
    "not run here": (sleeper(), {"known": False}, ""),
    "gone meanwhile": (sleeper(), {"gone": True}, ""),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_nobody_is_woken(case: str) -> None:
    written, how, standby = REFUSED[case]
    world = World(desired=0, **how)  # type: ignore[arg-type]
    executor = Executor(world, world, world.clock, lambda: standby)
    assert not await executor.wake(scaler_of(written.made()))
    assert world.told == []


async def test_why_the_target_does_not_take_it_is_said() -> None:
    class Refuses(World):
        async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
            raise OSError("service web cannot be scaled: the swarm does not have a leader")

    world = Refuses(desired=0)
    scaler = scaler_of(sleeper().made())
    assert not await Executor(world, world, world.clock).wake(scaler)
    assert scaler.decision is not None
    (condition,) = (each for each in scaler.decision.conditions if each.type == "AbleToScale")
    assert (condition.status, condition.reason) == (False, "FailedUpdateScale")
    assert condition.message.endswith("does not have a leader")


async def test_a_standby_decides_and_does_nothing() -> None:
    world = World(desired=2)
    executor = Executor(world, world, world.clock, lambda: "the registry b acts")
    scaler = scaler_of(Written().made())
    scale = await executor.read(scaler)
    assert not isinstance(scale, Decision)
    done = await executor.carry_out(scaler, scale, Decision(2, 5))
    assert (done.steps, world.told) == (("not carried out: the registry b acts",), [])
