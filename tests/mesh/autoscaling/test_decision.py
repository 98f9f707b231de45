"""The whole decision: bounds, several metrics, conditions as Kubernetes words them; and what always holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.resources.autoscaling import MetricSpec
from mesh.autoscaling.decision import Decision, carried_out, decide, held_back, tolerance, unreachable
from mesh.autoscaling.history import History
from mesh.autoscaling.reading import Reading, amount
from tests.mesh.autoscaling.objects import NOW, Fake, FakeScale, Written, behavior, crowd, metric, pods

OLD = History(recommendations={1: NOW - 3000})
"""Of one that has been there for long: nothing holds it back."""
BROKEN = Reading(failure="it is gone")


def conditions(decision: Decision) -> dict[str, tuple[bool, str]]:
    return {each.type: (each.status, each.reason) for each in decision.conditions}


@dataclass
class Case:
    rule: str
    words: str
    """Replicas, and what they say (`objects.KINDS`)."""
    current: int
    desired: int
    expected: dict[str, tuple[bool, str]]
    reason: str = ""
    written: Written = field(default_factory=Written)
    history: History = OLD


def active(reason: str = "ValidMetricFound") -> dict[str, tuple[bool, str]]:
    return {"ScalingActive": (reason == "ValidMetricFound", reason)}


def able(reason: str = "ReadyForNewScale") -> dict[str, tuple[bool, str]]:
    return {"AbleToScale": (True, reason)}


def limit(reason: str = "DesiredWithinRange") -> dict[str, tuple[bool, str]]:
    return {"ScalingLimited": (reason != "DesiredWithinRange", reason)}


FINE = active() | able() | limit()
GOT = able("SucceededGetScale")
ABOVE = "pods metric in_flight above target"
BELOW = "All metrics below target"

CASES = [
    Case("in balance", "r10x3", 3, 3, FINE),
    Case("more load", "r20x3", 3, 6, FINE, ABOVE),
    Case("less load", "r5x4", 4, 2, FINE, BELOW),
    Case(
        "never above the maximum", "r90x3", 3, 5, active() | able() | limit("TooManyReplicas"), ABOVE, Written(most=5)
    ),
    Case("never below the minimum", "r1x4", 4, 3, active() | able() | limit("TooFewReplicas"), BELOW, Written(least=3)),
    Case("no load leaves the minimum", "r0x4", 4, 1, active() | able() | limit("TooFewReplicas"), BELOW),
    Case("a minimum of zero is kept too", "r0x4", 4, 0, FINE, BELOW, Written(least=0)),
    Case(
        "above the maximum: the maximum at once",
        "r10x9",
        9,
        4,
        GOT,
        "Current number of replicas above Spec.MaxReplicas",
        Written(most=4),
    ),
    Case(
        "below the minimum: the minimum at once",
        "r0",
        1,
        3,
        GOT,
        "Current number of replicas below Spec.MinReplicas",
        Written(least=3),
    ),
    Case("zero replicas and a minimum above: switched off", "", 0, 0, GOT | active("ScalingDisabled")),
    Case(
        "zero replicas and a minimum of zero: it sleeps, and nothing is wrong",
        "",
        0,
        0,
        active("ScaledToZero") | able() | limit(),
        written=Written(least=0),
    ),
    Case("faster than the policies allow", "r90", 1, 5, active() | able() | limit("ScaleUpLimit"), ABOVE),
    Case(
        "down is held by a recent recommendation",
        "r5x4",
        4,
        4,
        active() | able("ScaleDownStabilized") | limit(),
        "",
        history=History({4: NOW - 10}),
    ),
    Case(
        "down is held by part",
        "r1x9",
        9,
        5,
        active() | able("ScaleDownStabilized") | limit(),
        BELOW,
        history=History({5: NOW - 10}),
    ),
    Case(
        "up is held by a window",
        "r20x4",
        4,
        5,
        active() | able("ScaleUpStabilized") | limit(),
        ABOVE,
        Written(behavior=behavior(scaleUp={"stabilizationWindowSeconds": 60})),
        History({5: NOW - 10}),
    ),
    Case(
        "a fresh one cannot take anything away at once",
        "r1x4",
        4,
        4,
        active() | able("ScaleDownStabilized") | limit(),
        "",
        history=History(),
    ),
    Case("a fresh one can add at once", "r20x4", 4, 8, FINE, ABOVE, history=History()),
    Case("no samples: nothing changes", "m m", 2, 2, GOT | active("FailedGetPodsMetric")),
    Case(
        "no samples, and above the maximum: the maximum all the same",
        "m m m",
        3,
        2,
        GOT,
        "Current number of replicas above Spec.MaxReplicas",
        Written(most=2),
    ),
    Case(
        "a tolerance of its own for up",
        "r14x5",
        5,
        5,
        FINE,
        "",
        Written(behavior=behavior(scaleUp={"tolerance": "0.5"})),
    ),
    Case(
        "a tolerance of its own for down",
        "r9x10",
        10,
        9,
        FINE,
        BELOW,
        Written(behavior=behavior(scaleDown={"tolerance": "0"})),
    ),
    Case(
        "up disabled",
        "r90x3",
        3,
        3,
        active() | able() | limit("ScaleUpLimit"),
        "",
        Written(behavior=behavior(scaleUp={"selectPolicy": "Disabled"})),
    ),
    Case(
        "down disabled",
        "r1x3",
        3,
        3,
        active() | able() | limit("ScaleDownLimit"),
        "",
        Written(behavior=behavior(scaleDown={"selectPolicy": "Disabled"})),
    ),
    Case(
        "one pod a minute down",
        "r1x5",
        5,
        4,
        active() | able() | limit("ScaleDownLimit"),
        BELOW,
        Written(behavior=behavior(scaleDown={"policies": [pods(1, 60)]})),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_cases(case: Case) -> None:
    copies, reading = crowd(case.words)
    hpa = case.written.made()
    decision = decide(hpa, FakeScale(case.current, copies), (reading,), case.history, NOW)
    assert (decision.desired, conditions(decision)) == (case.desired, case.expected), decision.steps
    assert decision.reason == case.reason
    assert decision.current == case.current


TWO = (metric("pods", 10), metric("object/", 10))
# The rule; in flight of each of four replicas (None: unknown); the object's value (None); desired; active.
SEVERAL: list[tuple[str, float | None, float | None, int, str]] = [
    ("the largest wins", 20, 60, 8, "ValidMetricFound"),
    ("the largest wins, whichever it is", 10, 60, 6, "ValidMetricFound"),
    ("down only as far as the largest", 2, 30, 3, "ValidMetricFound"),
    ("one that wants as now holds the other", 1, 40, 4, "ValidMetricFound"),
    ("one failed, the other wants more: more", None, 60, 6, "ValidMetricFound"),
    ("one failed, the other wants as now: as now, and active", None, 40, 4, "ValidMetricFound"),
    ("one failed, the other wants less: nothing is taken", None, 10, 4, "FailedGetPodsMetric"),
    ("the other failed, less is wanted: nothing is taken", 1, None, 4, "FailedGetObjectMetric"),
    ("the other failed, more is wanted: more", 20, None, 8, "ValidMetricFound"),
    ("both failed: the first is told", None, None, 4, "FailedGetPodsMetric"),
]  # fmt: skip


@pytest.mark.parametrize("rule", SEVERAL, ids=lambda rule: rule[0])
def test_several_metrics(rule: tuple[str, float | None, float | None, int, str]) -> None:
    _, each, whole, desired, reason = rule
    copies, reading = crowd(f"r{each}x4" if each is not None else "r0x4")
    readings = (
        reading if each is not None else BROKEN,
        Reading(value=amount(whole)) if whole is not None else BROKEN,
    )
    decision = decide(Written(TWO).made(), FakeScale(4, copies), readings, OLD, NOW)
    assert (decision.desired, conditions(decision)["ScalingActive"][1]) == (desired, reason)


def test_messages_are_those_of_kubernetes() -> None:
    copies, reading = crowd("r20x3")
    decision = decide(Written(most=5).made(), FakeScale(3, copies), (reading,), OLD, NOW)
    assert {each.type: each.message for each in decision.conditions} == {
        "AbleToScale": "recommended size matches current size",
        "ScalingActive": "the HPA was able to successfully calculate a replica count from pods metric in_flight",
        "ScalingLimited": "the desired replica count is more than the maximum replica count",
    }
    failed = decide(Written().made(), FakeScale(3, copies), (BROKEN,), OLD, NOW)
    assert failed.conditions[1].message == "the HPA was unable to compute the replica count: it is gone"


def test_steps_tell_what_every_rule_did_to_the_number() -> None:
    copies, reading = crowd("r90x3")
    decision = decide(Written(most=5).made(), FakeScale(3, copies), (reading,), OLD, NOW)
    assert decision.steps == ("now 3", "pods metric in_flight asks for 27", "TooManyReplicas: 5", "desired 5")


def test_what_was_carried_out_is_remembered() -> None:
    copies, reading = crowd("r20x3")
    decision = decide(Written().made(), FakeScale(3, copies), (reading,), OLD, NOW)
    assert decision.history.recommendations[6] == NOW
    assert decision.history.changes == ()
    done = carried_out(decision, NOW)
    assert [(change.at, change.by) for change in done.history.changes] == [(NOW, 3)]
    assert conditions(done)["AbleToScale"] == (True, "SucceededRescale")
    assert done.word == "SucceededRescale"


def test_what_is_held_back_is_told_and_not_remembered() -> None:
    copies, reading = crowd("r20x3")
    decision = decide(Written().made(), FakeScale(3, copies), (reading,), OLD, NOW)
    held = held_back(decision, "dry run")
    assert held.steps[-1] == "not carried out: dry run"
    assert (held.desired, held.history.changes) == (6, ())
    same = decide(Written().made(), FakeScale(6, crowd("r10x6")[0]), (crowd("r10x6")[1],), OLD, NOW)
    assert held_back(same, "dry run") is same


def test_a_target_that_is_not_there() -> None:
    decision = unreachable(Decision(0, 0), "FailedGetScale", "the HPA controller was unable to get it")
    assert conditions(decision) == {"AbleToScale": (False, "FailedGetScale")}
    assert decision.word == "FailedGetScale"


def test_the_word_is_what_says_most() -> None:
    copies, reading = crowd("r10x3")
    assert decide(Written().made(), FakeScale(3, copies), (reading,), OLD, NOW).word == "ReadyForNewScale"
    assert decide(Written().made(), FakeScale(3, copies), (BROKEN,), OLD, NOW).word == "FailedGetPodsMetric"
    assert decide(Written(most=3).made(), FakeScale(3, *[crowd("r90x3")[0]]), (crowd("r90x3")[1],), OLD, NOW).word == (
        "TooManyReplicas"
    )
    assert Decision(1, 1).word == ""


def test_tolerances_default_to_a_tenth() -> None:
    assert tolerance(Written().made()) == (0.1, 0.1)
    written = Written(behavior=behavior(scaleUp={"tolerance": "250m"}, scaleDown={"tolerance": "0"}))
    assert tolerance(written.made()) == (0.25, 0.0)


# What always holds

loads = st.lists(st.integers(0, 400), min_size=1, max_size=12)
bounds = st.tuples(st.integers(1, 10), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair)))
metrics = st.sampled_from([metric("pods", 10), metric("cpu%", 50), metric("memory", 30)])


def once(load: list[int], least: int, most: int, spec: MetricSpec, history: History = OLD) -> Decision:
    copies, reading = crowd(" ".join(f"r{each}" for each in load))
    return decide(Written((spec,), least, most).made(), FakeScale(len(copies), copies), (reading,), history, NOW)


@given(loads, bounds, metrics)
def test_the_result_is_within_the_bounds(load: list[int], bound: tuple[int, int], spec: MetricSpec) -> None:
    assert bound[0] <= once(load, *bound, spec).desired <= bound[1]


@given(loads, st.integers(0, 200), bounds, metrics)
def test_more_load_never_means_fewer(load: list[int], more: int, bound: tuple[int, int], spec: MetricSpec) -> None:
    busier = [each + more for each in load]
    assert once(busier, *bound, spec).desired >= once(load, *bound, spec).desired


@given(st.integers(0, 3000), st.integers(1, 30), st.sampled_from([5.0, 15.0, 60.0]), st.dictionaries(
    st.sampled_from(["scaleUp", "scaleDown"]), st.sampled_from([{}, {"stabilizationWindowSeconds": 0}]), max_size=2,
))  # fmt: skip
def test_under_constant_load_the_size_settles_and_stays(
    load: int, size: int, period: float, written: dict[str, Any]
) -> None:
    """Once it has stopped growing it never grows again, and comes down once at most."""
    hpa = Written(most=60, behavior=behavior(**written)).made()
    history, now, sizes = History(), NOW, [size]
    for _ in range(int(700 / period)):
        copies = tuple(Fake(str(i)) for i in range(sizes[-1]))
        each, over = divmod(amount(load), len(copies))  # in all, it stays the same to the last unit
        reading = Reading({copy.id: each + (number < over) for number, copy in enumerate(copies)})
        decision = decide(hpa, FakeScale(sizes[-1], copies), (reading,), history, now)
        if decision.desired != decision.current:
            decision = carried_out(decision, now)
        history, now = decision.history, now + period
        sizes.append(decision.desired)
    steps = [after - before for before, after in pairwise(sizes) if after != before]
    assert all(step > 0 for step in steps) or all(step < 0 for step in steps), sizes
    assert len(set(sizes[-3:])) == 1, sizes


@given(loads, metrics)
def test_the_same_again_gives_the_same(load: list[int], spec: MetricSpec) -> None:
    first = once(load, 1, 30, spec)
    assert once(load, 1, 30, spec) == first


def test_what_sleeps_says_whether_a_request_wakes_it() -> None:
    copies, reading = crowd("")
    hpa = Written(least=0).made()
    for held, said in (("", "a request wakes it"), ("dry run", "no request wakes it: dry run")):
        decision = decide(hpa, FakeScale(0, copies), (reading,), OLD, NOW, held=held)
        (told,) = (each for each in decision.conditions if each.reason == "ScaledToZero")
        assert told.message == f"the target is scaled to zero, and {said}"


def test_the_last_one_stays_while_requests_come_whatever_the_metrics_say() -> None:
    copies, reading = crowd("r0")
    hpa = Written(least=0).made()
    kept = decide(hpa, FakeScale(1, copies), (reading,), OLD, NOW, busy=True)
    assert (kept.desired, kept.steps[-1]) == (1, "desired 1")
    assert "requests are in flight or came lately: 1" in kept.steps
    held = decide(hpa, FakeScale(1, copies), (reading,), kept.history, NOW + 299)
    assert (held.desired, conditions(held)["AbleToScale"]) == (1, (True, "ScaleDownStabilized"))
    assert decide(hpa, FakeScale(1, copies), (reading,), held.history, NOW + 301).desired == 0


def test_a_metric_of_the_service_wakes_it_too() -> None:
    hpa = Written(metrics=(metric("object/", 4),), least=0).made()
    woken = decide(hpa, FakeScale(0), (Reading(value=amount(9)),), OLD, NOW)
    assert (woken.desired, conditions(woken)["ScalingActive"]) == (3, (True, "ValidMetricFound"))
