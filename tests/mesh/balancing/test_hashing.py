"""Hashes that are the same everywhere, and the bound that no candidate goes beyond."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.balancing.hashing import Bound, hashed, name_of
from tests.mesh.balancing.candidates import One, World, ones


def test_hashes_are_known_numbers() -> None:
    """Another number on another node, or after an upgrade, would move every client."""
    assert hashed(b"") == 0xE4A6A0577479B2B4
    assert hashed(b"ann") == hashed(b"ann") != hashed(b"anm")
    assert name_of(One(1)) == b"10.0.0.1 8080"


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.sampled_from([101, 125, 150, 300]), st.integers(1, 200))
@example([0, 0, 0], 125, 9)
def test_nobody_takes_more_than_the_bound(weights: list[int], percent: int, requests: int) -> None:
    """All requests have the same key, so without a bound one candidate would take all."""
    candidates = [One(number, weight) for number, weight in enumerate(weights)]
    world = World(candidates)
    bound: Bound[One] = Bound(percent, world.around.in_flight)
    bound.use(candidates)
    for _ in range(requests):
        picked = bound.first(iter(candidates), ())
        assert picked is not None
        picked.in_flight += 1
    total = sum(weights)
    for candidate in candidates:
        share = candidate.weight / total if total else 1 / len(candidates)
        assert candidate.in_flight < requests * percent / 100 * share + 1


@pytest.mark.parametrize(
    ("tried", "full", "expected"),
    [((), (), 0), ((0,), (), 1), ((), (0,), 1), ((1,), (0,), 2), ((0, 1), (2,), 2), ((0, 1, 2), (), 0)],
)
def test_who_comes_next(tried: tuple[int, ...], full: tuple[int, ...], expected: int) -> None:
    candidates = ones(3)
    for number in full:
        candidates[number].in_flight = 100
    bound: Bound[One] = Bound(125, lambda: 0)
    bound.use(candidates)
    assert bound.first(candidates, [candidates[number] for number in tried]) is candidates[expected]


def test_nobody() -> None:
    assert Bound(0, lambda: 0).first((), ()) is None
