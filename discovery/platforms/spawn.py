"""A local process in a session and group of its own, watched through a pidfd.

Works on every event loop and needs no SIGCHLD handler, which loops and libraries fight over.  The process
stays a zombie until its end was seen here, so its number, which is also its group's, cannot be given to
another before the last signal to the group was sent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat

from discovery.platforms.keeper_process import living

_POLLS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between looks at what a stopping group still has: nothing tells, and looking has a price."""


class Process:
    """A started process.  Whoever starts one awaits `stop` or `wait`, and `kill`s it when given up."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        folder: str,
        environment: Mapping[str, str],
        output: int = subprocess.DEVNULL,
        stdin: int = subprocess.DEVNULL,
        ended: Callable[[Process], None] | None = None,
    ) -> None:
        """Start `argv`; standard output and error go to the descriptor `output`, which stays the caller's.

        `ended` is called once when nothing of the group is left to be signalled.  Raises OSError, or
        ValueError for text that no process can be given (NUL).
        """
        self._loop = asyncio.get_running_loop()
        self._popen = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        self._ended = ended
        self._stopping = False
        self._gone = False
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = self._watch()

    @property
    def running(self) -> bool:
        return not self._exit.done()

    async def wait(self) -> int:
        """The exit code; negative for the signal that ended it."""
        return await asyncio.shield(self._exit)

    async def stop(self, grace: float) -> None:
        """SIGTERM to the group, and SIGKILL to what is left of it after `grace` seconds."""
        self._stopping = True
        deadline = self._loop.time() + grace
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout_at(deadline):
                await self.wait()
                # A shell may be gone while what it started still finishes its work.
                for pause in chain(_POLLS, repeat(0.8)):
                    if not self._group_lives():
                        break
                    await asyncio.sleep(pause)
        except TimeoutError:
            self.kill()
            await self.wait()
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the group, without waiting."""
        self._stopping = False
        self.signal(signal.SIGKILL)
        if not self.running:
            self._finish()

    def signal(self, number: int) -> None:
        """Signal the whole group, if there is still something of it."""
        if not self._gone:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _watch(self) -> int:
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:  # out of descriptors
            self._popen.kill()
            self._popen.wait()
            raise
        self._loop.add_reader(pidfd, self._on_exit)
        return pidfd

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return bool(living({self.pid}))  # zombies wait for an init that may be slow to reap, or absent

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if not self._stopping:
            # As in a container, nothing outlives the first process.
            self.signal(signal.SIGKILL)
        self._exit.set_result(self._popen.wait())
        if not self._stopping:
            self._finish()

    def _finish(self) -> None:
        self._gone = True
        ended, self._ended = self._ended, None
        if ended:
            ended(self)
