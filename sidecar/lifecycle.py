"""The life of a long-running process: its event loop, and how it is asked to end.

SIGTERM or the first Ctrl-C asks for a graceful stop; a second Ctrl-C ends the process at once.  That is safe:
the lock of the state folder goes with the process, and the keeper ends the replicas.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sidecar.errors import INTERRUPTED

Result = TypeVar("Result")


class Lifecycle:
    """When the process began, and whether it has been asked to end."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stop = asyncio.Event()

    def watch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)

    async def unless_stopped(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """What `work` returns; None when the process is asked to end before that: then `work` is cancelled."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            return None if self.stop.is_set() else working.result()
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def _terminate(self) -> None:
        if not self.stop.is_set():
            self._stop("stopping\n")

    def _interrupt(self) -> None:
        if self.stop.is_set():
            os._exit(INTERRUPTED)
        self._stop("\nstopping; Ctrl-C again to stop at once\n")

    def _stop(self, said: str) -> None:
        self.stop.set()
        sys.stderr.write(said)
        sys.stderr.flush()


def run(main: Callable[[Lifecycle], Coroutine[Any, Any, int]]) -> int:
    """Run `main` on a new event loop, uvloop's where it is installed, and return its exit code."""

    async def watched() -> int:
        lifecycle = Lifecycle()
        lifecycle.watch_signals(asyncio.get_running_loop())
        return await main(lifecycle)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(watched())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if os.environ.get("WEFT_LOOP") == "asyncio":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
