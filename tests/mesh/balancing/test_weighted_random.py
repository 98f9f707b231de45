"""Random: shares by weight, and what was tried left out."""

from __future__ import annotations

from mesh.balancing.weighted_random import WeightedRandom
from tests.mesh.balancing.candidates import One, World, chi_squared, ones, tally


def test_shares() -> None:
    candidates = ones(4, (1, 2, 3, 4))
    balancer: WeightedRandom[One] = WeightedRandom(World().around)
    balancer.use(candidates)
    assert chi_squared(tally(balancer.pick, 5000), candidates) < 16.3  # 3 degrees of freedom, 1 in 1,000


def test_a_retry_goes_elsewhere() -> None:
    candidates = ones(3)
    balancer: WeightedRandom[One] = WeightedRandom(World().around)
    balancer.use(candidates)
    counts = tally(lambda: balancer.pick(candidates[:1]), 300)
    assert counts.keys() == {1, 2}
    assert min(counts.values()) > 110
