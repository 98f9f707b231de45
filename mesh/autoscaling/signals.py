"""What each metric of a HorizontalPodAutoscaler reads: resources from the platform, the rest from the proxies.

Metrics of type Object are of a Service; a selector of theirs chooses among its ports by the label ``port``.  What is
not known is said in the reading, never guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate

from config.meta import selects
from config.quantity import parse_quantity
from config.resources.autoscaling import (
    IN_FLIGHT,
    LATENCIES,
    OBJECT_METRICS,
    OPEN,
    PER_SECOND,
    POD_METRICS,
    QUEUED,
    MetricIdentifier,
    MetricSpec,
    ObjectMetricSource,
    PodsMetricSource,
)
from mesh.autoscaling.reading import Reading, amount
from mesh.autoscaling.samples import Uses, Window
from mesh.autoscaling.target import ContainerUsage
from mesh.stats import DURATION_BOUNDS, BackendFrame

Port = tuple[str, str, str]


def read(metric: MetricSpec, namespace: str, window: Window, uses: Uses) -> Reading:
    """What `metric` of an object in `namespace` says about the period that `window` and `uses` are of."""
    if metric.resource:
        return _resource(metric.resource.name, "", uses)
    if metric.container_resource:
        return _resource(metric.container_resource.name, metric.container_resource.container, uses)
    if metric.pods:
        return _pods(metric.pods, window)
    assert metric.object, "metrics of type External are read by `external`"
    return _object(metric.object, namespace, window)


# Resource and ContainerResource


def _resource(resource: str, container: str, uses: Uses) -> Reading:
    what = f"unable to get metrics for resource {resource}"
    if resource not in ("cpu", "memory"):
        return Reading(failure=f"{what}: only cpu and memory are measured")
    if uses.last is None or not uses.seconds:
        return Reading(failure=f"{what}: there is only one look at it so far")
    at, usage = uses.last
    samples: dict[str, int] = {}
    requests: dict[str, int] = {}
    unrequested = ""
    for replica, containers in usage.items():
        chosen = [each for each in containers if container in ("", each.container)]
        if not chosen:
            return Reading(failure=f"container {container} not present in metrics for pod {replica}")
        used = [_used(resource, replica, each, uses) for each in chosen]
        if None not in used:
            samples[replica] = sum(amount(each) for each in used if each is not None)
        lacking = next((each.container for each in chosen if resource not in each.requests), "")
        if lacking:
            unrequested = unrequested or f"missing request for {resource} in container {lacking} of Pod {replica}"
        else:
            requests[replica] = sum(amount(parse_quantity(each.requests[resource])) for each in chosen)
    if not samples:
        return Reading(failure=f"{what}: no metrics returned from the platform")
    return Reading(samples, requests, unrequested, at=at, window=uses.seconds)


def _used(resource: str, replica: str, container: ContainerUsage, uses: Uses) -> float | None:
    return container.memory if resource == "memory" else uses.cpu(replica, container.container)


# Pods


def _pods(source: PodsMetricSource, window: Window) -> Reading:
    name = source.metric.name
    if problem := _unknown(source.metric, POD_METRICS, "unable to get metric", window):
        return Reading(failure=problem)
    if source.metric.selector and source.metric.selector != type(source.metric.selector)():
        return Reading(failure=f"unable to get metric {name}: metrics of pods have no labels to select by")
    replicas = window.replicas()
    if name == IN_FLIGHT:
        return Reading({replica: amount(window.in_flight(replica)) for replica in replicas})
    return Reading({replica: amount(window.requests(replica) / window.seconds) for replica in replicas})


# Object


def _object(source: ObjectMetricSource, namespace: str, window: Window) -> Reading:
    described, name = source.described_object, source.metric.name
    what = f"unable to get metric {name}: {described.kind} on {namespace} {described.name}"
    if problem := _unknown(source.metric, OBJECT_METRICS, what, window):
        return Reading(failure=problem)
    if described.kind != "Service":
        return Reading(failure=f"{what}: weft has metrics of Services")
    ports = [port for port in window.ports() if port[:2] == (namespace, described.name)]
    selector = source.metric.selector
    chosen = [port for port in ports if selector is None or selects(selector, {"port": port[2]})]
    if not chosen:
        return Reading(failure=f"{what}: " + ("no port of it is selected" if ports else "there is no such Service"))
    if name in LATENCIES:
        return _latency(LATENCIES[name], chosen, window, what)
    return Reading(value=amount(sum(_of_port(name, port, window) for port in chosen)))


def _unknown(metric: MetricIdentifier, names: Sequence[str], what: str, window: Window) -> str:
    if metric.name not in names:
        return f"{what}: no metric is called {metric.name}; there are {', '.join(names)}"
    return "" if window.seconds else f"{what}: there is only one sample of it so far"


def _of_port(name: str, port: Port, window: Window) -> float:
    if name == PER_SECOND:
        return window.growth(port, _begun) / window.seconds
    return window.gauge(port, _GAUGES[name])


_GAUGES: dict[str, Callable[[BackendFrame], float]] = {
    IN_FLIGHT: lambda frame: frame.in_flight,
    QUEUED: lambda frame: frame.queued,
    OPEN: lambda frame: frame.tcp_open,
}


def _begun(frame: BackendFrame) -> float:
    """Requests that came: those that end say less and less, the more there is to do."""
    return sum(frame.codes.values()) + frame.in_flight


def _latency(quantile: float, ports: Sequence[Port], window: Window, what: str) -> Reading:
    """Within a bucket, durations are taken to be spread evenly; beyond the last bound, they count as that bound."""
    buckets = [sum(counts) for counts in zip(*(window.buckets(port) for port in ports), strict=True)]
    below = list(accumulate(buckets))
    if not below[-1]:
        if any(window.gauge(port, _GAUGES[IN_FLIGHT]) for port in ports):
            return Reading(failure=f"{what}: no request has ended in {window.seconds:.0f} s")
        return Reading(value=0)
    rank = quantile * below[-1]
    place = bisect_left(below, rank)
    if place >= len(DURATION_BOUNDS):
        return Reading(value=amount(DURATION_BOUNDS[-1]))
    low = DURATION_BOUNDS[place - 1] if place else 0.0
    share = (rank - (below[place] - buckets[place])) / buckets[place]
    return Reading(value=amount(low + share * (DURATION_BOUNDS[place] - low)))
