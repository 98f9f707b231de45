"""Shares of a split."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from mesh.filters.split import Split


@pytest.mark.parametrize(
    ("shares", "chance", "chosen"),
    [
        ([("a", 1)], 0.0, "a"),
        ([("a", 1)], 0.999999, "a"),
        ([("a", 1), ("b", 1)], 0.4999, "a"),
        ([("a", 1), ("b", 1)], 0.5, "b"),
        ([("a", 90), ("b", 10)], 0.8999, "a"),
        ([("a", 90), ("b", 10)], 0.9, "b"),
        ([("a", 0), ("b", 1)], 0.0, "b"),
        ([("a", 1), ("b", 0)], 0.999999, "a"),
        ([("a", 1), ("b", 1_000_000)], 1 - 2**-53, "b"),
    ],
)
def test_chance_decides(shares: list[tuple[str, int]], chance: float, chosen: str) -> None:
    assert Split(shares).choose(chance) == chosen


def test_shares_are_those_of_the_weights() -> None:
    split, draw = Split([("a", 7), ("b", 2), ("c", 1)]), random.Random(7)
    counts = Counter(split.choose(draw.random()) for _ in range(20_000))
    assert [round(counts[each] / 20_000, 1) for each in "abc"] == [0.7, 0.2, 0.1]
