"""Means over the last seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.autoscaling.averages import Averages


def test_each_second_counts_the_same() -> None:
    averages = Averages(60)
    for at in (0.0, 0.25, 0.5, 0.75):
        averages.add(10.0, at)
    averages.add(20.0, 1.5)
    assert averages.mean(60, 1.9) == 15.0


def test_only_what_is_in_the_window_counts() -> None:
    averages = Averages(60)
    for second in range(100):
        averages.add(float(second), float(second))
    assert averages.mean(6, 99.0) == pytest.approx(97.0 - 0.5, abs=1)
    assert averages.mean(60, 99.0) == pytest.approx(70.0, abs=1)


def test_before_there_is_anything() -> None:
    averages = Averages(60)
    assert (averages.mean(60, 5.0), averages.age(5.0)) == (None, 0.0)
    averages.add(1.0, 5.0)
    assert (averages.mean(6, 100.0), averages.age(100.0)) == (None, 95.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 3)), min_size=1, max_size=200), st.floats(1, 60))
def test_a_mean_is_between_the_extremes(steps: list[tuple[float, float]], window: float) -> None:
    averages, now = Averages(60), 1000.0
    for value, pause in steps:
        now += pause
        averages.add(value, now)
    mean = averages.mean(window, now)
    values = [value for value, _ in steps]
    assert mean is not None
    assert min(values) - 1e-6 <= mean <= max(values) + 1e-6
