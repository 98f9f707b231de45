"""Balancing: who is picked, how new ones begin, what a key is worth; the defaults that users know from elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from config.balancing import BalancerPolicy, BalancerType, HashKey, SlowStartPolicy
from config.policies import UNSAID
from discovery.endpoint import Endpoint
from mesh.backend import Backend
from mesh.balancing.base import Keyed
from mesh.balancing.key import key_of
from mesh.balancing.registry import BALANCERS, new_balancer
from mesh.plan import BackendPlan
from tests.mesh.balancing.candidates import One, World, ones, tally
from tests.mesh.making import KEY, Clock, plan

NOT_HERE = (
    ("least connections as IPVS has it, Traefik's leasttime", "LeastRequest and PeakEWMA answer the same question"),
    ("rendezvous hashing", "RingHash and Maglev answer the same question"),
    ("Envoy's bias of weight by load", "lots are drawn by weight, then load for the weight decides"),
)

KEYED = BalancerPolicy(type="RingHash", hash=HashKey(header="X-User"))


def of(kind: BalancerType, candidates: list[One], **more: Any) -> Any:
    made = new_balancer(BalancerPolicy(type=kind, **more), World(candidates).around)
    made.use(candidates)
    return made


def numbers(balancer: Any, times: int) -> list[int]:
    return [picked.number for _ in range(times) if (picked := balancer.pick())]


def test_round_robin_is_the_default() -> None:
    assert BalancerPolicy().type == BackendPlan(KEY, ()).balancer.type == "RoundRobin"
    assert UNSAID.balancer is None


def test_round_robin_differs_by_one_at_most() -> None:
    found = Counter(numbers(of("RoundRobin", ones(3)), 100))
    assert max(found.values()) - min(found.values()) <= 1


def test_smooth_weights_5_1_1_give_a_a_b_a_c_a_a() -> None:
    assert numbers(of("RoundRobin", [One(0, 5), One(1), One(2)]), 14) == [0, 0, 1, 0, 2, 0, 0] * 2


def test_the_first_wins_ties() -> None:
    assert numbers(of("RoundRobin", [One(0, 2), One(1, 2), One(2, 1)]), 5) == [0, 1, 2, 0, 1]
    assert numbers(of("RoundRobin", [One(0, 3), One(1, 1), One(2, 2)]), 6) == [0, 2, 0, 1, 2, 0]


def test_who_was_away_has_gained_no_weight() -> None:
    """Who comes back gets its share, and is not owed what it missed."""
    there = [One(0, 5), One(1), One(2)]
    balancer = of("RoundRobin", there)
    balancer.use(there[:2])
    numbers(balancer, 60)
    balancer.use(there)
    found = numbers(balancer, 7)
    assert Counter(found) == {0: 5, 1: 1, 2: 1}


@pytest.mark.parametrize("kind", ["RingHash", "Maglev"])
def test_an_empty_key_falls_back_to_round_robin(kind: BalancerType) -> None:
    balancer = of(kind, ones(4))
    found = Counter(picked.number for _ in range(40) if (picked := balancer.pick_for(b"")))
    assert found == dict.fromkeys(range(4), 10)


@pytest.mark.parametrize("kind", BALANCERS)
def test_weights_count(kind: BalancerType) -> None:
    """As shares; PeakEWMA's go by time, so what it does with a weight is to ask for less of it."""
    balancer = of(kind, [One(0, 3), One(1, 1)])
    if isinstance(balancer, Keyed):
        keys = iter(range(4000))
        found = tally(lambda: balancer.pick_for(b"%d" % next(keys)), 4000)
    else:
        found = tally(balancer.pick, 4000)
    assert found[0] > 1.5 * found[1] > 0


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_retry_gets_another_endpoint(kind: BalancerType) -> None:
    there = ones(2)
    balancer = of(kind, there)
    for first in there:
        assert {balancer.pick((first,)) for _ in range(20)} == set(there) - {first}
        if isinstance(balancer, Keyed):
            assert {balancer.pick_for(b"%d" % key, (first,)) for key in range(20)} == set(there) - {first}


def test_least_request_takes_the_less_loaded_of_two() -> None:
    assert BalancerPolicy().choices == 2
    there = ones(2)
    there[0].in_flight = 5
    found = tally(of("LeastRequest", there).pick, 100)
    assert found[1] > found[0]
    there = ones(10)
    for busy in there[:9]:
        busy.in_flight = 5
    assert tally(of("LeastRequest", there).pick, 1000)[9] < 300, "two are looked at, and not all"


def test_peak_ewma_leaves_the_slow_one_alone() -> None:
    there = ones(2)
    balancer = of("PeakEWMA", there)
    balancer.observe(there[0], 0.5)
    balancer.observe(there[1], 0.01)
    assert tally(balancer.pick, 200)[1] > 100


KEYS = [b"user-%d" % number for number in range(2000)]


def moved(kind: BalancerType) -> tuple[int, int]:
    """Keys that moved when one of ten went: its own, and others."""
    there = ones(10)
    balancer = of(kind, there)
    before = {key: balancer.pick_for(key) for key in KEYS}
    balancer.use(there[:9])
    after = {key: balancer.pick_for(key) for key in KEYS}
    own = sum(candidate is there[9] for candidate in before.values())
    return own, sum(before[key] is not after[key] for key in KEYS) - own


def test_a_key_stays_where_it_is() -> None:
    assert moved("RingHash")[1] == 0
    own, others = moved("Maglev")
    assert 0 < others < 2 * own, "Maglev moves some more, for a table that is quicker to look into"


KEYS_OF = {
    "a header": (HashKey(header="X-User"), "X-User: 7", b"7"),
    "a cookie": (HashKey(cookie="lb"), "Cookie: a=1; lb=7; c=3", b"7"),
    "a query parameter": (HashKey(query="u"), "", b"7"),
    "the source address": (HashKey(source_address=True), "", b"192.0.2.1"),
    "none": (HashKey(header="X-None"), "", b""),
}


@pytest.mark.parametrize("case", KEYS_OF)
def test_keys(case: str) -> None:
    policy, line, expected = KEYS_OF[case]
    find = key_of(policy)
    assert find is not None
    assert find(f"GET /a?u=7&v=8 HTTP/1.1\r\n{line}\r\n".encode(), "192.0.2.1") == expected


def cold(policy: SlowStartPolicy | None, *there: Endpoint, clock: Clock) -> Backend:
    """A Backend of which the first endpoint is long there, and the others have just come."""
    backend = Backend(KEY, clock)
    backend.apply(plan(there[0], slow_start=policy))
    clock.advance(1000)
    backend.apply(plan(*there, slow_start=policy))
    return backend


ONE, TWO = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 1)


def shares(backend: Backend, times: int = 110) -> Counter[str]:
    found = (backend.pick() for _ in range(times))
    return Counter(state.host for state in found if state)


def test_slow_start_is_off_unless_asked_for() -> None:
    found = shares(cold(None, ONE, TWO, clock=Clock()))
    assert found["10.0.0.1"] == found["10.0.0.2"]


def test_slow_start_begins_with_a_tenth_and_grows_to_all() -> None:
    clock = Clock()
    backend = cold(SlowStartPolicy(window=10), ONE, TWO, clock=clock)
    assert shares(backend) == {"10.0.0.1": 100, "10.0.0.2": 10}
    clock.advance(5)
    backend.refresh()
    assert shares(backend, 150) == {"10.0.0.1": 100, "10.0.0.2": 50}
    clock.advance(5)
    backend.refresh()
    assert shares(backend) == {"10.0.0.1": 55, "10.0.0.2": 55}


def test_slow_start_changes_nothing_where_all_are_new() -> None:
    backend = Backend(KEY, Clock())
    backend.apply(plan(ONE, TWO, slow_start=SlowStartPolicy()))
    assert shares(backend) == {"10.0.0.1": 55, "10.0.0.2": 55}
