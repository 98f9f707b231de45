"""Weft's end of the keeper's pipe (see `keeper_process`): which groups to end should weft die.

The keeper is replaced when it dies, and told of all groups again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
from pathlib import Path
from random import Random

from discovery.backoff import Backoff, BackoffPolicy
from discovery.platforms import keeper_process
from discovery.platforms.spawn import Process

log = logging.getLogger("weft.keeper")

_AGAIN = BackoffPolicy(first=1, ceiling=60, immediate=1, forget_after=60)


class Keeper:
    """Tells the keeper process of process groups.  Use from the event loop's thread; `close` when done."""

    def __init__(self, random: Random, grace: float = 2.0) -> None:
        """`grace`: seconds between SIGTERM and SIGKILL once weft is gone."""
        self._mark = secrets.token_hex(8)
        self._grace = grace
        self._groups: set[int] = set()
        self._backoff = Backoff(_AGAIN, random)
        self._process: Process | None = None
        self._pipe = -1
        self._restart: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def mark(self) -> dict[str, str]:
        """What the environment of everything that is kept has to carry."""
        return {keeper_process.MARK: self._mark}

    @property
    def pid(self) -> int:
        """Process number of the keeper; 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the keeper process; what goes wrong is logged and tried again."""
        self._restart = None
        try:
            self._open()
        except OSError as error:
            log.error("keeper cannot start: replicas would outlive a killed weft", extra={"reason": error.strerror})
            self._lost()
        for group in self._groups:
            self._tell(f"+{group}\n")

    def add(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    async def close(self) -> None:
        """Break the pipe: the keeper ends what is left, normally nothing, and itself."""
        self._closed = True
        if self._restart:
            self._restart.cancel()
        self._hang_up()
        if self._process:
            await self._process.wait()

    def _open(self) -> None:
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        script = str(Path(keeper_process.__file__).resolve())
        argv = (sys.executable, "-I", "-S", script, self._mark, str(self._grace))
        try:
            self._process = Process(argv, folder="/", environment={}, stdin=theirs, ended=self._on_end)
        finally:
            os.close(theirs)

    def _tell(self, line: str) -> None:
        if self._pipe < 0:
            return
        try:
            os.write(self._pipe, line.encode())
        except (BrokenPipeError, BlockingIOError) as error:
            # It ended, or was stopped: one that does not read keeps nothing.
            log.warning("keeper does not listen", extra={"reason": error.strerror})
            if self._process:
                self._process.kill()

    def _on_end(self, process: Process) -> None:
        self._process = None
        self._hang_up()
        if not self._closed:
            log.warning("keeper ended, starting another", extra={"pid": process.pid})
            self._lost()

    def _lost(self) -> None:
        self._hang_up()
        loop = asyncio.get_running_loop()
        self._restart = loop.call_later(self._backoff.failed(loop.time()), self.start)

    def _hang_up(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
