"""The pulse drives deadlines and sees a loop that is held."""

from __future__ import annotations

import asyncio
import time

import pytest

from mesh.deadlines import Deadlines
from sidecar import pulse as module
from sidecar.pulse import Pulse


class Watched:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.told = asyncio.Event()

    def on_deadline(self, _now: float) -> None:
        self.deadline = 0
        self.told.set()


def hold(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_deadlines_are_driven() -> None:
    deadlines = Deadlines(time.monotonic, tick=0.01)
    pulse = Pulse(asyncio.get_running_loop(), deadlines)
    item = Watched(time.monotonic() + 0.03)
    deadlines.watch(item)
    pulse.start()
    await asyncio.wait_for(item.told.wait(), 5)
    pulse.stop()


async def test_a_held_loop_is_seen_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_SECONDS", 0.5)
    pulse = Pulse(asyncio.get_running_loop(), Deadlines(time.monotonic, tick=0.01))
    pulse.start()
    await asyncio.sleep(0.02)
    hold(0.2)
    await asyncio.sleep(0.02)
    assert 0.15 < pulse.lag < 5
    async with asyncio.timeout(10):
        while pulse.lag > 0.15:
            await asyncio.sleep(0.01)
    pulse.stop()
