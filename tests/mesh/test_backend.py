"""Backends over time: endpoints that come, change and go; endpoints that refuse; what is remembered."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.balancing import (
    BackendLimits,
    BalancerPolicy,
    BalancerType,
    EjectionPolicy,
    EndpointLimits,
    HashKey,
    HealthCheckPolicy,
    LimitPolicy,
    SlowStartPolicy,
    SuccessRatePolicy,
)
from config.policies import TimeoutPolicy
from discovery.endpoint import WorkloadRef
from mesh.backend import Backend, EndpointState
from mesh.balancing.affinity import AffinityPolicy
from mesh.deadlines import Deadlines, Watched
from mesh.eligibility import Rules
from mesh.endpoint_state import NO_ANSWER_DUE, NOT_ANSWERED
from mesh.reasons import BAD_REQUEST, NO_ENDPOINTS, RESPONSE_MALFORMED
from tests.mesh.making import Clock, backend, endpoint, endpoints, plan, tell


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


def test_what_terminates_after_it_turned_unready_is_withdrawn_again() -> None:
    there = backend(*endpoints(2))
    there.apply(plan(endpoint(0), endpoint(1, ready=False, serving=False)))
    tunnel = Connection(state_of(there, 1))
    there.apply(plan(endpoint(0), endpoint(1, ready=False, serving=False, terminating=True)))
    assert tunnel.told == 1, "tunnels that stayed must come to an end"


def test_the_last_ones_serve_while_they_terminate() -> None:
    there = backend(endpoint(0))
    connection = Connection(state_of(there, 0))
    there.apply(plan(endpoint(0, ready=False, serving=True, terminating=True)))
    assert picks(there, 1) == ["0"]
    assert connection.told == 1, "tunnels must come to an end"
    there.apply(plan(endpoint(0, ready=False, serving=False, terminating=True)))
    assert there.pick() is None


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
    assert set(picks(there, 50)) == {"0", "1", "2"}


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


@pytest.mark.parametrize(
    ("count", "percent", "out"), [(1, 50, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (3, 1, 1), (3, 100, 2), (9, 34, 3)]
)
def test_so_many_are_set_aside_and_never_the_last(count: int, percent: int, out: int) -> None:
    there = backend()
    there.apply(plan(*endpoints(count), ejection=EjectionPolicy(most_percent=percent), rules=Rules(panic_below=0)))
    for _ in range(2):
        for state in tuple(there.endpoints.values()):
            there.connect_failed(state)
    assert len(there.eligible) == count - out
    assert sum(state.ejections for state in there.endpoints.values()) == out


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


def answers(there: Backend, last: int, *statuses: int) -> None:
    """What `last` answered to requests that were in flight at it."""
    for status in statuses:
        tell(there, state_of(there, last), status)


def test_nobody_is_told_of_good_answers_who_has_nothing_to_learn() -> None:
    there = backend(*endpoints(2))
    assert (there.answered, there.key_of, there.limits) == (None, None, None)
    answers(there, 0, 500)
    assert there.answered is None, "nobody judges"
    there.apply(plan(*there.plan.endpoints, ejection=EjectionPolicy(server_errors=3)))
    assert there.answered is None
    answers(there, 0, 500)
    answers(there, 1, 500, 200)
    assert there.answered is not None, "one is still suspect"
    answers(there, 0, 200)
    assert there.answered is None
    answers(there, 0, 500)
    leaving, policy = state_of(there, 0), EjectionPolicy(server_errors=3)
    there.apply(plan(*there.plan.endpoints[1:], ejection=policy))
    answers(there, 1, 200)
    assert there.answered is None, "who left is as good as new if it comes back"
    tell(there, leaving, 500)
    assert there.answered is None
    answers(there, 1, 500)
    assert there.answered is not None
    there.apply(plan(*there.plan.endpoints))
    assert there.answered is None
    assert [state.good_answers for state in there.states()] == [2, 1]


def test_a_streak_ends_also_with_judges_that_were_away() -> None:
    there, policy = backend(), EjectionPolicy(server_errors=3)
    there.apply(plan(*endpoints(2), ejection=policy))
    answers(there, 0, 500, 500)
    there.apply(plan(*there.plan.endpoints))
    there.apply(plan(*there.plan.endpoints, ejection=policy))
    answers(there, 0, 200, 500)
    assert state_of(there, 0) in there.eligible
    answers(there, 0, 500, 500)
    assert state_of(there, 0) not in there.eligible


def test_a_full_endpoint_is_watched_until_it_has_room() -> None:
    there = backend()
    there.apply(plan(*endpoints(2), limits=LimitPolicy(endpoint=EndpointLimits(requests=1))))
    first, second = ask(there), ask(there)
    assert first is not None
    assert second is not None
    assert there.answered is None, "they have no room, and nobody knows"
    assert ask(there) is None
    there.stats.in_flight -= 1
    assert there.answered is not None
    done(there, first)
    assert ask(there) is first
    done(there, first)
    done(there, second)
    assert there.answered is None


@pytest.mark.parametrize("away", [0, 1])
def test_success_is_counted_from_when_it_is_judged(away: int) -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(*endpoints(6), clock=clock, deadlines=deadlines)
    answers(there, 0, *[200] * 10_000)
    rate = SuccessRatePolicy(interval=5, least_endpoints=2, least_requests=1, deviations=1)
    there.apply(plan(*endpoints(6)[away:]))
    there.apply(plan(*endpoints(6), ejection=EjectionPolicy(success_rate=rate)))
    answers(there, 0, *[500] * 5)
    for last in range(1, 6):
        answers(there, last, *[200] * 4, 500 if last == 1 else 200)  # it is the worst if what was before counts
    clock.advance(6)
    deadlines.advance()
    assert state_of(there, 0) not in there.eligible


def test_server_errors_in_a_row_eject() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(clock=clock, deadlines=deadlines)
    there.apply(plan(*endpoints(3), ejection=EjectionPolicy(server_errors=3)))
    answers(there, 0, 500, 503, 200, 502, NOT_ANSWERED, NO_ANSWER_DUE)
    there.connect_succeeded(state_of(there, 0))  # ends no streak of this kind
    assert state_of(there, 0).eligible
    answers(there, 0, 500)
    assert not state_of(there, 0).eligible
    there.connect_succeeded(state_of(there, 0))
    assert not state_of(there, 0).eligible
    for seconds in (1, 2):
        assert state_of(there, 0).set_aside_until == clock.now + seconds
        clock.advance(seconds + 1)
        deadlines.advance()
        assert state_of(there, 0).eligible
        answers(there, 0, 500, 500, 500)
    clock.advance(5)
    deadlines.advance()
    answers(there, 0, 200, 500, 500, 500)
    assert state_of(there, 0).set_aside_until == clock.now + 1, "a good answer ended the doubling"


def test_a_low_success_rate_ejects() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(clock=clock, deadlines=deadlines)
    policy = SuccessRatePolicy(deviations=1.5, interval=10, least_endpoints=4, least_requests=10)
    there.apply(plan(*endpoints(5), ejection=EjectionPolicy(success_rate=policy)))
    for _ in range(10):
        for number in range(5):
            answers(there, number, 500 if number == 3 else 200)
    assert state_of(there, 3).eligible
    clock.advance(10.5)
    deadlines.advance()
    assert [state.eligible for state in there.endpoints.values()] == [True, True, True, False, True]
    clock.advance(11)
    deadlines.advance()
    assert state_of(there, 3).eligible, "no requests since: nothing is held against it"
    there.retire()
    clock.advance(11)
    deadlines.advance()
    assert there.deadline == 0.0


def test_checks_take_endpoints_away_and_give_them_back() -> None:
    there = backend()
    there.apply(plan(*endpoints(3), health_check=HealthCheckPolicy()))
    assert len(there.eligible) == 3, "nothing is known yet, which nobody is blamed for"
    for number in (0, 1):
        there.checked(endpoint(number).where, healthy=True)
    assert picks(there, 2) == ["0", "1"], "two of three are known to be well"
    there.checked(endpoint(2).where, healthy=True)
    there.checked(endpoint(0).where, healthy=False)
    assert set(picks(there, 4)) == {"1", "2"}
    there.checked(endpoint(1).where, healthy=False)
    assert len(there.eligible) == 3, "panic: one of three is left"
    there.apply(plan(*there.plan.endpoints))
    assert not any(state.unhealthy for state in there.endpoints.values())


def test_who_an_agent_vouches_for_is_not_waited_for() -> None:
    there = backend()
    probed = endpoint(0, workload=WorkloadRef("Deployment", "default", "shop"))
    there.apply(plan(probed, endpoint(1), health_check=HealthCheckPolicy()))
    assert picks(there, 2) == ["0", "0"]


def test_slow_start_grows_to_a_full_share() -> None:
    clock = Clock()
    deadlines = Deadlines(clock)
    there = backend(clock=clock, deadlines=deadlines)
    there.apply(plan(*endpoints(2), slow_start=SlowStartPolicy(window=10)))
    assert picks(there, 4) == ["0", "1", "0", "1"], "all are new alike"
    clock.advance(20)
    deadlines.advance()
    there.apply(plan(*endpoints(3), slow_start=SlowStartPolicy(window=10)))
    shares = []
    for _ in range(12):
        shares.append(picks(there, 210).count("2"))
        clock.advance(1)
        deadlines.advance()
    assert shares[0] == pytest.approx(10, abs=2)
    assert shares == sorted(shares)
    assert shares[-1] == 70
    clock.advance(2)
    deadlines.advance()
    assert there.deadline == 0.0
    there.apply(plan(*endpoints(3)))
    assert [state.weight for state in there.endpoints.values()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["RingHash", "Maglev"])
def test_a_key_leads_to_its_endpoint(kind: BalancerType) -> None:
    there = backend()
    there.apply(plan(*endpoints(5), balancer=BalancerPolicy(kind, hash=HashKey(header="X-User"))))
    assert there.key_of is not None
    key = there.key_of(b"GET / HTTP/1.1\r\nX-User: ann\r\n", "10.1.1.1")
    assert key == b"ann"
    home = there.pick_for(key)
    assert all(there.pick_for(key) is home for _ in range(10))
    assert home is not None
    assert there.pick_for(key, (home,)) is not home
    assert picks(there, 5) == ["0", "1", "2", "3", "4"], "without a key in turn"


def test_limits_hold_and_who_waits_is_told() -> None:
    there = backend()
    there.apply(plan(*endpoints(2), limits=LimitPolicy(EndpointLimits(requests=1))))
    waiter = Asking(there)
    busy = [ask(there), ask(there)]
    assert {state.host for state in busy if state} == {"10.0.0.0", "10.0.0.1"}
    assert ask(there) is None
    assert there.limits is not None
    assert there.limits.wait(waiter)
    assert busy[1] is not None
    done(there, busy[1])
    assert waiter.got is busy[1]
    assert ask(there) is None
    assert there.limits.wait(later := Asking(there))
    there.apply(plan(*endpoints(2)))
    assert there.limits is None
    assert later.got is not None, "without a limit nobody waits"
    assert there.answered is None


def test_good_answers_let_all_go_who_wait_for_room() -> None:
    there = backend()
    there.apply(plan(*endpoints(2), limits=LimitPolicy(backend=BackendLimits(requests=1))))
    first, waiters = ask(there), [Asking(there) for _ in range(3)]
    assert first is not None
    assert there.limits is not None
    for waiter in waiters:
        assert ask(there) is None
        assert there.limits.wait(waiter)
    under_way = first
    for waiter in waiters:
        done(there, under_way)
        assert waiter.got is not None
        under_way = waiter.got
    assert there.answered is None


class Asking:
    """Waits for room, and takes it."""

    def __init__(self, there: Backend) -> None:
        self._there = there
        self.got: EndpointState | None = None

    def room_now(self) -> None:
        self._there.stats.in_flight -= 1  # it was counted as it asked before
        self.got = ask(self._there)


def ask(there: Backend) -> EndpointState | None:
    there.stats.in_flight += 1
    state = there.pick()
    if state is not None:
        state.in_flight += 1
    return state


def done(there: Backend, state: EndpointState) -> None:
    state.in_flight -= 1
    there.stats.in_flight -= 1
    tell(there, state, 200)


def test_peak_ewma_is_told_of_good_answers() -> None:
    clock = Clock()
    there = backend(clock=clock)
    there.apply(plan(*endpoints(2), balancer=BalancerPolicy("PeakEWMA")))
    assert there.answered is not None
    there.answered(state_of(there, 0), 0.5, 200)
    there.answered(state_of(there, 1), 0.001, 200)
    assert picks(there, 50).count("0") < 5
    there.left(state_of(there, 0), 0.0, 500)
    assert picks(there, 50).count("0") < 5, "an error is no quick answer"


def test_what_comes_back_grows_and_is_checked_anew() -> None:
    clock = Clock()
    there = backend(clock=clock)
    policies = {"slow_start": SlowStartPolicy(window=10), "health_check": HealthCheckPolicy()}
    there.apply(plan(*endpoints(2), **policies))
    for number in range(2):
        there.checked(endpoint(number).where, healthy=True)
    clock.advance(20)
    there.apply(plan(endpoint(0), **policies))
    there.apply(plan(*endpoints(2), **policies))
    assert state_of(there, 1).unhealthy
    there.checked(endpoint(1).where, healthy=True)
    assert [state.weight for state in there.endpoints.values()] == [100, 10]


FORESEEN: list[BalancerPolicy] = [
    BalancerPolicy(),
    BalancerPolicy(type="RingHash", hash=HashKey(header="X-User")),
    BalancerPolicy(type="Maglev", hash=HashKey(header="X-User"), table_size=67),
    AffinityPolicy(hash=HashKey(source_address=True)),
]


@pytest.mark.parametrize("policy", FORESEEN, ids=lambda policy: type(policy).__name__ + policy.type)
@given(
    weights=st.lists(st.integers(0, 3), min_size=1, max_size=5),
    asked=st.lists(st.tuples(st.sampled_from([b"", b"a", b"b"]), st.booleans()), max_size=20),
)
def test_what_is_foreseen_is_what_comes(
    policy: BalancerPolicy, weights: list[int], asked: list[tuple[bytes, bool]]
) -> None:
    there = backend()
    there.apply(plan(*(endpoint(number, weight=weight) for number, weight in enumerate(weights)), balancer=policy))
    for key, retried in asked:
        tried = (there.pick(),) if retried else ()
        foreseen = there.foresee(key)
        assert there.foresee(key) is foreseen, "nobody's turn is taken"
        assert there.pick_for(key) is foreseen
        if retried:
            there.pick_for(key, [state for state in tried if state])


@pytest.mark.parametrize("kind", ["Random", "LeastRequest", "PeakEWMA"])
def test_lots_are_not_foreseen(kind: BalancerType) -> None:
    there = backend()
    there.apply(plan(*endpoints(3), balancer=BalancerPolicy(type=kind)))
    assert there.foresee() is None
    assert there.foresee(b"key") is None
