"""Whatever is seen in traffic: somebody is left, not too many are out, and all come back in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from config.balancing import EjectionPolicy, HealthCheckPolicy, SuccessRatePolicy
from mesh.backend import NOT_ANSWERED, Backend, EndpointState
from mesh.deadlines import Deadlines
from mesh.eligibility import Rules
from mesh.outlier import most
from tests.mesh.making import Clock, backend, endpoint, endpoints, plan, tell

Event = tuple[Literal["refused", "connected", "500", "200", "broken", "second", "minute"], int]
EVENTS = st.lists(
    st.tuples(st.sampled_from(["refused", "connected", "500", "200", "broken", "second", "minute"]), st.integers(0, 6)),
    max_size=80,
)


@given(st.integers(1, 7), st.integers(1, 100), st.integers(0, 2), st.integers(1, 3), EVENTS)
def test_any_traffic(count: int, percent: int, connects: int, errors: int, events: list[Event]) -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there, told_of_all = (backend(clock=clock, deadlines=deadlines) for _ in range(2))
    rate = SuccessRatePolicy(deviations=1, interval=5, least_endpoints=2, least_requests=1)
    policy = EjectionPolicy(connects, errors, rate, most_percent=percent)
    for each in (there, told_of_all):
        each.apply(plan(*endpoints(count), ejection=policy, rules=Rules(panic_below=0)))
    for event, number in events:
        where = endpoint(number % count).where
        if event in {"second", "minute"}:
            clock.advance(1 if event == "second" else 60)
            deadlines.advance()
        else:
            happen(there, event, where, tell)
            happen(told_of_all, event, where, lambda there, *what: there.left(what[0], 0.01, what[1]))
        assert known(there) == known(told_of_all)
        out = [state for state in there.endpoints.values() if state.set_aside_until > clock.now]
        assert len(out) <= most(count, percent)
        assert len(there.eligible) >= count - most(count, percent) >= 1
        assert connects or not any(state.cause == "connects" and state.failures for state in out)
    for _ in range(4):  # a judgement that is due may eject once more
        clock.advance(32)
        deadlines.advance()
    assert len(there.eligible) == count


def happen(
    there: Backend, event: str, where: tuple[str, int], say: Callable[[Backend, EndpointState, int], None]
) -> None:
    state = there.endpoints[where]
    if event == "refused":
        there.connect_failed(state)
    elif event == "connected":
        there.connect_succeeded(state)
    else:
        say(there, state, {"500": 500, "200": 200, "broken": NOT_ANSWERED}[event])


def known(there: Backend) -> list[tuple[float, ...]]:
    return [
        (state.set_aside_until, state.failures, state.server_errors, state.good_answers, state.bad_answers)
        for state in there.endpoints.values()
    ]


def test_another_conclusion_alone_changes_anything() -> None:
    there = backend()
    there.apply(plan(*endpoints(2), health_check=HealthCheckPolicy()))
    there.checked(endpoint(0).where, healthy=True)
    there.connect_failed(there.endpoints[endpoint(0).where])
    before = there.eligible
    there.checked(endpoint(0).where, healthy=True)
    there.checked(endpoint(9).where, healthy=True)
    assert there.eligible is before
    there.checked(endpoint(0).where, healthy=False)
    there.checked(endpoint(0).where, healthy=True)
    assert there.endpoints[endpoint(0).where].failures == 0, "a check that finds it well ends the ejection"
