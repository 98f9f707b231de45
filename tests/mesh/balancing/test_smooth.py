"""The smooth weighted sequence against the textbook, a plain reference, and its bounds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.balancing.smooth import LONGEST, reduce_weights, smooth_sequence


def reference(weights: list[int]) -> list[int]:
    """Smooth weighted round robin as nginx defines it, candidate by candidate."""
    current, total, sequence = [0] * len(weights), sum(weights), []
    for _ in range(total):
        current = [have + weight for have, weight in zip(current, weights, strict=True)]
        best = max(range(len(weights)), key=lambda index: (current[index], -index))
        current[best] -= total
        sequence.append(best)
    return sequence


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((5, 1, 1), "aabacaa"),
        ((1, 1, 1), "abc"),
        ((2, 1), "aba"),
        ((1, 2), "bab"),
        ((50, 10, 10), "aabacaa"),
        ((3, 0, 1), "aaca"),
        ((0, 0), ""),
        ((), ""),
        ((7,), "a"),
    ],
)
def test_known_sequences(weights: tuple[int, ...], expected: str) -> None:
    assert "".join("abc"[index] for index in smooth_sequence(weights)) == expected


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_is_what_the_plain_algorithm_gives(weights: list[int]) -> None:
    assert smooth_sequence(weights) == reference(reduce_weights(weights))


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60))
def test_proportions_survive_reduction(weights: list[int]) -> None:
    reduced = reduce_weights(weights)
    assert [weight > 0 for weight in reduced] == [weight > 0 for weight in weights]
    assert sum(reduced) <= LONGEST + len(weights)
    order = sorted(range(len(weights)), key=weights.__getitem__)
    assert [reduced[index] for index in order] == sorted(reduced)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=8))
def test_every_prefix_is_near_its_share(weights: list[int]) -> None:
    sequence, reduced = smooth_sequence(weights), reduce_weights(weights)
    counts = [0] * len(weights)
    for step, index in enumerate(sequence, 1):
        counts[index] += 1
        for count, weight in zip(counts, reduced, strict=True):
            assert abs(count - step * weight / sum(reduced)) < len(weights)
    assert counts == reduced


def test_many_different_weights_are_bounded_in_time() -> None:
    began = time.thread_time()
    sequence = smooth_sequence(range(1, 1001))
    assert time.thread_time() - began < 0.2
    assert set(sequence) == set(range(1000))
