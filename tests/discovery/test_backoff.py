from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.backoff import KUBERNETES_RESTARTS, Backoff, BackoffPolicy

STEADY = BackoffPolicy(first=10, ceiling=300, immediate=1, forget_after=600)

CASES = {
    "doubles up to the ceiling": (BackoffPolicy(1, 30), [1, 2, 4, 8, 16, 30, 30]),
    "first try at once, as kubelet": (STEADY, [0, 10, 20, 40, 80, 160, 300, 300]),
    "grows by another factor": (BackoffPolicy(1, 100, factor=3), [1, 3, 9, 27, 81, 100]),
    "ceiling below the first delay": (BackoffPolicy(5, 2), [2, 2]),
}


@pytest.mark.parametrize("name", CASES)
def test_delays(name: str) -> None:
    policy, expected = CASES[name]
    backoff = Backoff(policy, Random(1))
    assert [backoff.failed(0.0) for _ in expected] == expected
    assert backoff.failures == len(expected)


def test_success_starts_over() -> None:
    backoff = Backoff(BackoffPolicy(1, 30), Random(1))
    assert [backoff.failed(0), backoff.failed(0)] == [1, 2]
    backoff.succeeded()
    assert backoff.failed(0) == 1


@pytest.mark.parametrize(("ran", "expected"), [(599.9, 20), (600, 0)])
def test_what_ran_long_enough_starts_over(ran: float, expected: float) -> None:
    backoff = Backoff(STEADY, Random(1))
    backoff.failed(0)
    delay = backoff.failed(0)
    assert backoff.failed(delay + ran) == expected


def test_first_failure_is_not_mistaken_for_a_long_run() -> None:
    backoff = Backoff(STEADY, Random(1))
    assert [backoff.failed(10_000), backoff.failed(10_000)] == [0, 10]


@given(st.integers(0, 2000), st.integers(0, 2**32))
def test_delays_stay_within_bounds(failures: int, seed: int) -> None:
    backoff = Backoff(KUBERNETES_RESTARTS, Random(seed))
    for _ in range(failures):
        backoff.failed(0)
    assert 0 <= backoff.failed(0) <= 300
    if failures > 5:
        assert 270 <= backoff.failed(0) <= 300
