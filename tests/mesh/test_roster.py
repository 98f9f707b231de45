"""Who is on the roster of a Backend over time: new ones, those that left and come back, and what is made ahead."""

from __future__ import annotations

from config.balancing import HealthCheckPolicy
from mesh.backend import Backend
from mesh.endpoint_state import EndpointState
from mesh.roster import AT_ONCE, MOST_DEPARTED, REMEMBERED
from tests.mesh.making import Clock, backend, endpoint, endpoints, plan


def state_of(there: Backend, last: int) -> EndpointState:
    return there.endpoints[endpoint(last).where]


def picks(there: Backend, count: int) -> list[str]:
    return [state.host.rpartition(".")[2] if (state := there.pick()) else "" for _ in range(count)]


def test_another_replica_at_the_same_address_is_another_endpoint() -> None:
    there = backend(endpoint(0, replica_id="old"))
    old = state_of(there, 0)
    old.in_flight = 1
    there.apply(plan(endpoint(0, replica_id="new")))
    new = state_of(there, 0)
    assert new is not old
    assert not old.eligible
    assert (new.endpoint.replica_id, old.endpoint.replica_id, old.in_flight) == ("new", "old", 1)


def test_what_comes_back_goes_on_counting() -> None:
    there = backend(*endpoints(2))
    before = state_of(there, 1)
    before.requests, before.failures, before.set_aside_until = 5, 3, 1e9
    there.apply(plan(endpoint(0)))
    there.apply(plan(*endpoints(2)))
    assert state_of(there, 1) is before
    assert (before.requests, before.failures, before.departed_at, before.eligible) == (5, 0, 0.0, True)
    assert not there.departed


def test_what_left_is_forgotten_after_minutes_unless_it_still_serves() -> None:
    clock = Clock()
    there = backend(*endpoints(3), clock=clock)
    busy = state_of(there, 1)
    busy.in_flight = 1
    there.apply(plan(endpoint(0)))
    clock.advance(REMEMBERED - 1)
    there.forget_departed()
    assert len(there.departed) == 2
    clock.advance(2)
    there.forget_departed()
    assert list(there.departed.values()) == [busy]
    busy.in_flight = 0
    there.forget_departed()
    assert not there.departed


def test_what_is_remembered_is_bounded() -> None:
    there = backend(*endpoints(MOST_DEPARTED + 5))
    there.apply(plan())
    there.forget_departed()
    assert len(there.departed) == MOST_DEPARTED


def test_an_address_given_twice_is_one_endpoint() -> None:
    first, second = endpoint(0), endpoint(0, weight=2)
    there = backend(first, second)
    assert len(there.endpoints) == 1
    there.apply(plan(first))
    assert picks(there, 1) == ["0"]
    there.apply(plan(first, second, endpoint(1)))
    there.apply(plan(endpoint(1)))
    assert picks(there, 2) == ["1", "1"]


def test_what_is_made_ahead_is_made_in_steps_and_seen_with_its_plan() -> None:
    there = backend(*endpoints(3))
    first = state_of(there, 1)
    wide = plan(endpoint(1), *endpoints(3 * AT_ONCE + 10)[9:])
    assert sum(1 for _ in there.prepare(wide)) == 3
    assert list(there.states()) == [state_of(there, last) for last in range(3)]
    there.apply(wide)
    assert len(there.endpoints) == len(there.eligible) == 3 * AT_ONCE + 2
    assert state_of(there, 1) is first
    assert len({id(state) for state in there.endpoints.values()}) == 3 * AT_ONCE + 2


def test_another_plan_may_overtake_what_was_made_ahead() -> None:
    there = backend(endpoint(0))
    for _ in there.prepare(plan(endpoint(0), endpoint(1, replica_id="overtaken"), endpoint(2))):
        continue
    there.apply(plan(endpoint(0), endpoint(1, replica_id="latest"), health_check=HealthCheckPolicy()))
    assert state_of(there, 1).endpoint.replica_id == "latest"
    assert [state.unhealthy for state in there.endpoints.values()] == [False, True]
