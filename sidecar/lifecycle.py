"""The life of a long-running process: its event loop, and how it is asked to end.

SIGTERM or Ctrl-C asks for a graceful stop, and a second one ends the process at once.  That is safe: the lock of
the state folder goes with the process, and the keeper ends the replicas.  SIGHUP asks for the configuration to be
read again; it also comes when the terminal is closed, and that is the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sidecar.errors import INTERRUPTED, TERMINATED

Result = TypeVar("Result")


class Lifecycle:
    """When the process began, and whether it has been asked to end."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.stop = asyncio.Event()
        self.exit_code = 0
        """Of the process, once it has stopped."""
        self.at_once: list[Callable[[], None]] = []
        """What is still done when it is to end at once."""
        self.reload = asyncio.Event()
        """It was asked for the configuration to be read again; whoever does that clears it."""
        self._on_terminal = _on_terminal()
        self._screens = [fd for fd in (1, 2) if os.isatty(fd)]

    def watch_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGTERM, self._terminate)
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def end(self, exit_code: int) -> None:
        """Stop for a reason of our own."""
        self.exit_code = exit_code
        self.stop.set()

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
        self._stop("stopping\n", TERMINATED)

    def _interrupt(self) -> None:
        self._stop("\nstopping; Ctrl-C again to stop at once\n", INTERRUPTED)

    def _hang_up(self) -> None:
        if not self._on_terminal or _on_terminal():
            self.reload.set()
            return
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for screen in self._screens:  # nobody reads what is still to be told
            os.dup2(null, screen)
        os.close(null)
        self._terminate()

    def _stop(self, said: str, at_once: int) -> None:
        if self.stop.is_set():
            for last in self.at_once:
                last()
            os._exit(at_once)
        self.stop.set()
        sys.stderr.write(said)
        sys.stderr.flush()


def _on_terminal() -> bool:
    """Whether there is a terminal that this process belongs to."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


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
