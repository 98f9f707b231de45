"""HorizontalPodAutoscalers, replicas and readings of tests, in few words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from config.resources.autoscaling import (
    Behavior,
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    MetricSpec,
)
from mesh.autoscaling.reading import Reading, amount

NOW = 1_000_000.0
REQUEST = 100.0
WINDOW = 15.0


@dataclass(frozen=True)
class Fake:
    """A replica; as it is here, an old one that is ready."""

    id: str
    ready: bool = True
    terminating: bool = False
    pending: bool = False
    started: float = NOW - 10_000
    since: float = NOW - 9_000


@dataclass(frozen=True)
class FakeScale:
    desired: int
    replicas: tuple[Fake, ...] = ()


KINDS: dict[str, dict[str, Any]] = {
    "r": {},
    "m": {},
    "t": {"ready": False, "terminating": True},
    "p": {"ready": False, "pending": True, "started": NOW - 5, "since": NOW - 5},
    "u": {"ready": False, "started": NOW - 10, "since": NOW - 10},
    "f": {"started": NOW - 20, "since": NOW - 5},
    "l": {"ready": False, "since": NOW - 100},
    "n": {"ready": False, "since": NOW - 9_995},
}
"""Ready; ready without a sample; terminating; pending; not ready yet; ready for less than a window; not ready any
more; never ready since long ago."""


def crowd(words: str, request: float = REQUEST) -> tuple[tuple[Fake, ...], Reading]:
    """Replicas as ``r50x3 m u0``: kind, sample and how many; each asked for `request`."""
    copies: list[Fake] = []
    samples: dict[str, int] = {}
    for word in words.split():
        head, _, count = word.partition("x")
        for _ in range(int(count or 1)):
            copy = Fake(f"{word}-{len(copies)}", **KINDS[head[0]])
            copies.append(copy)
            if head[1:]:
                samples[copy.id] = amount(float(head[1:]))
    requests = {copy.id: amount(request) for copy in copies}
    return tuple(copies), Reading(samples, requests, at=NOW, window=WINDOW)


def metric(what: str, target: float | str) -> MetricSpec:
    """``cpu%``, ``cpu``, ``memory%``, ``memory`` (resources), ``pods``, ``object``, ``object/`` (per replica)."""
    if what.startswith("object"):
        goal = {"type": "AverageValue", "averageValue": str(target)}
        goal = goal if what.endswith("/") else {"type": "Value", "value": str(target)}
        described = {"kind": "Service", "name": "web"}
        source = {"describedObject": described, "metric": {"name": "in_flight"}, "target": goal}
        return msgspec.convert({"type": "Object", "object": source}, MetricSpec)
    average = {"type": "AverageValue", "averageValue": str(target)}
    if what == "pods":
        return msgspec.convert(
            {"type": "Pods", "pods": {"metric": {"name": "in_flight"}, "target": average}}, MetricSpec
        )
    if what == "external":
        return msgspec.convert(
            {"type": "External", "external": {"metric": {"name": "q"}, "target": average}}, MetricSpec
        )
    share = {"type": "Utilization", "averageUtilization": target}
    resource, container = what.rstrip("%").partition("@")[::2]
    source = {"name": resource, "target": share if "%" in what else average}
    if container:
        source = source | {"container": container}
        return msgspec.convert({"type": "ContainerResource", "containerResource": source}, MetricSpec)
    return msgspec.convert({"type": "Resource", "resource": source}, MetricSpec)


def behavior(**directions: dict[str, Any]) -> Behavior:
    """As in a manifest: ``scaleUp``, ``scaleDown``."""
    return msgspec.convert(directions, Behavior)


def pods(value: int, seconds: int = 15) -> dict[str, Any]:
    return {"type": "Pods", "value": value, "periodSeconds": seconds}


def percent(value: int, seconds: int = 15) -> dict[str, Any]:
    return {"type": "Percent", "value": value, "periodSeconds": seconds}


@dataclass
class Written:
    """A HorizontalPodAutoscaler that is about to be made."""

    metrics: tuple[MetricSpec, ...] = (metric("pods", 10),)
    least: int = 1
    most: int = 100
    behavior: Behavior = field(default_factory=Behavior)
    annotations: dict[str, str] = field(default_factory=dict)

    def made(self) -> HorizontalPodAutoscaler:
        spec = {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": self.least,
            "maxReplicas": self.most,
        }
        meta = {"name": "web", "namespace": "default", "annotations": self.annotations}
        made = msgspec.convert({"metadata": meta, "spec": spec}, HorizontalPodAutoscaler)
        assert isinstance(made.spec.scale_target_ref, CrossVersionObjectReference)
        spec_made = msgspec.structs.replace(made.spec, metrics=self.metrics, behavior=self.behavior)
        return msgspec.structs.replace(made, spec=spec_made)
