"""Session affinity: who is kept, for how long, and when somebody else is picked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.balancing import BalancerPolicy, HashKey
from mesh.balancing.affinity import Affinity, AffinityPolicy
from mesh.balancing.base import Keyed, Observing, Surroundings
from mesh.balancing.registry import BALANCERS, new_balancer
from mesh.balancing.round_robin import RoundRobin
from tests.mesh.making import Clock


class One:
    """A candidate."""

    def __init__(self, number: int) -> None:
        self.host, self.port = f"10.0.0.{number}", 80
        self.weight, self.in_flight = 1, 0


ONES = [One(number) for number in range(3)]


def affinity(clock: Clock, seconds: int = 10, most: int = 100) -> Affinity[One]:
    made: Affinity[One] = Affinity(RoundRobin(), seconds, clock, most)
    made.use(ONES)
    return made


def test_a_client_keeps_its_candidate_and_others_take_turns() -> None:
    clock = Clock()
    made = affinity(clock)
    assert [made.pick_for(b"a"), made.pick_for(b"b"), made.pick_for(b"a"), made.pick_for(b"c")] == [
        ONES[0], ONES[1], ONES[0], ONES[2],
    ]  # fmt: skip
    assert made.pick() is ONES[0], "who has no key takes turns"


def test_every_pick_begins_the_time_anew() -> None:
    clock = Clock()
    made = affinity(clock)
    first = made.pick_for(b"a")
    for _ in range(5):
        clock.advance(9.9)
        assert made.pick_for(b"a") is first
    clock.advance(10)
    assert made.pick_for(b"a") is not first


def test_a_candidate_that_goes_is_forgotten_and_one_that_was_tried_too() -> None:
    made = affinity(Clock())
    first = made.pick_for(b"a")
    assert made.pick_for(b"a", (first,)) is not first  # type: ignore[arg-type]
    second = made.pick_for(b"a")
    assert second is not first, "the new one is kept"
    made.use([one for one in ONES if one is not second])
    third = made.pick_for(b"a")
    assert third is not second
    made.use(ONES)
    assert made.pick_for(b"a") is third, "it stays with the new one"
    made.use([])
    assert made.pick_for(b"a") is None


def test_the_table_is_bounded_and_who_was_silent_longest_goes() -> None:
    made = affinity(Clock(), most=2)
    made.pick_for(b"a"), made.pick_for(b"b")
    made.pick_for(b"a"), made.pick_for(b"c")
    assert list(made._kept) == [b"a", b"c"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=60))
def test_nobody_is_kept_beyond_the_time_or_the_bound(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    made = affinity(clock, seconds=10, most=4)
    had: dict[bytes, tuple[One | None, float]] = {}
    for client, pause in steps:
        clock.advance(pause)
        key = bytes([client])
        kept = key in made._kept and made._kept[key][1] > clock.now
        picked = made.pick_for(key)
        if kept:
            assert picked is had[key][0]
        had[key] = picked, clock.now
        assert len(made._kept) <= 4
        assert all(until > clock.now for _, until in made._kept.values())


@pytest.mark.parametrize("kind", BALANCERS)
def test_it_goes_around_every_balancer(kind: str) -> None:
    clock = Clock()
    policy = AffinityPolicy(type=kind, hash=HashKey(source_address=True), seconds=5)  # type: ignore[arg-type]
    made = new_balancer(policy, Surroundings(lambda: 0.5, clock, lambda: 0))
    plain = new_balancer(BalancerPolicy(type=kind), Surroundings(lambda: 0.5, clock, lambda: 0))  # type: ignore[arg-type]
    assert isinstance(made, Keyed)
    assert isinstance(made, Observing) == isinstance(plain, Observing)
    made.use(ONES)
    first = made.pick_for(b"127.0.0.1")
    if isinstance(made, Observing):
        made.observe(first, 9.0)
    assert all(made.pick_for(b"127.0.0.1") is first for _ in range(5))
