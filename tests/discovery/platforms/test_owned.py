from __future__ import annotations

import asyncio
from typing import Any

from discovery.platforms.owned import OwnedTasks


async def test_all_end_with_their_owner() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    tasks = OwnedTasks()
    assert not tasks
    tasks.start(work("a"), "a")
    tasks.start(work("b"), "b")
    assert sorted(task.get_name() for task in tasks) == ["a", "b"]
    await asyncio.sleep(0)
    await tasks.close()
    assert (sorted(ended), len(tasks)) == (["a", "b"], 0)


async def test_a_fault_is_told_at_once() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fails() -> None:
        raise ValueError("not foreseen")

    tasks = OwnedTasks()
    tasks.start(fails(), "swarm")
    async with asyncio.timeout(5):
        while not told:
            await asyncio.sleep(0)
    assert told[0]["message"] == "swarm ended by a fault of the platform"
    await tasks.close()
