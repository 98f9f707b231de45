"""One second aside, doubling to thirty, until a connect succeeds."""

from __future__ import annotations

import pytest

from discovery.endpoint import Endpoint
from mesh.backend import EndpointState
from mesh.outlier import forgive, pause, set_aside


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (100000, 30)]
)
def test_pause(failures: int, seconds: float) -> None:
    assert pause(failures) == seconds


def test_a_streak_and_its_end() -> None:
    state = EndpointState(Endpoint("10.0.0.1", 80))
    set_aside(state, now=100.0)
    assert (state.failures, state.ejections, state.set_aside_until) == (1, 1, 101.0)
    set_aside(state, now=101.0)
    assert (state.failures, state.ejections, state.set_aside_until) == (2, 2, 103.0)
    forgive(state)
    assert (state.failures, state.ejections, state.set_aside_until) == (0, 2, 0.0)
    set_aside(state, now=200.0)
    assert state.set_aside_until == 201.0
