"""How many replicas one metric asks for (Kubernetes' replica calculator), as a pure function.

The ratio of what is to what should be, times the replicas that count, rounded up; nothing within the tolerance.
What is not known is taken to speak against a change: a missing sample for enough load on the way down, and for none
on the way up, where unready replicas count as idle too.  If these turn the direction around, nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from config.meta import LabelSelector
from config.resources.autoscaling import MetricSpec, MetricTarget, ResourceMetricSource
from mesh.autoscaling.census import Census, census
from mesh.autoscaling.reading import UNIT, Ratio, Reading, Tolerance, quantity
from mesh.autoscaling.target import Copy


class Proposal(msgspec.Struct, frozen=True):
    """What came of one metric."""

    metric: str
    """As Kubernetes describes it."""
    replicas: int = 0
    value: float | None = None
    """In the target's unit: percent, or the metric's own."""
    target: float = 0.0
    ratio: float | None = None
    failure: str = ""
    """Why there is no number; empty when there is."""
    reason: str = ""
    """The condition's reason if there is none."""
    steps: tuple[str, ...] = ()


class Circumstances(msgspec.Struct, frozen=True):
    """What a proposal depends on beside the metric."""

    current: int
    copies: Sequence[Copy]
    now: float
    """Unix seconds."""
    tolerance: Tolerance = Tolerance()


class _Unknown(Exception):
    """The metric cannot be judged; the text says why."""


def propose(metric: MetricSpec, reading: Reading, known: Circumstances) -> Proposal:
    """`reading` is of `metric`."""
    name, target = describe(metric), target_of(metric)
    steps: list[str] = []
    if known.current == 0 and metric.type in _PER_REPLICA:
        return Proposal(name, target=_shown(target), steps=("at zero there is no replica to measure: 0",))
    try:
        if reading.failure:
            raise _Unknown(reading.failure)
        if metric.type in _PER_REPLICA:
            replicas, ratio, value = _per_replica(metric, reading, known, steps)
        elif target.type == "Value":
            replicas, ratio, value = _whole(reading, target, known, steps)
        else:
            replicas, ratio, value = _share(reading, target, known, steps)
    except _Unknown as problem:
        reason = f"FailedGet{metric.type}Metric"
        return Proposal(name, target=_shown(target), failure=str(problem), reason=reason, steps=tuple(steps))
    return Proposal(name, replicas, value, _shown(target), ratio.value, steps=tuple(steps))


_PER_REPLICA = frozenset({"Resource", "ContainerResource", "Pods"})


def describe(metric: MetricSpec) -> str:
    """In Kubernetes' words."""
    if metric.resource or metric.container_resource:
        source = metric.resource or metric.container_resource
        assert source is not None
        what = f"{source.name} {'' if isinstance(source, ResourceMetricSource) else 'container '}resource"
        share = source.target.type == "Utilization"
        return f"{what} utilization (percentage of request)" if share else what
    if metric.pods:
        return f"pods metric {metric.pods.metric.name}"
    if metric.object:
        return f"{metric.object.described_object.kind} metric {metric.object.metric.name}"
    if metric.external:
        return f"external metric {metric.external.metric.name}({printed(metric.external.metric.selector)})"
    return "no metric"


def printed(selector: LabelSelector | None) -> str:
    """As Kubernetes' own code prints one in messages."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels.items()))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{each.key},Operator:{each.operator},Values:[{' '.join(each.values)}],}},"
        for each in selector.match_expressions
    )
    where = f"MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{rules}}},"
    return f"&LabelSelector{{{where}}}"


def target_of(metric: MetricSpec) -> MetricTarget:
    source = metric.resource or metric.container_resource or metric.pods or metric.object or metric.external
    assert source is not None, "validated"
    return source.target


def _shown(target: MetricTarget) -> float:
    if target.type == "Utilization":
        return float(target.average_utilization or 0)
    return quantity(target.value or target.average_value) / UNIT


# Metrics per replica


def _per_replica(
    metric: MetricSpec, reading: Reading, known: Circumstances, steps: list[str]
) -> tuple[int, Ratio, float]:
    source = metric.resource or metric.container_resource
    groups = census(known.copies, reading, known.now, cpu=source is not None and source.name == "cpu")
    steps.append(_counts(groups))
    samples = {name: reading.samples[name] for name in groups.counted}
    if not known.copies:
        raise _Unknown("no pods returned by selector while calculating replica count")
    if not samples:
        raise _Unknown("did not receive metrics for targeted pods (pods might be unready)")
    measure = _Measure(target_of(metric), reading)
    ratio, value = measure.of(samples)
    steps.append(measure.says(ratio, value))
    waiting = groups.unready if ratio.up else ()
    if not waiting and not groups.missing:
        return _of_all(ratio, len(groups.counted), known, steps), ratio, value
    filled = samples | _filled(measure, groups.missing, ratio, steps)
    if waiting:
        filled |= dict.fromkeys(waiting, 0)
        steps.append(f"on the way up, {len(waiting)} not ready yet count as idle")
    corrected, _ = measure.of(filled)
    steps.append(f"corrected ratio {corrected.value:.3f} over {len(filled)} replicas")
    return _corrected(ratio, corrected, len(filled), known, steps), ratio, value


class _Measure:
    """How samples compare with a target."""

    def __init__(self, target: MetricTarget, reading: Reading) -> None:
        """Raises _Unknown where a share of requests is wanted that are not known."""
        self._percent = target.average_utilization if target.type == "Utilization" else None
        self._target = quantity(target.average_value) if self._percent is None else 0
        self._requests = reading.requests
        if self._percent is not None and reading.unrequested:
            raise _Unknown(reading.unrequested)

    def of(self, samples: Mapping[str, int]) -> tuple[Ratio, float]:
        """The ratio, and the value to be shown."""
        if self._percent is None:
            mean = sum(samples.values()) // len(samples)
            return Ratio(mean, self._target), mean / UNIT
        known = [name for name in samples if name in self._requests]
        requested = sum(self._requests[name] for name in known)
        if not requested:
            raise _Unknown("no metrics returned matched known pods")
        utilization = sum(samples[name] for name in known) * 100 // requested
        return Ratio(utilization, self._percent), float(utilization)

    def enough(self, name: str) -> int:
        """What a replica without a sample is taken to use on the way down."""
        if self._percent is None:
            return self._target
        return self._requests.get(name, 0) * max(100, self._percent) // 100

    def says(self, ratio: Ratio, value: float) -> str:
        if self._percent is not None:
            return f"utilization {value:.0f} % of {self._percent} %: ratio {ratio.value:.3f}"
        return f"average {value:g} of {self._target / UNIT:g}: ratio {ratio.value:.3f}"


def _filled(measure: _Measure, missing: Sequence[str], ratio: Ratio, steps: list[str]) -> dict[str, int]:
    if not missing or not (ratio.up or ratio.down):
        return {}
    if ratio.down:
        steps.append(f"on the way down, {len(missing)} without a sample count as enough to keep them")
        return {name: measure.enough(name) for name in missing}
    steps.append(f"on the way up, {len(missing)} without a sample count as idle")
    return dict.fromkeys(missing, 0)


def _of_all(ratio: Ratio, counted: int, known: Circumstances, steps: list[str]) -> int:
    if known.tolerance.holds(ratio):
        steps.append(f"within the tolerance: {known.current} as now")
        return known.current
    replicas = ratio.of(counted)
    steps.append(f"{ratio.value:.3f} x {counted}, rounded up: {replicas}")
    return replicas


def _corrected(ratio: Ratio, corrected: Ratio, count: int, known: Circumstances, steps: list[str]) -> int:
    current = known.current
    if known.tolerance.holds(corrected):
        steps.append(f"within the tolerance: {current} as now")
        return current
    if (ratio.down and corrected.up) or (ratio.up and corrected.down):
        steps.append(f"the correction turned the direction around: {current} as now")
        return current
    replicas = corrected.of(count)
    if (corrected.down and replicas > current) or (corrected.up and replicas < current):
        steps.append(f"{replicas} would be a change against the ratio: {current} as now")
        return current
    steps.append(f"{corrected.value:.3f} x {count}, rounded up: {replicas}")
    return replicas


def _counts(groups: Census) -> str:
    told = [f"{len(ids)} {name}" for name, ids in zip(Census._fields, groups, strict=True) if ids]
    return f"replicas: {', '.join(told) or 'none'}"


# Metrics of the target as a whole


def _whole(reading: Reading, target: MetricTarget, known: Circumstances, steps: list[str]) -> tuple[int, Ratio, float]:
    """Value: the ratio holds for the replicas that are ready."""
    ratio, value = Ratio(reading.value, quantity(target.value)), reading.value / UNIT
    steps.append(f"value {value:g} of {_shown(target):g}: ratio {ratio.value:.3f}")
    if known.current == 0:
        replicas = ratio.of(1)
        steps.append(f"from zero, the ratio itself, rounded up: {replicas}")
        return replicas, ratio, value
    if known.tolerance.holds(ratio):
        steps.append(f"within the tolerance: {known.current} as now")
        return known.current, ratio, value
    if not known.copies:
        raise _Unknown("no pods returned by selector while calculating replica count")
    ready = sum(copy.ready for copy in known.copies)
    replicas = ratio.of(ready)
    steps.append(f"{ratio.value:.3f} x {ready} ready, rounded up: {replicas}")
    return replicas, ratio, value


def _share(reading: Reading, target: MetricTarget, known: Circumstances, steps: list[str]) -> tuple[int, Ratio, float]:
    """AverageValue: each replica is to have so much of it."""
    there = sum(not copy.terminating for copy in known.copies)
    each = quantity(target.average_value)
    value = reading.value / UNIT / max(1, there)
    steps.append(f"{reading.value / UNIT:g} in all, {value:g} for each of {there}; target {each / UNIT:g}")
    ratio = Ratio(reading.value, each * max(1, there))
    if there and known.tolerance.holds(ratio):
        steps.append(f"ratio {ratio.value:.3f} is within the tolerance: {there} as now")
        return there, ratio, value
    replicas = Ratio(reading.value, each).of(1)
    steps.append(f"all of it divided by the target, rounded up: {replicas}")
    return replicas, ratio, value
