"""HorizontalPodAutoscalers (autoscaling/v2): bounds, metric sources and their targets, behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from config.naming import DNS_LABEL, shown
from config.promql import QUERY, query_of
from config.quantity import parse_quantity
from config.resources.autoscaling import (
    OBJECT_METRICS,
    POD_METRICS,
    ContainerResourceMetricSource,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
    ScalingRules,
)
from config.suggestions import did_you_mean
from config.validation.report import ObjectReport, keyed, problem_of
from config.validation.selectors import check_selector

Source = (
    ResourceMetricSource | ContainerResourceMetricSource | PodsMetricSource | ObjectMetricSource | ExternalMetricSource
)


class _Type(NamedTuple):
    field: str
    targets: tuple[str, ...]


_TYPES = {
    "Resource": _Type("resource", ("Utilization", "AverageValue")),
    "ContainerResource": _Type("containerResource", ("Utilization", "AverageValue")),
    "Pods": _Type("pods", ("AverageValue",)),
    "Object": _Type("object", ("Value", "AverageValue")),
    "External": _Type("external", ("Value", "AverageValue")),
}
_BY_FIELD = {each.field: each for each in _TYPES.values()}


def check_autoscaler(item: HorizontalPodAutoscaler, report: ObjectReport) -> None:
    spec = item.spec
    if spec.min_replicas > spec.max_replicas:
        message = f"{spec.max_replicas} is less than minReplicas, {spec.min_replicas}"
        report.error("spec.maxReplicas", message, "spec.minReplicas")
    if spec.min_replicas == 0 and not any(metric.type in {"Object", "External"} for metric in spec.metrics):
        report.warning(
            "spec.metrics",
            "Kubernetes refuses this: must specify at least one Object or External metric to support scaling to zero "
            "replicas; here a request starts one replica, and the metrics of replicas count from then on",
            "spec.minReplicas",
            "spec.metrics.*.type",
        )
    for field, text in (("kind", spec.scale_target_ref.kind), ("name", spec.scale_target_ref.name)):
        if not text:
            report.error(f"spec.scaleTargetRef.{field}", "must not be empty")
    for i, metric in enumerate(spec.metrics):
        _check_metric(metric, f"spec.metrics[{i}]", report)
    _check_queries(item, report)
    for field, rules in (("scaleUp", spec.behavior.scale_up), ("scaleDown", spec.behavior.scale_down)):
        if rules:
            _check_rules(rules, f"spec.behavior.{field}", report)


def _check_queries(item: HorizontalPodAutoscaler, report: ObjectReport) -> None:
    """That metrics of type External can be asked of Prometheus, and that annotations with queries are for one."""
    annotations = item.metadata.annotations
    external = {i: metric.external.metric for i, metric in enumerate(item.spec.metrics) if metric.external}
    for i, metric in external.items():
        path = f"spec.metrics[{i}].external.metric.selector"
        try:
            query_of(metric, "", annotations)
        except ValueError as problem:
            report.error(path, str(problem), "metadata.annotations")
    names = {metric.name for metric in external.values()}
    for key in annotations:
        if key.startswith(QUERY) and key.removeprefix(QUERY) not in names:
            report.warning(
                keyed("metadata.annotations", key),
                f"has no effect: no metric of type External is called {shown(key.removeprefix(QUERY))}",
                "spec.metrics",
            )


def _sources(metric: MetricSpec) -> dict[str, Source]:
    """The sources that are given, by field name."""
    sources: dict[str, Source | None] = {
        "resource": metric.resource,
        "containerResource": metric.container_resource,
        "pods": metric.pods,
        "object": metric.object,
        "external": metric.external,
    }
    return {field: source for field, source in sources.items() if source is not None}


def _check_metric(metric: MetricSpec, path: str, report: ObjectReport) -> None:
    wanted, sources = _TYPES[metric.type], _sources(metric)
    if wanted.field not in sources:
        report.error(f"{path}.{wanted.field}", f"is needed by a metric of type {metric.type}", f"{path}.type")
    known = report.knows(f"{path}.type")
    for field, source in sources.items():
        if field == wanted.field or not known:
            _check_source(source, f"{path}.{field}", report)
            _check_target(source.target, _BY_FIELD[field], f"{path}.{field}.target", report)
        else:
            message = f"does not belong to a metric of type {metric.type}: remove it"
            report.error(f"{path}.{field}", message, f"{path}.type")


def _check_source(source: Source, path: str, report: ObjectReport) -> None:
    if isinstance(source, ResourceMetricSource | ContainerResourceMetricSource):
        if not source.name:
            report.error(f"{path}.name", "the name of a resource is needed, such as cpu")
        if isinstance(source, ContainerResourceMetricSource):
            report.check(f"{path}.container", DNS_LABEL.problem(source.container))
        return
    _check_identifier(source.metric, f"{path}.metric", report)
    if not isinstance(source, ExternalMetricSource):
        _check_known(
            source.metric.name, POD_METRICS if isinstance(source, PodsMetricSource) else OBJECT_METRICS, path, report
        )
    if isinstance(source, ObjectMetricSource):
        for field, text in (("kind", source.described_object.kind), ("name", source.described_object.name)):
            if not text:
                report.error(f"{path}.describedObject.{field}", "must not be empty")


def _check_known(name: str, known: Sequence[str], path: str, report: ObjectReport) -> None:
    if name and name not in known and not set(name) & {"/", "%"}:
        hint = did_you_mean(name, known)
        message = f"no metric is called {shown(name)} here, so none of it is known; there are {', '.join(known)}{hint}"
        report.warning(f"{path}.metric.name", message)


def _check_identifier(metric: MetricIdentifier, path: str, report: ObjectReport) -> None:
    if not metric.name:
        report.error(f"{path}.name", "the name of a metric is needed")
    elif metric.name in {".", ".."} or "/" in metric.name or "%" in metric.name:
        report.error(f"{path}.name", f"{shown(metric.name)} may not contain '/' or '%' nor be '.' or '..'")
    if metric.selector:
        check_selector(metric.selector, f"{path}.selector", report)


def _check_target(target: MetricTarget, wanted: _Type, path: str, report: ObjectReport) -> None:
    if target.type not in wanted.targets:
        report.error(f"{path}.type", f"{target.type} does not fit here: use {' or '.join(wanted.targets)}")
    values = {
        "Utilization": ("averageUtilization", str(target.average_utilization or "")),
        "AverageValue": ("averageValue", target.average_value),
        "Value": ("value", target.value),
    }
    known = report.knows(f"{path}.type")
    for kind, (field, text) in values.items():
        if kind == target.type and not text:
            report.error(f"{path}.{field}", f"is needed by a target of type {target.type}", f"{path}.type")
        elif text and kind != target.type and known:
            report.error(f"{path}.{field}", f"does not belong to a target of type {target.type}: remove it")
        elif text and (problem := problem_of(parse_quantity, text)):
            report.error(f"{path}.{field}", problem)
        elif text and parse_quantity(text) <= 0:
            report.error(f"{path}.{field}", f"{text} is not more than 0")


def _check_rules(rules: ScalingRules, path: str, report: ObjectReport) -> None:
    if rules.tolerance:
        if problem := problem_of(parse_quantity, rules.tolerance):
            report.error(f"{path}.tolerance", problem)
        elif parse_quantity(rules.tolerance) < 0:
            report.error(f"{path}.tolerance", f"{rules.tolerance} is negative")
