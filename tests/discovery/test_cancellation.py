from __future__ import annotations

import asyncio

import pytest

from discovery.cancellation import end_if_cancelled


async def fails_when_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise OSError


async def carries_on(ended: list[str]) -> None:
    for number in range(2):
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails_when_cancelled())
        except* OSError:
            ended.append(str(number))
        end_if_cancelled()


async def test_a_failure_hides_no_cancellation() -> None:
    ended: list[str] = []
    task = asyncio.create_task(carries_on(ended))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert ended == ["0"]


async def test_who_is_not_cancelled_goes_on() -> None:
    end_if_cancelled()
