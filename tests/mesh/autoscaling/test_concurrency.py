"""The fast lane's decision, each case a rule of Knative's autoscaler."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest

from config.scaling import ScalingPolicy
from mesh.autoscaling.concurrency import Measured, Panic, Situation, begin, decide
from mesh.autoscaling.history import History

NOW = 10_000.0
POLICY = ScalingPolicy(target=10, utilization_percent=70, max_replicas=5000)  # 7 for each replica


class Case(NamedTuple):
    desired: int
    ready: int
    stable: float
    panicked: float
    wanted: int
    mode: str = "Stable"
    policy: ScalingPolicy = POLICY
    panic: Panic | None = None
    history: History = History()
    seconds: float = 60.0


DELAYED = ScalingPolicy(target=10, scale_down_delay=30)
SHORT = History({9: NOW - 20, 6: NOW - 40})
CASES: dict[str, Case] = {
    "the mean over the target, rounded up": Case(3, 3, 22.0, 22.0, 4),
    "utilization is a part of the target": Case(3, 3, 21.0, 21.0, 3),
    "exactly what there is": Case(3, 3, 21.0, 0.0, 3),
    "no dead band": Case(3, 3, 21.1, 21.1, 4),
    "fewer": Case(4, 4, 14.0, 14.0, 2),
    "down at most to half of the ready ones": Case(10, 10, 7.0, 7.0, 5),
    "half is rounded down": Case(9, 9, 0.1, 0.1, 4),
    "another rate down": Case(9, 9, 0.1, 0.1, 1, policy=ScalingPolicy(target=10, max_scale_down_rate=9)),
    "up at most a thousand times the ready ones": Case(1, 1, 7 * 3000, 7 * 3000, 1000, "Panic"),
    "another rate up": Case(2, 2, 70.0, 70.0, 3, "Panic", ScalingPolicy(target=10, max_scale_up_rate=1.5)),
    "ratios are of ready replicas": Case(4, 2, 21.0, 21.0, 3),
    "none ready counts as one": Case(3, 0, 7.0, 7.0, 1),
    "a short burst under the threshold does not count": Case(3, 3, 14.0, 35.0, 2),
    "panic at twice the capacity": Case(3, 3, 14.0, 42.0, 6, "Panic"),
    "just under it": Case(3, 3, 21.0, 34.9, 3),
    "another threshold": Case(4, 4, 28.0, 42.0, 6, "Panic", ScalingPolicy(target=10, panic_threshold_percent=150)),
    "panic begins with what there is, not with what is ready": Case(9, 2, 14.0, 28.0, 9, "Panic"),
    "in panic the larger of the two": Case(3, 3, 70.0, 42.0, 10, "Panic"),
    "in panic nothing is taken away": Case(9, 9, 14.0, 14.0, 9, "Panic", panic=Panic(NOW - 59, 9)),
    "in panic more may come": Case(9, 9, 70.0, 70.0, 10, "Panic", panic=Panic(NOW - 59, 9)),
    "panic lasts for a whole window": Case(9, 9, 35.0, 35.0, 9, "Panic", panic=Panic(NOW - 60, 9)),
    "and is over after it": Case(9, 9, 35.0, 35.0, 5, panic=Panic(NOW - 61, 9)),
    "a new burst prolongs it": Case(9, 4, 35.0, 56.0, 9, "Panic", panic=Panic(NOW - 61, 9)),
    "a shorter window": Case(9, 9, 35.0, 35.0, 5, policy=ScalingPolicy(target=10, window=6), panic=Panic(NOW - 7, 9)),
    "least": Case(3, 3, 0.0, 0.0, 2, policy=ScalingPolicy(target=10, min_replicas=2)),
    "most": Case(3, 3, 100.0, 20.0, 4, policy=ScalingPolicy(target=10, max_replicas=4)),
    "fewer must be enough for the delay": Case(6, 6, 14.0, 14.0, 9, policy=DELAYED, history=SHORT),
    "after the delay": Case(6, 6, 21.0, 21.0, 3, policy=ScalingPolicy(target=10, scale_down_delay=10), history=SHORT),
    "the last one stays without zero": Case(1, 1, 0.0, 0.0, 1),
    "the last one goes after a quiet window": Case(1, 1, 0.0, 0.0, 0, policy=ScalingPolicy(min_replicas=0)),
    "not before": Case(1, 1, 0.0, 0.0, 1, policy=ScalingPolicy(min_replicas=0), seconds=59.0),
    "anything in the window keeps it": Case(1, 1, 0.01, 0.0, 1, policy=ScalingPolicy(min_replicas=0)),
    "from zero": Case(0, 0, 0.5, 5.0, 1, policy=ScalingPolicy(min_replicas=0)),
    "at zero and quiet": Case(0, 0, 0.0, 0.0, 0, policy=ScalingPolicy(min_replicas=0)),
    "at zero, just begun": Case(0, 0, 0.0, 0.0, 0, policy=ScalingPolicy(min_replicas=0), seconds=1.0),
    "two ready, one asked for": Case(2, 2, 1.0, 1.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_decisions(name: str) -> None:
    case = CASES[name]
    situation = Situation(case.desired, case.ready, Measured(case.stable, case.panicked, case.seconds), NOW)
    decision, panic = decide(case.policy, situation, case.panic, case.history)
    assert (decision.current, decision.desired) == (case.desired, case.wanted), decision.steps
    assert next(each.reason for each in decision.conditions if each.type == "AbleToScale") == case.mode
    assert (panic is not None) == (case.mode == "Panic")
    assert bool(decision.reason) == (case.wanted != case.desired)
    assert decision.steps[-1] == f"desired {case.wanted}"


def test_nothing_was_measured() -> None:
    decision, panic = decide(POLICY, Situation(3, 3, None, NOW), None, History())
    assert (decision.desired, decision.word, panic) == (3, "NoMetric", None)


@pytest.mark.parametrize(("desired", "panics"), [(0, False), (1, False), (2, True)])
def test_a_fresh_one_takes_nothing_away(desired: int, panics: bool) -> None:
    panic = begin(desired, NOW)
    assert (panic is not None) == panics
    measured = Measured(0.0, 0.0, 2.0)
    assert decide(POLICY, Situation(desired, desired, measured, NOW + 2), panic, History()).decision.desired >= desired


def test_a_burst_from_beginning_to_end() -> None:
    """Panic holds the largest number for a window, and then half of it goes in each decision."""
    desired, panic, history, sizes = 2, None, History(), []
    for tick in range(60):
        now = NOW + 2 * tick
        load = 70.0 if tick < 5 else 0.0
        decision, panic = decide(POLICY, Situation(desired, desired, Measured(load, load, 60), now), panic, history)
        desired, history = decision.desired, decision.history
        sizes.append(desired)
    changes = [sizes[0], *(new for old, new in pairwise(sizes) if new != old)]
    assert changes == [10, 5, 2, 1]
    assert sizes.count(10) * 2 > 60, "a whole quiet window first"
