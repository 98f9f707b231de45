"""The ticker comes on time, and stops when it is left."""

from __future__ import annotations

import asyncio
import time

import pytest

from sidecar.load.timer import Ticker

pytestmark = pytest.mark.both_loops


async def test_ticks_come_and_end() -> None:
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(time.monotonic())
        if len(ticks) == 20:
            enough.set()

    started = time.monotonic()
    with Ticker(loop, 0.0005, tick):
        await asyncio.wait_for(enough.wait(), 5)
    assert ticks[19] - started >= 20 * 0.0005 * 0.9
    seen = len(ticks)
    await asyncio.sleep(0.01)
    assert len(ticks) == seen
