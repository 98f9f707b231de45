"""Waking: once for all that wait, by whoever may, and said when it fails."""

from __future__ import annotations

import asyncio

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.plan import BackendKey
from sidecar.waking import Waking

KEY = BackendKey("default", "web", "http")
FIRST = WorkloadRef("Deployment", "default", "first")
TARGET = WorkloadRef("SwarmService", "default", "second")


class Autoscaler:
    """Has `TARGET` sleep at zero, and remembers who was woken."""

    def __init__(self) -> None:
        self.woken: list[WorkloadRef] = []
        self.held_by = ""
        self.able = True

    def wakes(self, workload: WorkloadRef) -> bool:
        return workload == TARGET

    def held(self, workload: WorkloadRef) -> str:
        return self.held_by

    async def wake(self, workload: WorkloadRef) -> bool:
        self.woken.append(workload)
        return self.able


class Sizes:
    """Of a Service with two workloads."""

    zero = True

    def asleep(self, key: BackendKey) -> bool:
        return self.zero

    def behind(self, key: BackendKey) -> tuple[WorkloadRef, ...]:
        return (FIRST, TARGET) if key.service == KEY.service else ()


class World:
    def __init__(self) -> None:
        self.autoscaler, self.sizes = Autoscaler(), Sizes()
        self.waking = Waking(self.sizes, self.autoscaler)

    async def turn(self) -> None:
        """Let what was called for be carried out."""
        task = asyncio.create_task(self.waking.run())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_what_may_sleep_behind_a_service() -> None:
    waking = World().waking
    assert waking.wakeable(KEY) == TARGET
    assert waking.wakeable(KEY._replace(service="other")) is None


def test_what_is_said_of_a_service() -> None:
    world = World()
    assert world.waking.says(Named("default", "web")) == "scaled to zero; a request wakes it"
    assert world.waking.says(Named("default", "other")) == ""
    world.autoscaler.held_by = "dry run"
    assert world.waking.says(Named("default", "web")) == "scaled to zero; no request wakes it: dry run"
    assert world.waking.held(KEY) == "dry run"
    assert world.waking.held(KEY._replace(service="other")) == ""
    world.sizes.zero = False
    assert world.waking.says(Named("default", "web")) == ""


async def test_many_calls_are_one() -> None:
    world = World()
    assert all(world.waking.wake(TARGET) for _ in range(100))
    await world.turn()
    assert world.autoscaler.woken == [TARGET]
    assert world.waking.wake(TARGET)
    await world.turn()
    assert world.autoscaler.woken == [TARGET, TARGET]


async def test_who_would_do_nothing_is_not_asked() -> None:
    world = World()
    world.autoscaler.held_by = "paused"
    assert not world.waking.wake(TARGET)
    await world.turn()
    assert world.autoscaler.woken == []


async def test_a_failure_is_told_once_and_tried_again() -> None:
    world = World()
    world.autoscaler.able = False
    assert world.waking.wake(TARGET)
    await world.turn()
    assert not world.waking.wake(TARGET)
    assert world.waking.wake(TARGET)
