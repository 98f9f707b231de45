"""The decision to try again, and the budget."""

from __future__ import annotations

import pytest

from config.policies import RetryBackoffPolicy, RetryPolicy
from mesh.retry import RetryBudget, decide, pause


@pytest.mark.parametrize(
    ("policy", "cause", "replayable", "retries", "outcome"),
    [
        (RetryPolicy(), "reset", True, 0, "tried"),
        (RetryPolicy(), "reset", True, 1, "tried"),
        (RetryPolicy(), "reset", True, 2, "exhausted"),
        (RetryPolicy(), "reset", False, 0, "not-replayable"),
        (RetryPolicy(), "503", True, 0, None),
        (RetryPolicy(on=("503",)), "503", True, 0, "tried"),
        (RetryPolicy(on=("503",)), "refused", True, 0, None),
        (RetryPolicy(attempts=0), "refused", True, 0, None),
    ],
)
def test_decide(policy: RetryPolicy, cause: str, replayable: bool, retries: int, outcome: str | None) -> None:
    assert decide(policy, cause, replayable, retries) == outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "chance", "pauses"),
    [
        (RetryBackoffPolicy(), 0.0, [0, 0.025, 0.05, 0.1, 0.2, 0.25, 0.25]),
        (RetryBackoffPolicy(jitter_percent=50), 0.5, [0, 0.01875, 0.0375, 0.075, 0.15, 0.1875, 0.1875]),
        (RetryBackoffPolicy(first=1.0, longest=2.0, jitter_percent=100), 0.75, [0, 0.25, 0.5, 0.5]),
        (RetryBackoffPolicy(first=0.0), 0.0, [0, 0, 0]),
    ],
)
def test_pauses(policy: RetryBackoffPolicy, chance: float, pauses: list[float]) -> None:
    assert [pause(policy, n, chance) for n in range(1, len(pauses) + 1)] == pytest.approx(pauses)


def test_no_pause_is_too_long_to_be_computed() -> None:
    assert pause(RetryBackoffPolicy(), 10_000, 0.0) == 0.25


class Waiting:
    def __init__(self) -> None:
        self.told = 0

    def retry_now(self) -> None:
        self.told += 1


@pytest.mark.parametrize(
    ("in_flight", "percent", "least", "places"),
    [(0, 20, 3, 3), (15, 20, 3, 3), (100, 20, 3, 20), (100, 0, 3, 3), (0, 20, 5, 5), (100, 20, 5, 20)],
)
def test_places(in_flight: int, percent: int, least: int, places: int) -> None:
    budget = RetryBudget()
    who = [Waiting() for _ in range(places + 2)]
    assert [budget.start(one, in_flight, percent, least) for one in who] == [True] * places + [False] * 2
    budget.ended()
    assert [one.told for one in who] == [0] * places + [1, 0]
    budget.leave(who[-1])
    for _ in range(places):
        budget.ended()
    assert budget.running == 0
    assert who[-1].told == 0


class Failing:
    """It fails as soon as it is tried again."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self.told = 0

    def retry_now(self) -> None:
        self.told += 1
        self._budget.ended()


def test_thousands_that_wait_and_fail_at_once() -> None:
    """As when the last endpoint goes while they wait."""
    budget = RetryBudget()
    for _ in range(3):
        assert budget.start(Waiting(), 0, 20)
    who = [Failing(budget) for _ in range(2000)]
    assert not any(budget.start(one, 0, 20) for one in who)
    last = Waiting()
    budget.start(last, 0, 20)
    budget.ended()
    assert {one.told for one in who} == {1}
    assert (last.told, budget.running) == (1, 3)
    for _ in range(3):
        budget.ended()
    assert budget.running == 0
