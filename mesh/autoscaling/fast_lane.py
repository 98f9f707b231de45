"""The fast lane's loop: each two seconds, every TrafficPolicy with ``scaling`` decides, and tells its target."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from config.meta import Named, ObjectMeta
from config.scaling import ScalingPolicy
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.averages import Averages
from mesh.autoscaling.concurrency import Measured, Panic, Situation, begin, decide, enough
from mesh.autoscaling.decision import Decision
from mesh.autoscaling.executor import Executor
from mesh.autoscaling.scaler import Scaler
from mesh.stats import BackendFrame, StatsFrame

TICK_SECONDS: Final = 2.0
LOOKS: Final = 4
"""At what is in flight, in a tick."""


class Lane(NamedTuple):
    """What a policy says, and of what."""

    metadata: ObjectMeta
    policy: ScalingPolicy
    service: Named
    port: str
    """Of the Service; empty: all of its ports."""
    target: WorkloadRef


@dataclass(slots=True)
class FastScaler(Scaler):
    """A policy, and what was measured for it."""

    lane: Lane
    averages: Averages
    panic: Panic | None = None
    is_new: bool = field(default=True)

    @property
    def services(self) -> set[Named]:
        return {self.lane.service}

    def in_flight(self, ports: Iterable[BackendFrame]) -> int:
        """Requests and connections, waiting ones too; `ports` are those of its Service."""
        return sum(each.in_flight + each.tcp_open for each in ports if self.lane.port in ("", each.port))

    def at_once(self, frame: StatsFrame, current: int, now: float) -> int:
        return enough(self.lane.policy, self.in_flight(frame.backends))

    def measured(self, now: float) -> Measured | None:
        """The means over the two windows; None: nothing is known."""
        policy = self.lane.policy
        stable = self.averages.mean(policy.window, now)
        panic = self.averages.mean(policy.window * policy.panic_window_percent / 100, now)
        if stable is None or panic is None:
            return None
        return Measured(stable, panic, min(self.averages.age(now), policy.window))


class FastLane:
    """All of them in one process.  Use from the event loop's thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.scalers: dict[Named, FastScaler] = {}
        self._wanted = asyncio.Event()

    def define(self, lanes: Iterable[Lane]) -> None:
        """These are the policies now; what was measured for those that stay is kept."""
        known, self.scalers = self.scalers, {}
        for lane in lanes:
            name = Named(lane.metadata.namespace, lane.metadata.name)
            made, before = _scaler(lane), known.get(name)
            if before is not None and _subject(before.lane) == _subject(lane):
                made.averages, made.panic, made.is_new = before.averages, before.panic, before.is_new
                made.decision, made.at, made.awaited = before.decision, before.at, before.awaited
            self.scalers[name] = made
        if self.scalers:
            self._wanted.set()

    async def run(self) -> None:
        """Look and decide until cancelled."""
        await self._wanted.wait()
        while True:
            for _ in range(LOOKS):
                await asyncio.sleep(TICK_SECONDS / LOOKS)
                self.look()
            await self.tick()

    def look(self) -> None:
        """Take one sample."""
        services = {service for scaler in self.scalers.values() for service in scaler.services}
        if not services:
            return
        now, ports = self._executor.clock(), dict[Named, list[BackendFrame]]()
        for each in self._executor.source.services(services).backends:
            ports.setdefault(Named(each.namespace, each.service), []).append(each)
        for scaler in self.scalers.values():
            scaler.averages.add(scaler.in_flight(ports.get(scaler.lane.service, ())), now)

    async def tick(self) -> None:
        """Have each policy decide once."""
        for name, scaler in tuple(self.scalers.items()):
            if self.scalers.get(name) is scaler:
                await self._decide(scaler)
            await asyncio.sleep(0)

    async def _decide(self, scaler: FastScaler) -> None:
        executor, now = self._executor, self._executor.clock()
        scale = await executor.read(scaler)
        if isinstance(scale, Decision):
            executor.decided(scaler, scale)
            return
        if scaler.is_new or scaler.is_awaited(now):  # what was woken for those who wait is not taken away meanwhile
            scaler.panic, scaler.is_new = begin(scale.desired, now) or scaler.panic, False
        ready = sum(copy.ready and not copy.terminating for copy in scale.replicas)
        situation = Situation(scale.desired, ready, scaler.measured(now), now)
        verdict = decide(scaler.lane.policy, situation, scaler.panic, scaler.history)
        scaler.panic = verdict.panic
        executor.decided(scaler, await executor.carry_out(scaler, scale, verdict.decision))


def _scaler(lane: Lane) -> FastScaler:
    policy = lane.policy
    return FastScaler(
        lane.metadata, "TrafficPolicy", lane.target, policy.min_replicas, policy.max_replicas,
        lane, Averages(policy.window),
    )  # fmt: skip


def _subject(lane: Lane) -> tuple[Named, str, WorkloadRef, float]:
    """What was measured is of this; with a window of another length it begins anew."""
    return lane.service, lane.port, lane.target, lane.policy.window
