"""Long work in steps: a generator that yields often, and whoever drives it hands the loop back in between.

This is how compiling, publishing and scraping stay beside the traffic without a thread: no step holds the
loop for long, and a driver runs as many steps in a row as its budget allows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

BUDGET = 0.001
"""Seconds of steps in a row; a step itself takes less."""


def gather(items: Iterable[T], every: int = 64) -> Generator[None, None, list[T]]:
    """The list of `items`, with a breath after so many of them."""
    gathered = []
    for number, item in enumerate(items, 1):
        gathered.append(item)
        if not number % every:
            yield
    return gathered


def run_to_end(steps: Generator[object, None, T]) -> T:
    """All steps at once; returns what the generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


async def run_in_slices(steps: Generator[object, None, T], budget: float = BUDGET) -> T:
    """All steps, handing the loop back whenever `budget` seconds are used up."""
    until = time.monotonic() + budget
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        if time.monotonic() >= until:
            await asyncio.sleep(0)
            until = time.monotonic() + budget
