"""The first of several servers is asked whenever it answers, and is not tried all the time while it does not."""

from __future__ import annotations

from random import Random

from discovery.registry.preference import RETURNS, Preference
from discovery.registry.resolv_conf import Resolver

FIRST, SECOND, THIRD = (Resolver("127.0.0.1", port) for port in (1, 2, 3))
NEVER = float("inf")


def test_the_others_are_asked_in_turn() -> None:
    made = Preference([FIRST, SECOND, THIRD], Random(1))
    assert (made.current, made.try_at) == (FIRST, NEVER)
    for expected in (SECOND, THIRD, FIRST, SECOND):
        made.failed(0.0)
        assert made.current == expected
        assert (made.try_at == NEVER) == (expected == FIRST)


def test_a_single_one_is_always_the_one() -> None:
    made = Preference([FIRST], Random(1))
    made.failed(0.0)
    assert (made.current, made.try_at) == (FIRST, NEVER)


def test_the_first_one_is_tried_less_and_less_often_until_it_is_there() -> None:
    made = Preference([FIRST, SECOND], Random(1))
    made.failed(100.0)
    pauses, now = [], 100.0
    for _ in range(8):
        pauses.append(made.try_at - now)
        now = made.try_at
        made.put_off(now)
    for pause, most in zip(pauses, (1, 2, 4, 8, 16, 20, 20, 20), strict=True):
        assert most * (1 - RETURNS.jitter) <= pause <= most
    made.take_first()
    assert (made.current, made.try_at) == (FIRST, NEVER)


def test_one_that_comes_and_goes_is_left_alone_and_one_that_held_is_not() -> None:
    made, now, pauses = Preference([FIRST, SECOND], Random(1)), 0.0, []
    for _ in range(6):
        made.failed(now)
        pauses.append(made.try_at - now)
        now = made.try_at
        made.take_first()
    assert pauses[-1] >= RETURNS.ceiling * (1 - RETURNS.jitter)
    made.failed(now + RETURNS.forget_after)
    assert made.try_at - (now + RETURNS.forget_after) <= RETURNS.first


def test_others_do_not_come_back_at_the_same_moment() -> None:
    made = [Preference([FIRST, SECOND], Random(seed)) for seed in range(20)]
    for each in made:
        each.failed(0.0)
    assert len({each.try_at for each in made}) == 20
