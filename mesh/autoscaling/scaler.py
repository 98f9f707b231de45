"""Whoever decides about the size of one workload: a HorizontalPodAutoscaler, or a TrafficPolicy's fast lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.meta import Named, ObjectMeta
from config.resources.autoscaling import HorizontalPodAutoscaler
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.decision import PAUSE, Decision
from mesh.autoscaling.samples import Uses


@dataclass(slots=True)
class Scaler:
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
        """Those whose metrics it reads."""
        objects = (metric.object for metric in self.hpa.spec.metrics if metric.object)
        namespace = self.metadata.namespace
        return {Named(namespace, each.described_object.name) for each in objects if each.described_object}

    @property
    def reads_resources(self) -> bool:
        return any(metric.resource or metric.container_resource for metric in self.hpa.spec.metrics)


def scaler_of(hpa: HorizontalPodAutoscaler) -> HPAScaler:
    """One that has decided nothing yet."""
    spec, reference = hpa.spec, hpa.spec.scale_target_ref
    target = WorkloadRef(reference.kind, hpa.metadata.namespace, reference.name)
    return HPAScaler(hpa.metadata, "HorizontalPodAutoscaler", target, spec.min_replicas, spec.max_replicas, hpa)


Scalers = Mapping[Named, Scaler]
