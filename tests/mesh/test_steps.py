"""Long work in steps: all of it is done, and others get their turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest

from mesh.steps import gather, run_in_slices, run_to_end


def count(to: int) -> Generator[None, None, str]:
    for _ in range(to):
        yield
    return "done"


def test_run_to_end() -> None:
    assert run_to_end(count(3)) == "done"
    assert run_to_end(count(0)) == "done"


async def test_others_run_between_slices() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(other())
    assert await run_in_slices(count(50), budget=0.0) == "done"
    beside.cancel()
    assert turns >= 50


async def test_steps_within_the_budget_are_not_interrupted() -> None:
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    assert await run_in_slices(count(50), budget=60.0) == "done"
    assert not turned.done()
    await turned


async def test_a_failing_step_fails_the_work() -> None:
    def failing() -> Generator[None, None, None]:
        yield
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_in_slices(failing())


def test_gather_stops_for_breath() -> None:
    steps = gather(iter(range(10)), every=4)
    assert [next(steps) for _ in range(2)] == [None, None]
    assert run_to_end(steps) == list(range(10))
    assert run_to_end(gather(())) == []
