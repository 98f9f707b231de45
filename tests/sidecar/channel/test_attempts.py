"""Failed attempts, bounded in rate and in memory."""

from __future__ import annotations

from sidecar.channel.attempts import MOST, MOST_ADDRESSES, SECONDS, Attempts


def test_who_is_wrong_too_often_is_not_heard_for_a_while() -> None:
    attempts = Attempts()
    told = [attempts.failed("a", number) for number in range(MOST)]
    assert attempts.exhausted("a", MOST)
    assert not attempts.exhausted("b", MOST)
    assert not attempts.exhausted("a", SECONDS)
    assert told == [True, *[False] * (MOST - 2), True]


def test_old_failures_do_not_count() -> None:
    attempts = Attempts()
    for number in range(MOST * 3):
        attempts.failed("a", number * SECONDS / 2)
        assert not attempts.exhausted("a", number * SECONDS / 2)


def test_no_more_addresses_are_remembered_than_allowed() -> None:
    attempts = Attempts()
    for _ in range(MOST):
        attempts.failed("first", 0)
    for number in range(MOST_ADDRESSES * 2):
        attempts.failed(str(number), 0)
    assert len(attempts) == MOST_ADDRESSES
    assert not attempts.exhausted("first", 0)
