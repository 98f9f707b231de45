"""Stabilization windows and policies of autoscaling/v2, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.autoscaling.behavior import Rules, limited, rules, stabilized
from mesh.autoscaling.history import Change, History
from tests.mesh.autoscaling.objects import NOW, Written, behavior, percent, pods


def remembered(*recommendations: tuple[int, float]) -> History:
    """Number and how many seconds ago."""
    return History(recommendations={number: NOW - ago for number, ago in recommendations})


def changed(*changes: tuple[int, float]) -> History:
    """By how many, and how many seconds ago."""
    return History(changes=tuple(Change(NOW - ago, by) for by, ago in changes))


UP, DOWN = "scaleUp", "scaleDown"

# The rule; wanted; current; behavior; recommendations (number, seconds ago); what it becomes; the reason.
WINDOWS: list[tuple[str, int, int, dict[str, Any], list[tuple[int, float]], int, str]] = [
    ("up at once by default", 8, 4, {}, [(4, 10)], 8, "ReadyForNewScale"),
    ("down only after 300 s by default", 2, 4, {}, [(4, 299)], 4, "ScaleDownStabilized"),
    ("down when the window is over", 2, 4, {}, [(4, 300)], 2, "ReadyForNewScale"),
    ("down to the highest in the window", 1, 9, {}, [(9, 400), (3, 200), (5, 100), (2, 50)], 5, "ScaleDownStabilized"),
    ("down not above the current size", 2, 4, {}, [(9, 10)], 4, "ScaleDownStabilized"),
    ("a window of 0 down: at once", 2, 4, {DOWN: {"stabilizationWindowSeconds": 0}}, [(4, 1)], 2, "ReadyForNewScale"),
    ("a window of its own down", 2, 4, {DOWN: {"stabilizationWindowSeconds": 60}}, [(4, 59)], 4, "ScaleDownStabilized"),
    ("its own window is over", 2, 4, {DOWN: {"stabilizationWindowSeconds": 60}}, [(4, 61)], 2, "ReadyForNewScale"),
    (
        "a window up: the lowest counts",
        9,
        4,
        {UP: {"stabilizationWindowSeconds": 60}},
        [(6, 30), (8, 20)],
        6,
        "ScaleUpStabilized",
    ),
    (
        "a window up: never below the current size",
        9,
        4,
        {UP: {"stabilizationWindowSeconds": 60}},
        [(2, 30)],
        4,
        "ScaleUpStabilized",
    ),
    ("a window up is over", 9, 4, {UP: {"stabilizationWindowSeconds": 60}}, [(4, 61)], 9, "ReadyForNewScale"),
    (
        "both windows: between them the size stays",
        3,
        5,
        {UP: {"stabilizationWindowSeconds": 60}},
        [(9, 30)],
        5,
        "ScaleDownStabilized",
    ),
    ("no change is no matter of windows", 4, 4, {}, [(4, 10)], 4, "ReadyForNewScale"),
    ("wanted as now, while lower ones are remembered", 4, 4, {}, [(2, 10)], 4, "ReadyForNewScale"),
    ("nothing remembered: nothing held back", 2, 4, {}, [], 2, "ReadyForNewScale"),
    ("the window down does not hold back what is to grow", 6, 4, {}, [(9, 10)], 6, "ReadyForNewScale"),
    (
        "an hour is the longest",
        2,
        4,
        {DOWN: {"stabilizationWindowSeconds": 3600}},
        [(4, 3599)],
        4,
        "ScaleDownStabilized",
    ),
]


@pytest.mark.parametrize("rule", WINDOWS, ids=lambda rule: rule[0])
def test_windows(rule: tuple[str, int, int, dict[str, Any], list[tuple[int, float]], int, str]) -> None:
    _, wanted, current, written, recommendations, expected, reason = rule
    verdict = stabilized(wanted, current, behavior(**written), remembered(*recommendations), NOW)
    assert (verdict.replicas, verdict.reason) == (expected, reason)


# The rule; wanted; current; behavior; changes (by, seconds ago); what it becomes; the reason.
POLICIES: list[tuple[str, int, int, dict[str, Any], list[tuple[int, float]], int, str]] = [
    ("default up: 4 at once when that is more", 50, 1, {}, [], 5, "ScaleUpLimit"),
    ("default up: double when that is more", 50, 10, {}, [], 20, "ScaleUpLimit"),
    ("default up: within", 7, 4, {}, [], 7, "DesiredWithinRange"),
    ("default up: what was added in the period counts", 50, 5, {}, [(4, 10)], 5, "ScaleUpLimit"),
    ("default up: the period is over", 50, 5, {}, [(4, 15)], 10, "ScaleUpLimit"),
    ("what was taken away in the period is room to grow", 50, 8, {}, [(-4, 10)], 24, "ScaleUpLimit"),
    ("changes in both directions are netted", 50, 10, {}, [(4, 12), (-4, 6)], 20, "ScaleUpLimit"),
    ("default down: all at once", 1, 90, {}, [], 1, "DesiredWithinRange"),
    ("Pods up", 50, 10, {UP: {"policies": [pods(2)]}}, [], 12, "ScaleUpLimit"),
    ("Percent up", 50, 10, {UP: {"policies": [percent(50)]}}, [], 15, "ScaleUpLimit"),
    ("Percent up is rounded up", 50, 3, {UP: {"policies": [percent(10)]}}, [], 4, "ScaleUpLimit"),
    ("Percent up, exactly", 500, 50, {UP: {"policies": [percent(10)]}}, [], 55, "ScaleUpLimit"),
    (
        "several up: the largest change by default",
        99,
        10,
        {UP: {"policies": [pods(2), percent(50)]}},
        [],
        15,
        "ScaleUpLimit",
    ),
    (
        "several up with Min: the smallest",
        99,
        10,
        {UP: {"selectPolicy": "Min", "policies": [pods(2), percent(50)]}},
        [],
        12,
        "ScaleUpLimit",
    ),
    ("Disabled up", 99, 10, {UP: {"selectPolicy": "Disabled"}}, [], 10, "ScaleUpLimit"),
    ("Disabled up lets go down", 5, 10, {UP: {"selectPolicy": "Disabled"}}, [], 5, "DesiredWithinRange"),
    (
        "each policy looks back as far as its period",
        99,
        14,
        {UP: {"policies": [pods(4, 60), pods(2, 15)]}},
        [(4, 30)],
        16,
        "ScaleUpLimit",
    ),
    ("a long period remembers", 99, 14, {UP: {"policies": [pods(4, 60)]}}, [(4, 59)], 14, "ScaleUpLimit"),
    ("a long period that is over", 99, 14, {UP: {"policies": [pods(4, 60)]}}, [(4, 61)], 18, "ScaleUpLimit"),
    ("a part of the period's change is left", 99, 12, {UP: {"policies": [pods(4, 60)]}}, [(2, 30)], 14, "ScaleUpLimit"),
    (
        "more was added than a policy now allows: no change",
        99,
        20,
        {UP: {"policies": [pods(4, 60)]}},
        [(10, 30)],
        20,
        "ScaleUpLimit",
    ),
    ("Pods down", 1, 10, {DOWN: {"policies": [pods(2)]}}, [], 8, "ScaleDownLimit"),
    ("Percent down", 1, 10, {DOWN: {"policies": [percent(20)]}}, [], 8, "ScaleDownLimit"),
    (
        "Percent down leaves a whole number, rounded down",
        1,
        9,
        {DOWN: {"policies": [percent(50)]}},
        [],
        4,
        "ScaleDownLimit",
    ),
    ("Percent down of a single one", 0, 1, {DOWN: {"policies": [percent(10)]}}, [], 1, "TooFewReplicas"),
    (
        "several down: the largest change by default",
        1,
        10,
        {DOWN: {"policies": [pods(2), percent(50)]}},
        [],
        5,
        "ScaleDownLimit",
    ),
    (
        "several down with Min: the smallest",
        1,
        10,
        {DOWN: {"selectPolicy": "Min", "policies": [pods(2), percent(50)]}},
        [],
        8,
        "ScaleDownLimit",
    ),
    ("Disabled down", 1, 10, {DOWN: {"selectPolicy": "Disabled"}}, [], 10, "ScaleDownLimit"),
    ("Disabled down lets go up", 12, 10, {DOWN: {"selectPolicy": "Disabled"}}, [], 12, "DesiredWithinRange"),
    ("what was taken in the period counts", 1, 8, {DOWN: {"policies": [pods(2, 60)]}}, [(-2, 30)], 8, "ScaleDownLimit"),
    ("down: the period is over", 1, 8, {DOWN: {"policies": [pods(2, 60)]}}, [(-2, 60)], 6, "ScaleDownLimit"),
    (
        "what was added in the period may go again",
        1,
        10,
        {DOWN: {"policies": [pods(2, 60)]}},
        [(4, 30)],
        4,
        "ScaleDownLimit",
    ),
    (
        "more was taken than a policy now allows: no change",
        1,
        10,
        {DOWN: {"policies": [pods(2, 60)]}},
        [(-9, 30)],
        10,
        "ScaleDownLimit",
    ),
    (
        "percentages are of the size at the period's start",
        99,
        15,
        {UP: {"policies": [percent(100, 60)]}},
        [(5, 30)],
        20,
        "ScaleUpLimit",
    ),
    ("the maximum", 200, 60, {}, [], 100, "TooManyReplicas"),
    ("the maximum, reached", 200, 100, {}, [], 100, "TooManyReplicas"),
    ("the minimum", 0, 3, {}, [], 1, "TooFewReplicas"),
    ("the minimum, reached", 0, 1, {}, [], 1, "TooFewReplicas"),
    ("no change", 5, 5, {}, [], 5, "DesiredWithinRange"),
]


@pytest.mark.parametrize("rule", POLICIES, ids=lambda rule: rule[0])
def test_policies(rule: tuple[str, int, int, dict[str, Any], list[tuple[int, float]], int, str]) -> None:
    _, wanted, current, written, changes, expected, reason = rule
    spec = Written(behavior=behavior(**written)).made().spec
    verdict = limited(wanted, current, spec, changed(*changes), NOW)
    assert (verdict.replicas, verdict.reason) == (expected, reason)


def test_a_minimum_of_zero() -> None:
    assert limited(0, 1, Written(least=0).made().spec, History(), NOW).replicas == 0


def test_what_is_not_written_has_kubernetes_defaults() -> None:
    up, down = rules(behavior(scaleDown={"policies": [pods(1, 60)]}))
    assert (up.window, up.select, {(p.type, p.value, p.period_seconds) for p in up.policies}) == (
        0, "Max", {("Pods", 4, 15), ("Percent", 100, 15)},
    )  # fmt: skip
    assert (down.window, down.select, len(down.policies)) == (300, "Max", 1)
    assert [(p.type, p.value, p.period_seconds) for p in rules(behavior())[1].policies] == [("Percent", 100, 15)]
    assert isinstance(up, Rules)
