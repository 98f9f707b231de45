"""The loop: each period, every HorizontalPodAutoscaler reads its metrics, decides, and tells its target.

It owns what is remembered between decisions; a fresh one remembers the size that it finds, and so cannot take
anything away at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from config.meta import Named
from config.resources.autoscaling import HorizontalPodAutoscaler, MetricSpec
from mesh.autoscaling.decision import Decision, decide
from mesh.autoscaling.executor import Executor
from mesh.autoscaling.external import Answers, external, queries
from mesh.autoscaling.reading import Reading
from mesh.autoscaling.samples import PER_PERIOD, Window, sample
from mesh.autoscaling.scaler import HPAScaler, scaler_of
from mesh.autoscaling.signals import read
from mesh.autoscaling.target import ExternalSource


class Controller:
    """All HorizontalPodAutoscalers of one process.  Use from the event loop's thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._period = 15.0
        self._window = Window()
        self._epoch = 0
        self._seen: frozenset[object] = frozenset()
        """Whose samples the window has."""
        self.external: ExternalSource | None = None
        """Who is asked for metrics of type External; None: nobody."""
        self.scalers: dict[Named, HPAScaler] = {}

    def define(self, autoscalers: Mapping[Named, HorizontalPodAutoscaler], period: float) -> None:
        """These are the autoscalers now; what is remembered of those that stay is kept.

        `period` is in seconds.
        """
        known, self.scalers = self.scalers, {}
        self._period = period
        for name, hpa in sorted(autoscalers.items()):
            made, before = scaler_of(hpa), known.get(name)
            if before is not None and before.target == made.target:
                made.decision, made.at, made.awaited = before.decision, before.at, before.awaited
                if made.reads_resources:
                    made.uses = before.uses
            self.scalers[name] = made

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
        workloads = {scaler.target for scaler in self.scalers.values() if scaler.reads_loads}
        source = self._executor.source
        epoch, seen = source.epoch(), frozenset[object]((*services, *workloads))
        if epoch != self._epoch or seen - self._seen:  # sums that jump are no growth: begin anew
            self._window = Window()
        self._epoch, self._seen = epoch, seen
        self._window.add(sample(self._executor.clock(), source.services(services), source.replicas(workloads)))

    async def tick(self) -> None:
        """Have each autoscaler decide once; those that need answers of others last, so that nobody waits for these."""
        asking = {name: queries(scaler.hpa) for name, scaler in self.scalers.items()}
        await self._decide_all((name for name, asked in asking.items() if not asked), {})
        asked = frozenset().union(*asking.values())
        if asked:
            answers = {} if self.external is None else await self.external.ask(asked)
            await self._decide_all((name for name in asking if asking[name]), answers)

    async def _decide_all(self, names: Iterable[Named], answers: Answers) -> None:
        for name in names:
            if (scaler := self.scalers.get(name)) is not None:
                await self._decide(scaler, answers)
            await asyncio.sleep(0)

    async def _decide(self, scaler: HPAScaler, answers: Answers) -> None:
        executor, now = self._executor, self._executor.clock()
        scale = await executor.read(scaler)
        if isinstance(scale, Decision):
            executor.decided(scaler, scale)
            return
        if scaler.reads_resources:
            scaler.uses.add(now, executor.target.usage(scaler.target))
        readings = [self._read(metric, scaler, answers) for metric in scaler.hpa.spec.metrics]
        busy = scaler.is_awaited(now) or self._window.served({copy.id for copy in scale.replicas})
        held = executor.held(scaler)
        decision = decide(scaler.hpa, scale, readings, scaler.history, now, busy=busy, held=held)
        executor.decided(scaler, await executor.carry_out(scaler, scale, decision))

    def _read(self, metric: MetricSpec, scaler: HPAScaler, answers: Answers) -> Reading:
        if metric.external:
            return external(metric.external, scaler.hpa, answers)
        return read(metric, scaler.metadata.namespace, self._window, scaler.uses)
