"""Long work hands the loop back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator

from sidecar.slices import in_slices


def work(steps: int, seconds: float) -> Generator[None, None, str]:
    for _ in range(steps):
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass
        yield
    return "done"


async def test_the_value_is_returned() -> None:
    assert await in_slices(work(0, 0)) == "done"
    assert await in_slices(work(10, 0)) == "done"


async def test_others_run_in_between() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(other())
        await in_slices(work(20, 0.001))
        beside.cancel()
    assert turns >= 5
