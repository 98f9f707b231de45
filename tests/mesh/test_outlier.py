"""What ejects, for how long, how many, and what ends it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.balancing import EjectionPolicy, SuccessRatePolicy
from discovery.endpoint import Endpoint
from mesh.endpoint_state import EndpointState
from mesh.outlier import (
    Tally,
    answered_badly,
    answered_well,
    connect_failed,
    forgive,
    most,
    outliers,
    pause,
    readmit,
    set_aside,
)

POLICY = EjectionPolicy()


def suspect() -> EndpointState:
    return EndpointState(Endpoint("10.0.0.1", 80))


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (100000, 30)]
)
def test_pause(failures: int, seconds: float) -> None:
    assert pause(failures, POLICY) == seconds
    assert pause(failures, EjectionPolicy(first=30, longest=300)) == min(
        30 * 2.0 ** (failures - 1 if failures < 9 else 9), 300
    )


@pytest.mark.parametrize(
    ("ready", "percent", "out"),
    [(1, 100, 0), (2, 50, 1), (2, 1, 1), (3, 50, 1), (4, 50, 2), (5, 10, 1), (10, 10, 1), (20, 10, 2), (3, 100, 2)],
)
def test_how_many(ready: int, percent: int, out: int) -> None:
    assert most(ready, percent) == out


@given(st.integers(1, 1000), st.integers(1, 100))
def test_at_least_one_and_never_the_last(ready: int, percent: int) -> None:
    assert min(1, ready - 1) <= most(ready, percent) < ready
    assert most(ready, percent) <= max(1, ready * percent / 100)


def test_a_streak_and_its_end() -> None:
    state = suspect()
    set_aside(state, "connects", 100.0, POLICY)
    assert (state.failures, state.ejections, state.set_aside_until) == (1, 1, 101.0)
    set_aside(state, "connects", 101.0, POLICY)
    assert (state.failures, state.ejections, state.set_aside_until) == (2, 2, 103.0)
    forgive(state)
    assert (state.failures, state.ejections, state.set_aside_until) == (0, 2, 0.0)
    set_aside(state, "answers", 200.0, POLICY)
    assert (state.cause, state.set_aside_until) == ("answers", 201.0)


def test_who_is_readmitted_is_not_forgiven_its_answers() -> None:
    state = suspect()
    answered_badly(state, POLICY)
    connect_failed(state, POLICY)
    set_aside(state, "connects", 100.0, POLICY)
    answered_badly(state, POLICY)
    readmit(state)
    assert (state.connect_failures, state.failures, state.set_aside_until, state.server_errors) == (0, 0, 0.0, 1)


@pytest.mark.parametrize(("limit", "expected"), [(0, "...."), (1, "xxxx"), (3, "..xx")])
def test_connects_in_a_row(limit: int, expected: str) -> None:
    state, policy = suspect(), EjectionPolicy(connect_failures=limit)
    assert "".join("x" if connect_failed(state, policy) else "." for _ in range(4)) == expected


@pytest.mark.parametrize(
    ("limit", "answers", "expected"), [(0, "bbbb", "...."), (1, "gb", ".x"), (3, "bbgbbbb", ".....xx")]
)
def test_server_errors_in_a_row(limit: int, answers: str, expected: str) -> None:
    state, policy = suspect(), EjectionPolicy(server_errors=limit)
    found = (answered_badly(state, policy) if answer == "b" else not answered_well(state, 0.0) for answer in answers)
    assert "".join("x" if each else "." for each in found) == expected


def test_a_good_answer_ends_the_doubling_once_it_is_back() -> None:
    state, policy = suspect(), EjectionPolicy(server_errors=1)
    set_aside(state, "answers", 100.0, policy)
    assert not answered_well(state, 100.5)
    assert state.failures == 1, "what was under way says nothing"
    assert answered_well(state, 101.5)
    assert state.failures == 0
    set_aside(state, "connects", 102.0, policy)
    assert answered_well(state, 104.0), "there is no more for it to end"
    assert state.failures == 1, "that is for a connect to end"


RATES = SuccessRatePolicy(deviations=1.9, least_endpoints=5, least_requests=100)


@pytest.mark.parametrize(
    ("good", "total", "expected"),
    [
        pytest.param([100, 100, 100, 100, 100, 50], 100, [5], id="one is worse"),
        pytest.param([99, 98, 97, 99, 98, 97], 100, [], id="about the same"),
        pytest.param([100, 100, 100, 50], 100, [], id="too few endpoints"),
        pytest.param([99, 99, 99, 99, 99, 49], 99, [], id="too few requests"),
        pytest.param([50, 50, 50, 50, 50, 50], 100, [], id="all are bad"),
        pytest.param([100, 100, 100, 100, 100, 100], 100, [], id="all are good"),
        pytest.param([100] * 20 + [20, 10], 100, [21, 20], id="the worst first"),
    ],
)
def test_success_rates(good: list[int], total: int, expected: list[int]) -> None:
    states = [suspect() for _ in good]
    found = outliers([(state, Tally(total, each)) for state, each in zip(states, good, strict=True)], RATES)
    assert [states.index(state) for state in found] == expected


def test_those_with_few_requests_do_not_count_at_all() -> None:
    states = [suspect() for _ in range(7)]
    tallies = [(state, Tally(100, 100)) for state in states[:5]] + [(state, Tally(3, 0)) for state in states[5:]]
    assert outliers(tallies, RATES) == []
