"""Maglev: even to a slot, the same everywhere, and little more than a share moves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.balancing.maglev import Maglev, table
from tests.mesh.balancing.candidates import One, World, ones


def names(count: int) -> list[bytes]:
    return [b"10.0.0.%d 80" % number for number in range(count)]


@given(st.integers(1, 60), st.sampled_from([67, 211, 1009]))
def test_slots_differ_by_one_at_most(count: int, size: int) -> None:
    counts = Counter(table(names(count), [1] * count, size))
    shares = [counts[index] for index in range(count)]
    assert sum(shares) == size
    assert max(shares) - min(shares) <= 1


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_slots_follow_weights(weights: list[int]) -> None:
    counts = Counter(table(names(len(weights)), weights, 1009))
    total = sum(weights)
    for index, weight in enumerate(weights):
        share = weight / total if total else 1 / len(weights)
        # In each round the heaviest takes one slot, so nobody is ahead of its share by more than a round.
        assert counts[index] == pytest.approx(1009 * share, abs=len(weights) + 1)


@pytest.mark.parametrize("count", [3, 10, 40])
def test_little_more_than_its_share_moves(count: int) -> None:
    """Section 5.3 of the paper: with 100 slots per candidate some percent more than those of who left."""
    size = 4099
    everyone = names(count)
    before = table(everyone, [1] * count, size)
    for gone in range(min(count, 3)):
        rest = everyone[:gone] + everyone[gone + 1 :]
        after = [index + (index >= gone) for index in table(rest, [1] * len(rest), size)]
        moved = sum(now != then for now, then in zip(after, before, strict=True))
        assert size // count <= moved <= size * (1 / count + 0.12)


def maglev(candidates: list[One], bound: int = 0) -> Maglev[One]:
    made: Maglev[One] = Maglev(211, bound, World(candidates).around)
    made.use(candidates)
    return made


def test_the_order_in_which_candidates_were_learned_does_not_matter() -> None:
    candidates = ones(7)
    one, other = maglev(candidates), maglev(candidates[::-1])
    keys = [b"%d" % number for number in range(100)]
    assert [one.pick_for(key) for key in keys] == [other.pick_for(key) for key in keys]


def test_no_key_is_in_turn() -> None:
    candidates = ones(3)
    made = maglev(candidates)
    assert [made.pick_for(b"") for _ in range(4)] == [*candidates, candidates[0]]


def test_a_retry_goes_to_the_next_in_the_table() -> None:
    made = maglev(ones(5))
    home = made.pick_for(b"ann")
    assert home is not None
    assert made.pick_for(b"ann", (home,)) not in (home, None)


def test_the_load_of_one_key_is_bounded() -> None:
    candidates = ones(4)
    made = maglev(candidates, bound=150)
    for _ in range(100):
        picked = made.pick_for(b"ann")
        assert picked is not None
        picked.in_flight += 1
    assert max(candidate.in_flight for candidate in candidates) <= 38


def test_a_change_of_weight_alone_makes_another_table() -> None:
    candidates = ones(3)
    made = maglev(candidates)
    candidates[0].weight = 0
    made.use(candidates)
    assert {made.pick_for(b"%d" % number) for number in range(100)} == set(candidates[1:])


def test_no_names() -> None:
    assert table([], [], 67) == []
