"""What containers use, from the engine's stats: asked for now and then, while somebody wants to know.

``cpu_stats.cpu_usage.total_usage`` is nanoseconds; of the memory the page cache that can be given back at once is
not counted, as docker's own client does it (``inactive_file``, in cgroups v1 ``total_inactive_file``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from config.resources.workloads import Container
from discovery.platforms.base import ContainerUsage
from discovery.platforms.docker.engine import EngineError

PERIOD: Final = 5.0
"""Seconds between two looks at all containers that somebody wants to know of."""
WANTED_SECONDS: Final = 120.0
"""For so long after it was asked for, the usage of a container is looked at."""
AT_ONCE: Final = 8


def read(stats: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Seconds of a processor, and bytes; None: the engine does not say."""
    processor = stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage")
    memory = stats.get("memory_stats", {})
    used, details = memory.get("usage"), memory.get("stats") or {}
    if not stats.get("cpu_stats", {}).get("system_cpu_usage"):  # it does not run
        return None, None
    idle = details.get("total_inactive_file", details.get("inactive_file", 0))
    return (
        processor / 1e9 if processor is not None else None,
        float(max(0, used - idle)) if used is not None else None,
    )


class Usage:
    """The last answers; needs a task of the caller for `run`."""

    def __init__(self, stats: Callable[[str], Awaitable[Mapping[str, Any]]], clock: Callable[[], float]) -> None:
        """`stats` asks for those of one container; raises EngineError.  `clock` in seconds, monotonic."""
        self._stats = stats
        self._clock = clock
        self._known: dict[str, tuple[float, float | None, float | None]] = {}
        """When it was, and what `read` says."""
        self._wanted: dict[str, float] = {}

    def of(self, container: str, spec: Container) -> ContainerUsage:
        """What was seen last; that somebody asks has it looked at again."""
        if container:
            self._wanted[container] = self._clock()
        at, seconds, memory = self._known.get(container, (None, None, None))
        requests = {**spec.resources.limits, **spec.resources.requests}
        return ContainerUsage(spec.name, seconds, memory, requests, at)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Ask for the stats of all that are wanted, a few at a time: an engine takes a second for each."""
        latest = self._clock() - WANTED_SECONDS
        self._wanted = {name: asked for name, asked in self._wanted.items() if asked >= latest}
        self._known = {name: known for name, known in self._known.items() if name in self._wanted}
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(container: str) -> None:
            async with room:
                try:
                    found = read(await self._stats(container))
                    self._known[container] = (self._clock(), *found)
                except EngineError:
                    self._known.pop(container, None)

        await asyncio.gather(*map(ask, tuple(self._wanted)))
