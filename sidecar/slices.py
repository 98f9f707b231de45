"""Long work beside the traffic: done in slices, with the event loop handed back in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

SLICE_SECONDS = 0.002
"""Well under the 5 ms that nothing may hold the loop for, since a step may be long too."""


async def in_slices(steps: Generator[None, None, T]) -> T:
    """Run `steps` to its end and return its value."""
    pause_at = time.perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as done:
            value: T = done.value
            return value
        if time.perf_counter() >= pause_at:
            await asyncio.sleep(0)
            pause_at = time.perf_counter() + SLICE_SECONDS
