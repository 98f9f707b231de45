"""Group autoscaling/v2: HorizontalPodAutoscaler, whole, so that it validates today and acts later."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from config.meta import LabelSelector, ObjectMeta, Quantity, Spec

IN_FLIGHT: Final = "weft_http_requests_in_flight"
PER_SECOND: Final = "weft_http_requests_per_second"
QUEUED: Final = "weft_http_requests_queued"
OPEN: Final = "weft_tcp_connections_open"
LATENCIES: Final = {f"weft_http_request_duration_seconds_p{percent}": percent / 100 for percent in (50, 95, 99)}
"""The share of requests that took no longer."""
POD_METRICS: Final = (IN_FLIGHT, PER_SECOND)
"""What there is to know of each replica."""
OBJECT_METRICS: Final = (IN_FLIGHT, PER_SECOND, QUEUED, OPEN, *LATENCIES)
"""What there is to know of a Service."""


class CrossVersionObjectReference(Spec):
    kind: str
    name: str
    api_version: str = ""


class MetricIdentifier(Spec):
    name: str
    selector: LabelSelector | None = None


class MetricTarget(Spec):
    """`average_utilization` in percent; the other two are quantities as text."""

    type: Literal["Utilization", "Value", "AverageValue"]
    average_utilization: Annotated[int, Meta(ge=1)] | None = None
    average_value: Quantity = ""
    value: Quantity = ""


class ResourceMetricSource(Spec):
    name: str
    target: MetricTarget


class ContainerResourceMetricSource(Spec):
    name: str
    container: str
    target: MetricTarget


class PodsMetricSource(Spec):
    metric: MetricIdentifier
    target: MetricTarget


class ObjectMetricSource(Spec):
    described_object: CrossVersionObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class ExternalMetricSource(Spec):
    metric: MetricIdentifier
    target: MetricTarget


class MetricSpec(Spec):
    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: ResourceMetricSource | None = None
    container_resource: ContainerResourceMetricSource | None = None
    pods: PodsMetricSource | None = None
    object: ObjectMetricSource | None = None
    external: ExternalMetricSource | None = None


class ScalingPolicy(Spec):
    type: Literal["Pods", "Percent"]
    value: Annotated[int, Meta(ge=1)]
    period_seconds: Annotated[int, Meta(ge=1, le=1800)]


class ScalingRules(Spec):
    stabilization_window_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    policies: tuple[ScalingPolicy, ...] = ()
    tolerance: Quantity = ""


class Behavior(Spec):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class HorizontalPodAutoscalerSpec(Spec):
    scale_target_ref: CrossVersionObjectReference
    max_replicas: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    min_replicas: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 1
    metrics: tuple[MetricSpec, ...] = ()
    behavior: Behavior = Behavior()


class HorizontalPodAutoscaler(Spec):
    metadata: ObjectMeta
    spec: HorizontalPodAutoscalerSpec
