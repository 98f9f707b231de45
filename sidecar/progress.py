"""Tells how a start goes, until all is there; looks only when something has changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from sidecar.announcer import Announcer
from sidecar.doors import Door
from sidecar.standing import Standing

LOOK_SECONDS = 0.02
"""Changes come in swarms; this long they may gather."""
PATIENCE_SECONDS = 10.0
"""After this long without being ready, what is missing is printed."""


class Progress:
    """Shows `running` to `announcer`; `began` is a time of `time.monotonic`, `to_try` makes the last lines.

    `listening`: what else than doors this process has, and where.
    """

    def __init__(
        self,
        running: Standing,
        announcer: Announcer,
        to_try: Callable[[Sequence[Door]], list[str]],
        began: float,
        listening: Callable[[], Iterable[tuple[str, str]]] = tuple,
    ) -> None:
        self._running = running
        self._announcer = announcer
        self._to_try = to_try
        self._began = began
        self._listening = listening
        self._changed = asyncio.Event()
        running.subscribe(self._changed.set)

    async def tell(self) -> None:
        """Print what is new until everything is ready."""
        patience = self._began + PATIENCE_SECONDS
        while not self._look():
            if patience and time.monotonic() >= patience:
                self._announcer.waiting(self._running.missing())
                patience = 0.0
            await asyncio.sleep(LOOK_SECONDS)
            await self._change(patience)
        self._announcer.listening(self._listening())
        self._announcer.not_in_force(self._running.not_in_force())
        self._announcer.ready(time.monotonic() - self._began, self._to_try(tuple(self._running.doors())))

    def stopped(self) -> None:
        self._announcer.stopped()

    def _look(self) -> bool:
        """Show what is there; whether that is all."""
        self._changed.clear()
        missing = self._running.missing()
        self._announcer.show(self._running.doors(), self._running.workloads())
        return not missing

    async def _change(self, patience: float) -> None:
        timeout = max(patience - time.monotonic(), 0) if patience else None
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
