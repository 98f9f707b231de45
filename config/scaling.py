"""The fast lane of autoscaling, as Knative's (KPA): replicas by requests in flight, decided every two seconds.

The words and defaults are Knative's.  What it scales is the one Deployment that the Service of the policy selects, or
what the policy names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import Duration, Spec

Replicas = Annotated[int, Meta(ge=0, le=100_000)]


class ScaleTargetRef(Spec):
    """A workload in the policy's own namespace, as a HorizontalPodAutoscaler names one."""

    kind: Literal["Deployment", "SwarmService"]
    name: str


class ScalingPolicy(Spec):
    """How many replicas there are to be; only on a Service, or on one of its ports, whose requests then count."""

    type: Literal["concurrency"] = "concurrency"
    """What is measured: requests and TCP connections in flight, queued ones too."""
    scale_target_ref: ScaleTargetRef | None = None
    """What is scaled; None: the Deployment that the Service selects."""
    target: Annotated[float, Meta(ge=0.01, le=1_000_000)] = 100.0
    """Of them that a replica can have at a time."""
    utilization_percent: Annotated[int, Meta(ge=1, le=100)] = 70
    """Of `target` that it is to have."""
    min_replicas: Replicas = 1
    max_replicas: Annotated[int, Meta(ge=1, le=100_000)] = 10
    window: Duration = 60.0
    """Seconds over which is averaged, 6 to 3600."""
    panic_window_percent: Annotated[float, Meta(ge=1, le=100)] = 10.0
    """Of the window: the last seconds that decide whether there is panic."""
    panic_threshold_percent: Annotated[int, Meta(ge=110, le=1000)] = 200
    """Of the ready replicas that these ask for: then only more are made, until a whole window has been quiet."""
    max_scale_up_rate: Annotated[float, Meta(ge=1.1, le=1_000_000)] = 1000.0
    """Times the ready replicas, in one decision."""
    max_scale_down_rate: Annotated[float, Meta(ge=1.1, le=1_000_000)] = 2.0
    """The ready replicas divided by this stay at least, in one decision."""
    scale_down_delay: Duration = 0.0
    """Seconds for which fewer must have been enough, at most 3600."""
