"""The pulse of the data plane: one timer that drives all deadlines and sees how late the event loop is.

A timer that fires late was held up by something that held the loop, or by a machine that is too busy; both
delay every connection by as much.
"""

from __future__ import annotations

import asyncio
import time

from mesh.deadlines import Deadlines

WINDOW_SECONDS = 10.0
"""The lag told is the longest of the last one to two windows."""


class Pulse:
    """Runs from `start` to `stop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self._loop = loop
        self._deadlines = deadlines
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.Handle | None = None
        self._due = 0.0
        self._longest = 0.0
        self._before = 0.0
        self._window_ends = 0.0

    def start(self) -> None:
        self._window_ends = time.monotonic() + WINDOW_SECONDS
        self._wait()

    def stop(self) -> None:
        for handle in (self._timer, self._rest):
            if handle is not None:
                handle.cancel()

    @property
    def lag(self) -> float:
        """Seconds that the loop was late at most, lately."""
        return max(self._longest, self._before)

    def _wait(self) -> None:
        self._due = time.monotonic() + self._deadlines.tick
        self._timer = self._loop.call_later(self._deadlines.tick, self._beat)

    def _beat(self) -> None:
        now = time.monotonic()
        self._longest = max(self._longest, now - self._due)
        if now >= self._window_ends:
            self._before, self._longest = self._longest, 0.0
            self._window_ends = now + WINDOW_SECONDS
        try:
            self._advance()
        finally:
            self._wait()

    def _advance(self) -> None:
        if not self._deadlines.advance():
            self._rest = self._loop.call_soon(self._advance)
