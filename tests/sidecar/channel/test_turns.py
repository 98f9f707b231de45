"""Which registry a node turns to."""

from __future__ import annotations

from sidecar.channel.turns import AGAIN_SECONDS, Turns
from sidecar.options import Address

A, B, C = (Address(f"192.0.2.{number}", 9903) for number in (1, 2, 3))
B_ACTS, NOBODY = "the registry b acts", "it is not known which registry acts"


def left(turns: Turns, now: float) -> bool:
    """Leave it, if it is to be left; whether it was."""
    leaves = turns.is_to_leave(now)
    if leaves:
        turns.ended(now, connected=True)
    return leaves


def test_it_stays_with_one_that_acts() -> None:
    turns = Turns([A, B])
    assert not turns.is_to_leave(0)
    turns.told("", 0)
    assert (turns.is_to_leave(1000), turns.current) == (False, A)


def test_it_looks_for_the_one_that_acts() -> None:
    turns = Turns([A, B, C])
    turns.told("the registry c acts", 0)
    assert left(turns, 0)
    assert turns.current == B
    assert not turns.is_to_leave(1)
    turns.told("the registry c acts", 1)
    assert left(turns, 1)
    assert turns.current == C
    turns.told("", 2)
    assert not turns.is_to_leave(2 + AGAIN_SECONDS)
    turns.told("the registry a acts", 100)
    assert left(turns, 100)
    assert turns.current == A


def test_it_stays_where_it_is_when_the_one_that_acts_cannot_be_reached() -> None:
    turns = Turns([A, B])
    turns.told(B_ACTS, 0)
    assert left(turns, 0)
    turns.ended(1, connected=False)
    assert turns.current == A
    turns.told(B_ACTS, 2)
    assert not turns.is_to_leave(3)
    assert turns.is_to_leave(1 + AGAIN_SECONDS)


def test_it_does_not_go_to_and_fro_between_those_that_say_different_things() -> None:
    turns, said = Turns([A, B, C]), {B: "the registry a acts", C: NOBODY}
    moves = 0
    for now in range(int(AGAIN_SECONDS) - 10):
        if turns.current == A:
            turns.ended(now, connected=False)
            continue
        turns.told(said[turns.current], now)
        moves += left(turns, now)
    assert moves <= 3


def test_after_an_election_it_looks_again() -> None:
    turns = Turns([A, B])
    for registry in (A, B):
        assert turns.current == registry
        turns.told(NOBODY, 0)
        assert left(turns, 0) == (registry == A)
    turns.told("the registry a acts", 1)
    assert left(turns, 1)
    assert turns.current == A


def test_with_one_registry_there_is_nowhere_to_go() -> None:
    turns = Turns([A])
    turns.told(B_ACTS, 0)
    assert not turns.is_to_leave(1000)
    turns.ended(1000, connected=True)
    assert turns.current == A
