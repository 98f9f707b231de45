"""The publisher: what was written and what exists, compiled and put in force.

It always works on the latest word and skips what was overtaken meanwhile.  A change comes in force at once; in
a burst, those that can wait are joined for a few milliseconds, and an endpoint that goes away still is not.

What takes one slice, as a change of a few endpoints does, is done without the task, which sees to all else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from config.configset import ConfigSet
from discovery.catalog import Snapshot
from mesh.compiler import Compiled, compile_steps
from mesh.proxy import Proxy
from mesh.steps import BUDGET, run_in_slices
from sidecar.convergence import Convergence
from sidecar.urgency import is_urgent

COALESCE_SECONDS = 0.005
"""From one table to the next, unless an endpoint goes away."""


class Publisher:
    """Keeps the table of `proxy` up to date, and calls `in_force` after every table."""

    def __init__(self, proxy: Proxy, config_set: ConfigSet, snapshot: Snapshot) -> None:
        self._proxy = proxy
        self._config_set = config_set
        self._snapshot = snapshot
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._published = asyncio.Event()
        """Set at each table for a moment, which wakes whoever waits."""
        self._free = asyncio.Event()
        self._free.set()
        self._is_idle = False
        """The task waits for the next change."""
        self._begun: Generator[None, None, Compiled] | None = None
        """A table that was begun without the task, and takes longer."""
        self.compiled: Compiled | None = None
        """What is in force; None before the first table."""
        self._last = -COALESCE_SECONDS
        """When the last table came in force, in seconds of the proxy's clock."""
        self.in_force: list[Callable[[Compiled], None]] = []
        self.convergence = Convergence()

    def catalog_changed(self, snapshot: Snapshot) -> None:
        """Take note of `snapshot`; it comes in force soon."""
        if is_urgent(self._snapshot, snapshot):
            self._urgent.set()
        self._snapshot = snapshot
        self._learned()

    def config_changed(self, config_set: ConfigSet) -> None:
        """Take note of `config_set`; it comes in force soon, together with the latest snapshot."""
        self._config_set = config_set
        self._learned()

    def _learned(self) -> None:
        self.convergence.learned(self._proxy.clock())
        if self._is_idle and self._free.is_set():
            self._is_idle = False
            self._proxy.loop.call_soon(self._publish_at_once)
        else:
            self._changed.set()

    def _publish_at_once(self) -> None:
        """Publish, if there is no burst; what does not end within a slice is left to the task."""
        if self._rest > 0 or not self._free.is_set():
            self._changed.set()
            return
        steps = self._steps()
        until = self._proxy.clock() + BUDGET
        try:
            while self._proxy.clock() < until:
                next(steps)
        except StopIteration as done:
            self._came_in_force(done.value)
            self._is_idle = not self._changed.is_set()
            return
        except Exception:
            self._changed.set()  # whoever owns the task hears of it, too
            raise
        self._begun = steps
        self._changed.set()

    @property
    def _rest(self) -> float:
        """Seconds for which other changes are given a moment to come, in a burst."""
        return self._last + COALESCE_SECONDS - self._proxy.clock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """No table meanwhile: what belongs together is told in steps, and comes in force together."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    async def settled(self) -> None:
        """Wait until the `config_set` of the last word is in force; `run` must be running."""
        while self.compiled is None or self.compiled.config_set is not self._config_set:
            await self._published.wait()

    async def run(self) -> None:
        """Publish a table after every change, until cancelled."""
        while True:
            self._is_idle = not self._changed.is_set()
            try:
                await self._changed.wait()
            finally:
                self._is_idle = False
            if self._begun is None:
                if (rest := self._rest) > 0:
                    await self._gather(rest)
                await self._free.wait()
            await self.publish()

    async def publish(self) -> Compiled:
        """Compile the latest word and put it in force."""
        begun, self._begun = self._begun, None
        self._changed.clear()
        compiled = await run_in_slices(begun or self._steps())
        self._came_in_force(compiled)
        return compiled

    def _came_in_force(self, compiled: Compiled) -> None:
        if compiled.snapshot is not self._snapshot or compiled.config_set is not self._config_set:
            self._changed.set()  # it was overtaken
        self._published.set()
        self._published.clear()

    def _steps(self) -> Generator[None, None, Compiled]:
        self._urgent.clear()
        since = self.convergence.taken()
        compiled = yield from compile_steps(self._config_set, self._snapshot, self.compiled, self._proxy.live)
        yield from self._proxy.publish_steps(compiled)
        self.compiled = compiled
        self._last = self._proxy.clock()
        self.convergence.published(since, self._last)
        for tell in self.in_force:
            tell(compiled)
            yield
        return compiled

    async def _gather(self, seconds: float) -> None:
        """In a burst, give other changes a moment to come, unless one cannot wait."""
        try:
            async with asyncio.timeout(seconds):
                await self._urgent.wait()
        except TimeoutError:
            return
