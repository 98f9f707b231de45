"""From a tenth of its share to all of it, in the shape that the policy says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.balancing import SlowStartPolicy
from mesh.slow_start import SCALE, share, step, weight

POLICY = SlowStartPolicy(window=10)


@pytest.mark.parametrize(
    ("age", "aggression", "expected"),
    [(0, 1, 0.1), (0.5, 1, 0.1), (1, 1, 0.1), (5, 1, 0.5), (9, 1, 0.9), (10, 1, 1), (99, 1, 1), (2.5, 2, 0.5),
     (5, 0.5, 0.25), (-3, 1, 0.1)],
)  # fmt: skip
def test_share(age: float, aggression: float, expected: float) -> None:
    assert share(age, SlowStartPolicy(window=10, aggression=aggression)) == pytest.approx(expected)


def test_no_window_is_no_slow_start() -> None:
    assert share(0.0, SlowStartPolicy(window=0)) == 1.0


@given(st.integers(0, 1000), st.floats(0, 20), st.floats(0, 20), st.floats(0.1, 10))
def test_weights_only_grow(full: int, one: float, other: float, aggression: float) -> None:
    policy = SlowStartPolicy(window=10, aggression=aggression)
    early, late = sorted((one, other))
    assert weight(full, early, policy) <= weight(full, late, policy) <= full * SCALE
    assert bool(weight(full, early, policy)) is bool(full)


@pytest.mark.parametrize(("window", "seconds"), [(1, 0.5), (30, 1.5), (3600, 180)])
def test_steps_are_few(window: float, seconds: float) -> None:
    assert step(SlowStartPolicy(window=window)) == seconds
