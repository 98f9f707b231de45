"""What keeps a container running, whatever runs it: it is started again when it ends, after kubelet's back-off.

Containers of Deployments are always restarted (restartPolicy Always).  What one run is, a process or a container of
an engine, those say that build on this.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

from config.configset import ConfigSet
from config.resources.workloads import Container as ContainerSpec
from discovery.backoff import Backoff, BackoffPolicy
from discovery.platforms import hooks
from discovery.prober import ProbeTarget, Verdict

log = logging.getLogger("weft.replica")


class Home(Protocol):
    """What all containers of one platform share."""

    @property
    def config(self) -> ConfigSet: ...
    @property
    def clock(self) -> Callable[[], float]:
        """Monotonic, in seconds."""

    @property
    def restarts(self) -> BackoffPolicy: ...
    @property
    def random(self) -> Random: ...


class Restarted(ABC):
    """One container that is to run until `stop`.  Use from the event loop's thread."""

    def __init__(self, home: Home, spec: ContainerSpec, replica: str, *, grace: float) -> None:
        """`grace`: seconds from the stop signal to SIGKILL."""
        self.spec = spec
        self.message = ""
        """What keeps it from running or being ready; empty when nothing does."""
        self.last_end = ""
        """Why it ended the last time; empty when it never did."""
        self.starts = 0
        self._home = home
        self._replica = replica
        self._grace = grace
        self._backoff = Backoff(home.restarts, home.random)
        self._wake = asyncio.Event()
        self._retired = False
        self._stopping = False
        self._unhealthy = ""
        self._given_up = ""
        self._hooked_start: int | None = None
        """Of which start the preStop hook has been run."""
        self._start_failed = False
        """The last start's postStart hook failed."""

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)

    @property
    def pending(self) -> bool:
        """It has never been started."""
        return not self.starts

    def observe(self) -> None:
        """The configuration, or what is known of it, changed: what could not be started for the want of it is tried."""
        self._wake.set()

    def retire(self) -> None:
        """Let it run, but when it ends, or has ended, never start it again."""
        self._retired = True
        self._wake.set()

    def stop(self) -> None:
        """Have `run` end it (stop signal, grace, SIGKILL) and return."""
        self._stopping = True
        self.retire()

    # For those that build on this

    @abstractmethod
    async def execute(self, argv: tuple[str, ...], timeout: float) -> int:  # noqa: ASYNC109 - the prober's seam
        """Run a command as if in the container, and return its exit code; raises TimeoutError or OSError."""

    @abstractmethod
    def _with_words(self, why: str) -> str:
        """`why`, and what the program said last; that is shown to who asks, and kept out of weft's own log."""

    def _target(
        self,
        address: str,
        ports: Mapping[str | int, int],
        accept_ports: tuple[int, ...],
        *,
        remedy: str,
        age: float = 0.0,
    ) -> ProbeTarget:
        """It as the prober is to know it; see there."""
        return ProbeTarget(
            replica_id=self._replica,
            container=self.spec.name,
            address=address,
            ports=ports,
            readiness=self.spec.readiness_probe,
            liveness=self.spec.liveness_probe,
            startup=self.spec.startup_probe,
            accept_ports=accept_ports,
            execute=self.execute,
            remedy=remedy,
            age=age,
        )

    def _say(self, message: str) -> None:
        self.message = message

    @abstractmethod
    def _set_verdict(self, ready: bool) -> None:
        """Its probes say so."""

    def _on_verdict(self, verdict: Verdict) -> None:
        if not verdict.alive and not self._retired:
            self._unhealthy = verdict.reason or "liveness probe failed"
            self._wake.set()
        self.message = "" if verdict.ready else self._with_words(verdict.reason)
        self._set_verdict(verdict.ready)

    async def _back_off(self, why: str) -> None:
        """Wait until it may be started again."""
        if self._retired:
            return
        delay = self._backoff.failed(self._home.clock())
        self._give_up(f"CrashLoopBackOff: {why}; next start in {delay:.0f} s" if delay else why)
        await self._until(lambda: self._retired, asyncio.get_running_loop().time() + delay)

    async def _reconfigured(self, why: str) -> None:
        """Wait until another configuration may help."""
        self._give_up(why)
        seen = self._home.config
        await self._until(lambda: self._retired or self._home.config is not seen)

    def _give_up(self, why: str) -> None:
        if why != self._given_up:
            log.warning("container does not run", extra={**self._names(), "reason": why})
        self._given_up = why
        self._say(self._with_words(why))

    def _grace_of_kill(self) -> float:
        """A probe that failed may name a grace period of its own."""
        if not (self._stopping or self._start_failed):
            for probe in (self.spec.liveness_probe, self.spec.startup_probe):
                if probe and probe.termination_grace_period_seconds:
                    return probe.termination_grace_period_seconds
        return self._grace

    async def _begun(self, target: ProbeTarget, over: Callable[[], bool]) -> bool:
        """Run the postStart hook of what has just been started, if there is one; whether it may be used from now on.

        Else the hook failed, which makes it unhealthy, or it is `over` with this run, which `_wake` announces: then the
        hook ends unfinished.
        """
        self._start_failed = False
        hook = self.spec.lifecycle.post_start if self.spec.lifecycle else None
        if hook is None:
            return not over()
        self._say(self._with_words("its postStart hook is not done"))
        async with asyncio.TaskGroup() as group:
            hooked = group.create_task(hooks.run(hook, target, hooks.patience(hook)))
            hooked.add_done_callback(lambda _: self._wake.set())
            await self._until(lambda: hooked.done() or over())
            hooked.cancel()
        if over() or hooked.cancelled():
            return False
        self._say("")
        if why := hooked.result():
            self._start_failed, self._unhealthy = True, f"PostStartHookError: {why}"
            log.warning("postStart hook failed", extra={**self._names(), "reason": why})
        return not why

    async def _hooked(self, target: ProbeTarget) -> float:
        """Run the preStop hook of what runs, once, if there is one; seconds from then on until SIGKILL."""
        grace, hook = self._grace_of_kill(), self.spec.lifecycle.pre_stop if self.spec.lifecycle else None
        if hook is None or grace <= 0 or self._hooked_start == self.starts:
            return grace
        self._hooked_start = self.starts
        clock = asyncio.get_running_loop().time
        began = clock()
        if why := await hooks.run(hook, target, grace):
            log.warning("preStop hook failed", extra={**self._names(), "reason": why})
        return max(grace - (clock() - began), hooks.LEAST_SECONDS)

    async def _until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Wait for `condition`, which whoever makes it true announces by `_wake`, at most until `deadline`."""
        try:
            async with asyncio.timeout_at(deadline):
                while not condition():
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            return

    def _names(self) -> dict[str, str]:
        return {"replica": self._replica, "container": self.spec.name}
