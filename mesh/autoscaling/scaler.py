"""Whoever decides about the size of one workload: a HorizontalPodAutoscaler, or a TrafficPolicy's fast lane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.meta import Named, ObjectMeta
from config.resources.autoscaling import HorizontalPodAutoscaler
from discovery.endpoint import WorkloadRef
from mesh.autoscaling import behavior
from mesh.autoscaling.decision import PAUSE, Decision, tolerance
from mesh.autoscaling.history import History
from mesh.autoscaling.proposal import Circumstances, propose
from mesh.autoscaling.samples import Uses, Window, sample
from mesh.autoscaling.signals import read
from mesh.stats import StatsFrame

AWAITED = 5.0
"""Seconds for which requests are taken to wait after it was said last, which is said again while they do."""


@dataclass(slots=True)
class Scaler(ABC):
    """What is common to them: the last decision, and between which sizes it is."""

    metadata: ObjectMeta
    kind: str
    target: WorkloadRef
    least: int
    most: int
    decision: Decision | None = field(default=None, kw_only=True)
    """The last one; None: there was none yet."""
    at: float = field(default=0.0, kw_only=True)
    """When it was made, in Unix seconds."""
    awaited: float = field(default=float("-inf"), kw_only=True)
    """When it was last said that requests wait for its first replica, in Unix seconds."""

    def is_awaited(self, now: float) -> bool:
        return now - self.awaited < AWAITED

    @property
    def history(self) -> History:
        return self.decision.history if self.decision is not None else History()

    @property
    @abstractmethod
    def services(self) -> set[Named]:
        """Those whose counters it reads."""

    @property
    def reads_resources(self) -> bool:
        """Whether it needs to know what its target's replicas use."""
        return False

    @abstractmethod
    def at_once(self, frame: StatsFrame, current: int, now: float) -> int:
        """How many replicas what waits asks for, while none of `current` is ready; `frame` is of `services`."""

    @property
    def name(self) -> Named:
        return Named(self.metadata.namespace, self.metadata.name)

    @property
    def paused(self) -> bool:
        return self.metadata.annotations.get(PAUSE) == "paused"


@dataclass(slots=True)
class HPAScaler(Scaler):
    """A HorizontalPodAutoscaler."""

    hpa: HorizontalPodAutoscaler
    uses: Uses = field(default_factory=Uses)

    @property
    def services(self) -> set[Named]:
        objects = (metric.object for metric in self.hpa.spec.metrics if metric.object)
        namespace = self.metadata.namespace
        return {Named(namespace, each.described_object.name) for each in objects if each.described_object}

    def at_once(self, frame: StatsFrame, current: int, now: float) -> int:
        """By the metrics that see what is held, and no faster than its policies allow."""
        spec, namespace = self.hpa.spec, self.metadata.namespace
        window = Window()
        for second in (now - 1, now):
            window.add(sample(second, frame, {}))
        known = Circumstances(0, (), now, tolerance(self.hpa))
        seen = [metric for metric in spec.metrics if metric.object]
        asked = [propose(metric, read(metric, namespace, window, self.uses), known).replicas for metric in seen]
        return behavior.limited(max(asked, default=0), current, spec, self.history, now).replicas

    @property
    def reads_loads(self) -> bool:
        """Whether it matters what each replica is sent: to metrics per replica, and to the last one before zero."""
        return not self.least or any(metric.pods for metric in self.hpa.spec.metrics)

    @property
    def reads_resources(self) -> bool:
        return any(metric.resource or metric.container_resource for metric in self.hpa.spec.metrics)


def scaler_of(hpa: HorizontalPodAutoscaler) -> HPAScaler:
    """One that has decided nothing yet."""
    spec, reference = hpa.spec, hpa.spec.scale_target_ref
    target = WorkloadRef(reference.kind, hpa.metadata.namespace, reference.name)
    return HPAScaler(hpa.metadata, "HorizontalPodAutoscaler", target, spec.min_replicas, spec.max_replicas, hpa)


Scalers = Mapping[Named, Scaler]
