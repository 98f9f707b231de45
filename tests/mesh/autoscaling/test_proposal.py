"""Kubernetes' replica calculator, rule by rule."""

from __future__ import annotations

import pytest

from config.meta import LabelRequirement, LabelSelector
from mesh.autoscaling.proposal import Circumstances, describe, printed, propose
from mesh.autoscaling.reading import Reading, Tolerance, amount
from tests.mesh.autoscaling.objects import NOW, Fake, crowd, metric

# The rule; metric and target; replicas (objects.KINDS); current; what is asked for.
PER_REPLICA: list[tuple[str, str, float, str, int, int]] = [
    ("at the target nothing changes", "cpu%", 50, "r50x3", 3, 3),
    ("twice the target: twice the replicas", "cpu%", 50, "r100x3", 3, 6),
    ("half the target: half the replicas", "cpu%", 50, "r25x4", 4, 2),
    ("the result is rounded up", "cpu%", 50, "r60x3", 3, 4),
    ("the result is rounded up on the way down too", "cpu%", 50, "r40x4", 4, 4),
    ("a ratio of 1.1 is within the tolerance", "cpu%", 100, "r110x2", 2, 2),
    ("a ratio of 1.11 is not", "cpu%", 100, "r111x2", 2, 3),
    ("a ratio of 0.9 is within the tolerance", "cpu%", 100, "r90x10", 10, 10),
    ("a ratio of 0.89 is not", "cpu%", 100, "r89x10", 10, 9),
    ("utilization is truncated before it is divided", "cpu%", 100, "r110.9x2", 2, 2),
    ("utilization is truncated on the way down", "cpu%", 100, "r89.9x10", 10, 9),
    ("truncation of a small target", "cpu%", 10, "r11.9", 1, 1),
    ("the mean counts, not the busiest", "cpu%", 50, "r100 r0", 2, 2),
    ("no load at all asks for none", "cpu%", 50, "r0x5", 5, 0),
    ("one busy replica", "cpu%", 50, "r1000", 1, 20),
    ("the ratio is of the replicas that count, not of the current size", "cpu%", 50, "r100x2", 5, 4),
    ("terminating replicas are ignored", "cpu%", 50, "r100x2 t0x2", 2, 4),
    ("samples of terminating replicas are ignored", "cpu%", 50, "r50 t500", 1, 1),
    ("missing on the way down: 100 % of the request", "cpu%", 50, "r10x4 m", 5, 3),
    ("missing on the way down may keep all", "cpu%", 50, "r10x2 m", 3, 3),
    ("missing on the way down: the target where it is above 100 %", "cpu%", 200, "r50x2 m", 3, 2),
    ("missing on the way up: nothing", "cpu%", 50, "r100x2 m", 3, 4),
    ("missing on the way up that turn it around: no change", "cpu%", 50, "r80 m", 2, 2),
    ("missing on the way up that bring it within the tolerance", "cpu%", 50, "r104 m", 2, 2),
    ("missing on the way down that turn it around: no change", "cpu%", 50, "r40 m", 2, 2),
    ("missing at exactly the target: no direction, no change", "cpu%", 50, "r50 m", 2, 2),
    ("not ready yet, on the way up: idle", "cpu%", 50, "r100x2 u0", 3, 4),
    ("what one that is not ready uses does not count on the way up", "cpu%", 50, "r100 u900", 2, 2),
    ("not ready yet, on the way down: left out", "cpu%", 50, "r20x2 u500", 3, 1),
    ("pending, on the way up: idle", "cpu%", 50, "r100 p", 2, 2),
    ("pending, on the way up, when the rest is busy enough", "cpu%", 50, "r200 p", 2, 4),
    ("pending, on the way down: left out", "cpu%", 50, "r20x2 p", 3, 1),
    ("not ready yet and missing on the way up: both idle", "cpu%", 50, "r200 u0 m", 3, 4),
    ("not ready yet and missing on the way down: only the missing count", "cpu%", 50, "r10 u0 m", 3, 3),
    ("a correction never grows what is to shrink", "cpu%", 50, "r20x4 m", 2, 2),
    ("a correction never shrinks what is to grow", "cpu%", 50, "r200 m", 10, 10),
    ("ready for less than a window of its metric: as not ready", "cpu%", 50, "r50 f500", 2, 2),
    ("ready for less than a window, on the way up: idle", "cpu%", 50, "r100 f0", 2, 2),
    ("one that was ready before counts, ready or not", "cpu%", 50, "r50 l150", 2, 4),
    ("one that was never ready counts never", "cpu%", 50, "r50 n150", 2, 2),
    ("for memory one that is not ready counts", "memory%", 50, "r50 u150", 2, 4),
    ("for memory one that is just ready counts", "memory%", 50, "r50 f150", 2, 4),
    ("for memory one that was never ready counts", "memory%", 50, "r50 n150", 2, 4),
    ("for memory pending ones are not ready either", "memory%", 50, "r100 p", 2, 2),
    ("a container's resource is counted as a pod's", "cpu@main%", 50, "r100x3", 3, 6),
    ("a container's cpu is not that of a replica not ready", "cpu@main%", 50, "r100 u900", 2, 2),
    ("AverageValue of a resource", "cpu", 10, "r20x2", 2, 4),
    ("AverageValue of cpu: not ready yet, on the way up", "cpu", 10, "r20 u0", 2, 2),
    ("AverageValue of memory: not ready counts", "memory", 10, "r20 u0", 2, 2),
    ("pods metric: at the target", "pods", 10, "r10x2", 2, 2),
    ("pods metric: above", "pods", 10, "r20x2", 2, 4),
    ("pods metric: rounded up", "pods", 10, "r15x3", 3, 5),
    ("pods metric: tolerance up", "pods", 10, "r11x10", 10, 10),
    ("pods metric: above the tolerance", "pods", 10, "r12x10", 10, 12),
    ("pods metric: tolerance down", "pods", 10, "r9x10", 10, 10),
    ("pods metric: below the tolerance", "pods", 10, "r8x10", 10, 8),
    ("a value is not truncated as a percentage is", "pods", 10, "r11.05x10", 10, 12),
    ("pods metric: missing on the way down: the target", "pods", 10, "r2x2 m", 3, 2),
    ("pods metric: missing on the way up: nothing", "pods", 10, "r30 m", 2, 3),
    ("pods metric: missing that turn it around: no change", "pods", 10, "r15 m", 2, 2),
    ("pods metric: one that is not ready counts, for it is no CPU", "pods", 10, "r20 u0", 2, 2),
    ("pods metric: pending on the way up: idle", "pods", 10, "r40 p", 2, 4),
    ("pods metric: pending on the way down: left out", "pods", 10, "r5x2 p", 3, 1),
    ("pods metric: terminating ones are ignored", "pods", 10, "r10 t100", 1, 1),
    ("pods metric: no load", "pods", 10, "r0x3", 3, 0),
    ("a fraction of a unit as target", "pods", 0.1, "r0.3", 1, 3),
]  # fmt: skip


@pytest.mark.parametrize("rule", PER_REPLICA, ids=lambda rule: f"{rule[1]}: {rule[0]}")
def test_per_replica(rule: tuple[str, str, float, str, int, int]) -> None:
    _, what, target, words, current, expected = rule
    copies, reading = crowd(words)
    made = propose(metric(what, target), reading, Circumstances(current, copies, NOW))
    assert (made.failure, made.replicas) == ("", expected), made.steps


# The rule; metric and target; its value; how many are ready, how many there are; current; what is asked for.
WHOLE: list[tuple[str, str, float, float, int, int, int, int]] = [
    ("Value: at the target", "object", 100, 100, 3, 3, 3, 3),
    ("Value: twice", "object", 100, 200, 3, 3, 3, 6),
    ("Value: within the tolerance", "object", 100, 110, 3, 3, 3, 3),
    ("Value: above the tolerance", "object", 100, 111, 3, 3, 3, 4),
    ("Value: below", "object", 100, 89, 10, 10, 10, 9),
    ("Value: times the ready replicas", "object", 100, 200, 2, 4, 4, 4),
    ("Value: nothing at all", "object", 100, 0, 3, 3, 3, 0),
    ("Value: from zero, the ratio itself", "object", 100, 250, 0, 0, 0, 3),
    ("Value: from zero, without a tolerance", "object", 100, 105, 0, 0, 0, 2),
    ("Value: from zero to zero", "object", 100, 0, 0, 0, 0, 0),
    ("AverageValue: at the target", "object/", 10, 30, 3, 3, 3, 3),
    ("AverageValue: within the tolerance", "object/", 10, 32, 3, 3, 3, 3),
    ("AverageValue: above the tolerance", "object/", 10, 34, 3, 3, 3, 4),
    ("AverageValue: all of it divided by the target", "object/", 10, 60, 3, 3, 3, 6),
    ("AverageValue: whether replicas are ready does not matter", "object/", 10, 60, 1, 3, 3, 6),
    ("AverageValue: within the tolerance on the way down", "object/", 10, 27, 3, 3, 3, 3),
    ("AverageValue: below, rounded up", "object/", 10, 14, 3, 3, 3, 2),
    ("AverageValue: nothing at all", "object/", 10, 0, 3, 3, 3, 0),
    ("AverageValue: from zero", "object/", 10, 25, 0, 0, 0, 3),
    ("AverageValue: from zero to zero", "object/", 10, 0, 0, 0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("rule", WHOLE, ids=lambda rule: rule[0])
def test_of_the_whole(rule: tuple[str, str, float, float, int, int, int, int]) -> None:
    _, what, target, value, ready, there, current, expected = rule
    copies = tuple(Fake(str(i), ready=i < ready) for i in range(there))
    made = propose(metric(what, target), Reading(value=amount(value)), Circumstances(current, copies, NOW))
    assert (made.failure, made.replicas) == ("", expected), made.steps


NO_PODS = "no pods returned by selector while calculating replica count"
UNREADY = "did not receive metrics for targeted pods (pods might be unready)"
FAILURES = [
    ("there are no replicas", "cpu%", "", NO_PODS, "FailedGetResourceMetric"),
    ("there are no replicas for a value", "pods", "", NO_PODS, "FailedGetPodsMetric"),
    ("there are none for an object's value", "object", "", NO_PODS, "FailedGetObjectMetric"),
    ("none has a sample", "cpu%", "m m", UNREADY, "FailedGetResourceMetric"),
    ("all are pending", "pods", "p p", UNREADY, "FailedGetPodsMetric"),
    ("all are just starting", "cpu%", "u100 f100", UNREADY, "FailedGetResourceMetric"),
    ("all are terminating", "memory%", "t1 t1", UNREADY, "FailedGetResourceMetric"),
]


@pytest.mark.parametrize("rule", FAILURES, ids=lambda rule: rule[0])
def test_cannot_be_judged(rule: tuple[str, str, str, str, str]) -> None:
    _, what, words, failure, reason = rule
    copies, reading = crowd(words)
    made = propose(metric(what, 50), reading, Circumstances(2, copies, NOW))
    assert (made.failure, made.reason) == (failure, reason)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("cpu%", "FailedGetResourceMetric"),
        ("cpu@main%", "FailedGetContainerResourceMetric"),
        ("pods", "FailedGetPodsMetric"),
        ("object", "FailedGetObjectMetric"),
        ("external", "FailedGetExternalMetric"),
    ],
)
def test_a_reading_that_failed_is_told_by_its_type(what: str, reason: str) -> None:
    made = propose(metric(what, 50), Reading(failure="it is gone"), Circumstances(2, (Fake("a"),), NOW))
    assert (made.failure, made.reason, made.value) == ("it is gone", reason, None)


def test_utilization_needs_requests_and_values_do_not() -> None:
    copies, reading = crowd("r20x2")
    lacking = Reading(reading.samples, {}, "missing request for cpu in container main of Pod a", at=NOW, window=15)
    known = Circumstances(2, copies, NOW)
    assert propose(metric("cpu%", 50), lacking, known).failure == lacking.unrequested
    assert propose(metric("cpu", 10), lacking, known).replicas == 4


def test_utilization_is_of_all_that_was_requested() -> None:
    """A large replica weighs as much as it asked for."""
    copies, reading = crowd("r100 r100")
    large = dict.fromkeys(reading.requests, amount(100)) | {copies[0].id: amount(300)}
    made = propose(metric("cpu%", 50), Reading(reading.samples, large, at=NOW), Circumstances(2, copies, NOW))
    assert (made.value, made.replicas) == (50, 2)


def test_no_request_of_a_replica_with_a_sample() -> None:
    copies, reading = crowd("r100")
    made = propose(metric("cpu%", 50), Reading(reading.samples, {}, at=NOW), Circumstances(1, copies, NOW))
    assert made.failure == "no metrics returned matched known pods"


@pytest.mark.parametrize(
    ("up", "down", "load", "expected"),
    [
        (0.0, 0.1, 10.1, 11),
        (0.5, 0.1, 15, 10),
        (0.5, 0.1, 15.1, 16),
        (0.1, 0.0, 9.9, 10),
        (0.1, 0.5, 5, 10),
        (0.1, 0.5, 4.9, 5),
    ],
)
def test_each_direction_may_have_a_tolerance_of_its_own(up: float, down: float, load: float, expected: int) -> None:
    copies, reading = crowd(f"r{load}x10")
    known = Circumstances(10, copies, NOW, Tolerance(up, down))
    assert propose(metric("pods", 10), reading, known).replicas == expected


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("cpu%", "cpu resource utilization (percentage of request)"),
        ("memory", "memory resource"),
        ("cpu@main%", "cpu container resource utilization (percentage of request)"),
        ("cpu@main", "cpu container resource"),
        ("pods", "pods metric in_flight"),
        ("object/", "Service metric in_flight"),
        ("external", "external metric q(nil)"),
    ],
)
def test_metrics_are_called_what_kubernetes_calls_them(what: str, name: str) -> None:
    assert describe(metric(what, 5)) == name


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "nil"),
        (
            LabelSelector(),
            "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}",
        ),
        (
            LabelSelector({"queue": "tasks", "env": "a"}),
            "&LabelSelector{MatchLabels:map[string]string{env: a,queue: tasks,},"
            "MatchExpressions:[]LabelSelectorRequirement{},}",
        ),
        (
            LabelSelector({}, (LabelRequirement("q", "In", ("a", "b")), LabelRequirement("z", "Exists"))),
            "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{"
            "LabelSelectorRequirement{Key:q,Operator:In,Values:[a b],},"
            "LabelSelectorRequirement{Key:z,Operator:Exists,Values:[],},},}",
        ),
    ],
    ids=["none", "empty", "labels by name", "expressions"],
)
def test_selectors_are_printed_as_in_messages_of_kubernetes(selector: LabelSelector | None, text: str) -> None:
    assert printed(selector) == text


def test_steps_tell_what_each_rule_did() -> None:
    copies, reading = crowd("r100x2 u0")
    made = propose(metric("cpu%", 50), reading, Circumstances(3, copies, NOW))
    assert made.steps == (
        "replicas: 2 counted, 1 unready",
        "utilization 100 % of 50 %: ratio 2.000",
        "on the way up, 1 not ready yet count as idle",
        "corrected ratio 1.320 over 3 replicas",
        "1.320 x 3, rounded up: 4",
    )
