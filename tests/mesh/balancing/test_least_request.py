"""Least request: shares by weight without load; with load, no endpoint is far above another."""

from __future__ import annotations

import pytest

from mesh.balancing.least_request import LeastRequest
from tests.mesh.balancing.candidates import One, World, chi_squared, ones, tally


def balancer(candidates: list[One], choices: int = 2) -> LeastRequest[One]:
    made: LeastRequest[One] = LeastRequest(choices, World().around)
    made.use(candidates)
    return made


@pytest.mark.parametrize("weights", [(1,), (5, 1, 1), (0, 1)])
def test_without_load_shares_are_the_weights(weights: tuple[int, ...]) -> None:
    candidates = ones(6, weights)
    assert chi_squared(tally(balancer(candidates).pick, 6000), candidates) < 20.5


@pytest.mark.parametrize(("choices", "bound"), [(2, 5), (4, 3)])
def test_long_requests_are_spread_evenly(choices: int, bound: int) -> None:
    """After n picks the fullest has about log log n more than the mean, not log n."""
    candidates = ones(100)
    made = balancer(candidates, choices)
    for _ in range(10_000):
        picked = made.pick()
        assert picked is not None
        picked.in_flight += 1
    loads = [candidate.in_flight for candidate in candidates]
    assert max(loads) - 100 <= bound
    assert 100 - min(loads) <= 3 * bound


def test_load_is_measured_against_weight() -> None:
    heavy, light = One(0, weight=4), One(1, weight=1)
    made = balancer([heavy, light])
    for _ in range(1000):
        picked = made.pick()
        assert picked is not None
        picked.in_flight += 1
    assert heavy.in_flight == pytest.approx(800, abs=10)


def test_one_that_stalls_is_left_alone() -> None:
    candidates = ones(3)
    candidates[0].in_flight = 50
    assert tally(balancer(candidates).pick, 600)[0] == 0
