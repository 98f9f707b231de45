"""Lots: as likely as weights say, different ones when several are wanted, whatever the weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.balancing.draw import Draw
from tests.mesh.balancing.candidates import One, World, chi_squared, ones, tally


def draw(candidates: list[One], seed: int = 1) -> Draw[One]:
    made: Draw[One] = Draw(World(seed=seed).around.random)
    made.use(candidates)
    return made


@pytest.mark.parametrize("weights", [(1,), (5, 1, 1), (0, 1, 3), (1000, 1)])
def test_shares_are_the_weights(weights: tuple[int, ...]) -> None:
    candidates = ones(6, weights)
    counts = tally(draw(candidates).one, 6000)
    assert chi_squared(counts, candidates) < 20.5  # 5 degrees of freedom: one run of 1,000 is beyond


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(2, 10), st.integers(0, 100))
def test_several_are_different_and_as_many_as_there_are(weights: list[int], count: int, seed: int) -> None:
    candidates = [One(number, weight) for number, weight in enumerate(weights)]
    drawn = draw(candidates, seed).several(count)
    assert len(set(drawn)) == len(drawn)
    assert 1 <= len(drawn) <= min(count, len(candidates))
    if any(weights) and len(weights) > 1:
        assert all(candidate.weight for candidate in drawn)


def test_one_that_outweighs_all_does_not_hold_up() -> None:
    heavy, light = One(0, 10**9), One(1, 1)
    assert draw([heavy, light]).several(2) == (heavy,)


def test_none() -> None:
    assert draw([]).one() is None
    assert draw([]).several(2) == ()
