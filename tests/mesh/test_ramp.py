"""Slow start of replicas from zero: few at first, twice as many with each round of answers, or with each second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.ramp import DOUBLING, FIRST, FULL, UNBOUNDED, window

CASES = {
    "at first, a few": (0.0, 0, FIRST),
    "one more for each answer": (0.0, 10, FIRST + 10),
    "a round of answers doubles it": (0.0, FIRST, 2 * FIRST),
    "answers that take long do not hold up for ever": (3 * DOUBLING, 0, 8 * FIRST),
    "in the end there is no limit": (0.0, FULL - FIRST, UNBOUNDED),
}


@pytest.mark.parametrize("case", CASES)
def test_how_many(case: str) -> None:
    age, answers, wanted = CASES[case]
    assert window(age, answers) == wanted


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e4))
def test_it_never_gets_less(age: float, later: float, answers: float, more: float) -> None:
    assert FIRST <= window(age, answers) <= window(age + later, answers + more)


def test_time_alone_brings_it_to_an_end() -> None:
    assert window(10 * DOUBLING, 0) == window(1e9, 0) == UNBOUNDED
