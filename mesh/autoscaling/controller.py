"""The loop: each period, every HorizontalPodAutoscaler reads its metrics, decides, and tells its target.

It owns what is remembered between decisions; a fresh one remembers the size that it finds, and so cannot take
anything away at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from config.meta import Named
from config.resources.autoscaling import HorizontalPodAutoscaler
from discovery.endpoint import WorkloadRef
from mesh.autoscaling import victims
from mesh.autoscaling.decision import (
    PAUSE,
    Decision,
    carried_out,
    decide,
    held_back,
    unreachable,
)
from mesh.autoscaling.history import History
from mesh.autoscaling.samples import PER_PERIOD, Uses, Window, sample
from mesh.autoscaling.signals import read
from mesh.autoscaling.target import SampleSource, Scale, ScaleTarget

log = logging.getLogger("weft.autoscaler")


@dataclass(slots=True)
class Scaler:
    """One HorizontalPodAutoscaler, and what is known of it."""

    hpa: HorizontalPodAutoscaler
    decision: Decision | None = None
    """The last one; None: there was none yet."""
    at: float = 0.0
    """When it was made, in Unix seconds."""
    uses: Uses = field(default_factory=Uses)

    @property
    def target(self) -> WorkloadRef:
        return WorkloadRef(self.hpa.spec.scale_target_ref.kind, self.hpa.metadata.namespace, self._name)

    @property
    def _name(self) -> str:
        return self.hpa.spec.scale_target_ref.name

    @property
    def services(self) -> set[Named]:
        """Those whose metrics it reads."""
        objects = (metric.object for metric in self.hpa.spec.metrics if metric.object)
        namespace = self.hpa.metadata.namespace
        return {Named(namespace, each.described_object.name) for each in objects if each.described_object}

    @property
    def reads_resources(self) -> bool:
        return any(metric.resource or metric.container_resource for metric in self.hpa.spec.metrics)

    @property
    def paused(self) -> bool:
        return self.hpa.metadata.annotations.get(PAUSE) == "paused"


class Controller:
    """All autoscalers of one process.  Use from the event loop's thread."""

    def __init__(self, target: ScaleTarget, source: SampleSource, wall_clock: Callable[[], float]) -> None:
        """`wall_clock`: Unix seconds."""
        self._target = target
        self._source = source
        self._clock = wall_clock
        self._period = 15.0
        self._dry_run = False
        self._window = Window()
        self.scalers: dict[Named, Scaler] = {}

    def define(self, autoscalers: Mapping[Named, HorizontalPodAutoscaler], period: float, dry_run: bool) -> None:
        """These are the autoscalers now; what is remembered of those that stay is kept.

        `period` is in seconds; `dry_run`: they decide and change nothing.
        """
        known, self.scalers = self.scalers, {}
        self._period, self._dry_run = period, dry_run
        for name, hpa in sorted(autoscalers.items()):
            before = known.get(name)
            if before is None or before.hpa.spec.scale_target_ref != hpa.spec.scale_target_ref:
                before = Scaler(hpa)
            before.hpa = hpa
            self.scalers[name] = before

    def forget(self) -> None:
        """There are no autoscalers any more."""
        self.scalers = {}

    async def run(self) -> None:
        """Look and decide until cancelled."""
        while True:
            for _ in range(PER_PERIOD):
                await asyncio.sleep(self._period / PER_PERIOD)
                self.look()
            await self.tick()

    def look(self) -> None:
        """Take one sample."""
        if not self.scalers:
            return
        services = {service for scaler in self.scalers.values() for service in scaler.services}
        workloads = {scaler.target for scaler in self.scalers.values()}
        self._window.add(sample(self._clock(), self._source.services(services), self._source.replicas(workloads)))

    async def tick(self) -> None:
        """Have each autoscaler decide once."""
        for name, scaler in tuple(self.scalers.items()):
            if self.scalers.get(name) is scaler:
                await self._decide(scaler)
            await asyncio.sleep(0)

    async def _decide(self, scaler: Scaler) -> None:
        now, before = self._clock(), scaler.decision
        history = before.history if before is not None else History()
        try:
            scale = await self._target.read(scaler.target)
        except KeyError:
            problem = f"{scaler.target.kind} {scaler.target.name} is not run here"
            message = f"the HPA controller was unable to get the target's current scale: {problem}"
            scaler.decision, scaler.at = unreachable(Decision(0, 0), "FailedGetScale", message), now
            return
        if scaler.reads_resources:
            scaler.uses.add(now, self._target.usage(scaler.target))
        namespace = scaler.hpa.metadata.namespace
        readings = [read(metric, namespace, self._window, scaler.uses) for metric in scaler.hpa.spec.metrics]
        decision = decide(scaler.hpa, scale, readings, history, now)
        scaler.decision, scaler.at = await self._carry_out(scaler, scale, decision, now), now
        if before is None or before.word != scaler.decision.word:
            log.info("autoscaler decided", extra={**_names(scaler), "reason": scaler.decision.word})

    async def _carry_out(self, scaler: Scaler, scale: Scale, decision: Decision, now: float) -> Decision:
        if decision.desired == decision.current:
            return decision
        if scaler.paused or self._dry_run:
            return held_back(decision, f"{PAUSE}: paused" if scaler.paused else "dry run")
        loads = self._source.replicas({scaler.target})
        there = sum(not copy.terminating for copy in scale.replicas)
        going = victims.choose(scale.replicas, there - decision.desired, loads)
        try:
            await self._target.set(scaler.target, decision.desired, going)
        except KeyError:
            message = "the HPA controller was unable to update the target scale: it is gone"
            return unreachable(decision, "FailedUpdateScale", message)
        extra = {**_names(scaler), "from": decision.current, "to": decision.desired, "reason": decision.reason}
        log.info("workload is scaled", extra=extra)
        return carried_out(decision, now)


def _names(scaler: Scaler) -> dict[str, str]:
    return {"autoscaler": str(Named(scaler.hpa.metadata.namespace, scaler.hpa.metadata.name))}
