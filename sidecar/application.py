"""The application beside a sidecar: probed, perhaps started as a child, and ended only when nobody needs it any more.

The order of its end is that of every replica: it is said to be terminating, all nodes have taken note, nothing is in
flight on it, and only then comes SIGTERM.  A child that ends by itself ends the sidecar, with its exit code; one
whose sidecar was killed is ended by the keeper, as replicas are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from discovery.endpoint import Replica
from discovery.health import Verdict
from discovery.platforms.base import Drained, ReplicasChanged, ReplicaStatus, WorkloadStatus
from discovery.platforms.keeper import Keeper
from discovery.prober import Prober, ProbeTarget
from sidecar.beside import ADDRESS, Beside

CONTAINER: Final = "application"
PASSED_ON: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH, signal.SIGCONT)
"""Signals that mean nothing to a sidecar."""

NOT_STARTED: Final = 127
"""Exit code, as a shell has it."""

log = logging.getLogger(__name__)


class Application:
    """A platform that runs one replica, or finds it running."""

    def __init__(
        self,
        beside: Beside,
        replica: Replica,
        *,
        prober: Prober,
        drained: Drained,
        seconds: float,
        ended: Callable[[int], None],
    ) -> None:
        """`seconds`: for the end, twice; `ended` is called with the exit code when a child ends."""
        self._beside = beside
        self._seconds = seconds
        self._prober = prober
        self._drained = drained
        self._ended = ended
        self._told: list[ReplicasChanged] = []
        self._child: asyncio.subprocess.Process | None = None
        self._keeper = Keeper(Random())
        self._watching: asyncio.Task[None] | None = None
        self._closing = False
        self._reason = "it is not probed yet"
        self._replica = replica

    async def apply(self, config_set: ConfigSet) -> None:
        """Start it and probe it, if that is not so."""
        if self._watching is not None or self._closing:
            return
        if self._beside.command and not await self._start(self._beside.command):
            return
        self._watching = asyncio.create_task(self._watch(), name="application")
        target = ProbeTarget(
            self._replica.id, CONTAINER, ADDRESS, readiness=self._beside.probe, accept_ports=self._beside.numbers
        )
        self._prober.start(target, self._judged)

    def replicas(self) -> tuple[Replica, ...]:
        return (self._replica,)

    def subscribe(self, callback: ReplicasChanged) -> None:
        """Call `callback` with the replica now and on every change."""
        self._told.append(callback)
        callback(self.replicas())

    def desired(self, name: Named) -> int | None:
        """No number of replicas is kept here: what is written holds."""
        return None

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        replica = self._replica
        status = ReplicaStatus(
            replica.id, replica.ready, running=True, terminating=replica.terminating, restarts=0, message=self._reason
        )
        ready = int(replica.ready)
        return (WorkloadStatus(replica.workload, 1, 1, ready, 1, message=self._reason, replicas=(status,)),)

    async def close(self) -> None:
        """Drain it, then end the child; within bounds."""
        if not self._closing:
            self._closing = True
            self._become(terminating=True, ready=False)
            loop = asyncio.get_running_loop()
            if self._is_running():
                await self._drained(self._replica.id, loop.time() + self._seconds)
            self._prober.stop(self._replica.id, CONTAINER)
            await self._end()
            for callback in self._told:
                callback(())
        if self._watching is not None:
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._keeper.close()

    def kill(self) -> None:
        """End the child at once."""
        if self._child is not None:
            self._signal(signal.SIGKILL)

    def _is_running(self) -> bool:
        return not self._beside.command or (self._child is not None and self._child.returncode is None)

    async def _start(self, command: tuple[str, ...]) -> bool:
        """Start the child, in a session of its own: what a terminal sends to weft is not for it."""
        self._keeper.start()
        environment = {**os.environ, **self._keeper.mark}
        try:
            self._child = await asyncio.create_subprocess_exec(*command, env=environment, start_new_session=True)
        except OSError as error:
            log.error("%s cannot be started: %s", command[0], error.strerror)
            self._ended(NOT_STARTED)
            return False
        self._keeper.add(self._child.pid)
        for number in PASSED_ON:
            asyncio.get_running_loop().add_signal_handler(number, self._signal, number)
        return True

    async def _end(self) -> None:
        child = self._child
        if child is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._seconds):
                await child.wait()
        except TimeoutError:
            log.warning("the application has not ended %g s after SIGTERM: it is killed", self._seconds)
            self._signal(signal.SIGKILL)

    async def _watch(self) -> None:
        """Wait for the end of the child."""
        if self._child is None:
            return
        code = await self._child.wait()
        self._keeper.remove(self._child.pid)
        self._prober.stop(self._replica.id, CONTAINER)
        self._become(terminating=True, ready=False, serving=False)
        if not self._closing:
            log.warning("the application has ended by itself (%s)", _how(code))
        self._ended(128 - code if code < 0 else code)

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None and self._child.returncode is None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)

    def _judged(self, verdict: Verdict) -> None:
        self._reason = "" if verdict.ready else verdict.reason
        ready = verdict.ready and not self._replica.terminating
        self._become(ready=ready, serving=verdict.ready)

    def _become(self, **changes: bool) -> None:
        now = replace(self._replica, **changes)
        if now == self._replica:
            return
        self._replica = replace(now, since=time.time())
        for callback in self._told:
            callback(self.replicas())


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
