"""Backends over time: endpoints that come, change and go; endpoints that refuse; what is remembered."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.policies import BalancerPolicy, TimeoutPolicy
from mesh.backend import MOST_DEPARTED, REMEMBERED, Backend, EndpointState
from mesh.deadlines import Deadlines, Watched
from mesh.reasons import BAD_REQUEST, NO_ENDPOINTS, RESPONSE_MALFORMED
from tests.mesh.making import Clock, backend, endpoint, endpoints, plan


class Connection:
    """Leaves its endpoint when told that it was withdrawn, as a real one may."""

    def __init__(self, state: EndpointState) -> None:
        self.state = state
        self.told = 0
        state.connections.add(self)

    def endpoint_withdrawn(self) -> None:
        self.told += 1
        self.state.connections.discard(self)


def state_of(there: Backend, last: int) -> EndpointState:
    return there.endpoints[endpoint(last).where]


def picks(there: Backend, count: int) -> list[str]:
    return [state.host.rpartition(".")[2] if (state := there.pick()) else "" for _ in range(count)]


def test_empty() -> None:
    assert backend().pick() is None


def test_takes_turns_among_the_ready() -> None:
    there = backend(endpoint(0), endpoint(1, ready=False), endpoint(2))
    assert picks(there, 4) == ["0", "2", "0", "2"]
    assert [state.eligible for state in there.endpoints.values()] == [True, False, True]


def test_states_survive_plans() -> None:
    there = backend(*endpoints(3))
    before = state_of(there, 1)
    before.requests = 7
    there.apply(plan(endpoint(1, weight=2), endpoint(5), endpoint(2)))
    assert state_of(there, 1) is before
    assert before.endpoint.weight == before.weight == 2
    assert [state.host for state in there.endpoints.values()] == ["10.0.0.1", "10.0.0.2", "10.0.0.5"]


def test_what_goes_is_withdrawn_and_remembered() -> None:
    there = backend(*endpoints(2))
    gone = state_of(there, 1)
    leaving, staying = Connection(gone), Connection(state_of(there, 0))
    there.apply(plan(endpoint(0)))
    assert (leaving.told, staying.told) == (1, 0)
    assert not gone.eligible
    assert list(there.states()) == [state_of(there, 0), gone]
    assert picks(there, 2) == ["0", "0"]


def test_what_turns_unready_is_withdrawn_once() -> None:
    there = backend(*endpoints(2))
    connection = Connection(state_of(there, 1))
    there.apply(plan(endpoint(0), endpoint(1, ready=False)))
    there.apply(plan(endpoint(0), endpoint(1, ready=False)))
    assert connection.told == 1


def test_the_last_ones_serve_while_they_terminate() -> None:
    there = backend(endpoint(0))
    connection = Connection(state_of(there, 0))
    there.apply(plan(endpoint(0, ready=False, serving=True, terminating=True)))
    assert picks(there, 1) == ["0"]
    assert connection.told == 0
    there.apply(plan(endpoint(0, ready=False, serving=False, terminating=True)))
    assert there.pick() is None
    assert connection.told == 1


def test_publish_not_ready_addresses() -> None:
    there = backend(endpoint(0, ready=False, serving=False))
    assert there.pick() is None
    there.apply(plan(*there.plan.endpoints, publish_not_ready=True))
    assert picks(there, 1) == ["0"]


def test_weight_0_is_not_picked_and_not_withdrawn() -> None:
    there = backend(*endpoints(2))
    connection = Connection(state_of(there, 1))
    there.apply(plan(endpoint(0), endpoint(1, weight=0)))
    assert picks(there, 3) == ["0", "0", "0"]
    assert connection.told == 0
    assert not state_of(there, 1).eligible


def test_another_replica_at_the_same_address_is_another_endpoint() -> None:
    there = backend(endpoint(0, replica_id="old"))
    old = state_of(there, 0)
    old.in_flight = 1
    connection = Connection(old)
    there.apply(plan(endpoint(0, replica_id="new")))
    assert connection.told == 1
    new = state_of(there, 0)
    assert new is not old
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


def test_only_policies_change() -> None:
    there = backend(*endpoints(3))
    assert picks(there, 1) == ["0"]
    there.apply(plan(*there.plan.endpoints, timeouts=TimeoutPolicy(connect=5.0)))
    assert there.plan.timeouts.connect == 5.0
    assert picks(there, 2) == ["1", "2"]


def test_another_balancer() -> None:
    there = backend(*endpoints(3))
    old = there.pick
    there.apply(plan(*there.plan.endpoints, balancer=BalancerPolicy("Random")))
    assert there.pick is not old
    assert picks(there, 3) == ["0", "1", "2"]


def test_what_refuses_is_set_aside_and_comes_back_without_traffic() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(*endpoints(2), clock=clock, deadlines=deadlines)
    refusing = state_of(there, 0)
    connection = Connection(refusing)
    there.connect_failed(refusing)
    assert not refusing.eligible
    assert connection.told == 0, "discovery still has it: what works goes on"
    assert picks(there, 3) == ["1", "1", "1"]
    clock.advance(0.9)
    deadlines.advance()
    assert not refusing.eligible
    clock.advance(0.3)
    deadlines.advance()
    assert refusing.eligible
    assert set(picks(there, 2)) == {"0", "1"}


def test_pauses_grow_until_a_connect_succeeds() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(*endpoints(2), clock=clock, deadlines=deadlines)
    refusing = state_of(there, 0)
    for seconds in (1, 2, 4, 8, 16, 30, 30):
        there.connect_failed(refusing)
        there.connect_failed(refusing)  # a connect that was under way: says nothing new
        assert refusing.set_aside_until == clock.now + seconds
        clock.advance(seconds + 1.2)
        deadlines.advance()
        assert refusing.eligible
    assert refusing.ejections == 7
    there.connect_succeeded(refusing)
    there.connect_failed(refusing)
    assert refusing.set_aside_until == clock.now + 1


def test_success_of_a_connect_under_way_brings_it_back_at_once() -> None:
    there = backend(*endpoints(2))
    there.connect_failed(state_of(there, 0))
    there.connect_succeeded(state_of(there, 0))
    assert len(there.eligible) == 2


def test_the_last_one_is_never_set_aside() -> None:
    there = backend(*endpoints(3))
    for state in tuple(there.endpoints.values()):
        there.connect_failed(state)
    assert len(there.eligible) == 1
    there.connect_failed(there.eligible[0])
    assert picks(there, 2) == ["2", "2"]
    assert state_of(there, 2).ejections == 0


def test_set_aside_ones_are_used_when_nothing_else_is_ready() -> None:
    there = backend(*endpoints(2))
    there.connect_failed(state_of(there, 0))
    there.apply(plan(endpoint(0), endpoint(1, ready=False)))
    assert picks(there, 1) == ["0"]


def test_the_wheel_watches_a_backend_once() -> None:
    clock = Clock()
    watched: list[Watched] = []

    class Wheel(Deadlines):
        def watch(self, item: Watched) -> None:
            watched.append(item)

    there = backend(*endpoints(4), clock=clock, deadlines=Wheel(clock))
    there.connect_failed(state_of(there, 0))
    clock.advance(0.5)
    there.connect_failed(state_of(there, 1))
    assert watched == [there]
    clock.advance(0.5)
    there.on_deadline(clock.now)
    assert there.deadline == clock.now + 0.5
    clock.advance(0.5)
    there.on_deadline(clock.now)
    assert there.deadline == 0.0


def test_retired() -> None:
    there = backend(*endpoints(2))
    connection = Connection(state_of(there, 1))
    there.retire()
    assert there.pick() is None
    assert connection.told == 1


CONDITIONS = st.sampled_from(
    [{}, {"ready": False}, {"ready": False, "terminating": True}, {"weight": 3}, {"weight": 0}, {"replica_id": "r"}]
)


@given(st.lists(st.dictionaries(st.integers(0, 6), CONDITIONS), max_size=12), st.data())
def test_any_sequence_of_plans_gives_what_the_last_plan_says(
    plans: list[dict[int, dict[str, object]]], data: st.DataObject
) -> None:
    """The short cut for unchanged endpoints never shows; whole plans applied to nothing are the judge."""
    clock = Clock()
    there = backend(clock=clock)
    known: dict[object, object] = {}
    for wanted in plans:
        named = [
            known.setdefault((number, str(fields)), endpoint(number, **fields)) for number, fields in wanted.items()
        ]
        there.apply(plan(*data.draw(st.permutations(named))))  # type: ignore[arg-type]
        fresh = backend(*there.plan.endpoints, clock=clock)
        assert there.endpoints.keys() == fresh.endpoints.keys()
        assert {state.endpoint for state in there.eligible} == {state.endpoint for state in fresh.eligible}
        assert {state.endpoint for state in there.endpoints.values() if state.eligible} == {
            state.endpoint for state in there.eligible
        }


@pytest.mark.usefixtures("no_collections")
def test_a_change_of_one_endpoint_among_a_thousand_is_quick() -> None:
    """Measured 1.5 ms on a slow virtual machine of two cores."""
    many = endpoints(1000)
    there = backend(*many)
    prices = []
    for number in range(20):
        many = (*many[:number], replace(many[number], ready=False), *many[number + 1 :])
        changed = plan(*many)
        began = time.thread_time()
        there.apply(changed)
        prices.append(time.thread_time() - began)
    assert min(prices) < 0.005
    assert len(there.eligible) == 980


def test_failures_are_counted_and_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(0.0)
    shop = backend(clock=clock)
    for _ in range(3):
        shop.failed(NO_ENDPOINTS)
    shop.failed(BAD_REQUEST)
    shop.failed(RESPONSE_MALFORMED, "a malformed status line")
    clock.advance(59.9)
    shop.failed(NO_ENDPOINTS)
    clock.advance(0.1)
    shop.failed(NO_ENDPOINTS)
    assert [record.getMessage() for record in caplog.records] == [
        "default/shop:http: the Service has no ready endpoint (destination_unavailable)",
        "default/shop:http: a malformed status line (http_protocol_error)",
        "default/shop:http: the Service has no ready endpoint (destination_unavailable), "
        "4 times since this was last said",
    ]
    assert shop.stats.reasons == {"destination_unavailable": 5, "http_request_error": 1, "http_protocol_error": 1}
