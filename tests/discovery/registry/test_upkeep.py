"""What is to be sent so that records stay registered: tables of what happened, and a registry that plays along."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.upkeep import MOST_BYTES, Letter, Upkeep
from discovery.registry.wire import ANY, IN, NONE, TXT, A, Record

LEASE = 30.0
X, Y, Z = (Record(bytes((1,)) + name + b"\0", A, IN, 5, b"\1\2\3\4") for name in (b"x", b"y", b"z"))


def upkeep(*wanted: Record) -> Upkeep:
    """Everything wanted is acknowledged at 0, to be refreshed at 24."""
    made = Upkeep()
    made.want(wanted)
    if made.letter(0.0):
        made.acknowledged(LEASE, 0.0, 0.0)
    return made


def nothing(made: Upkeep) -> None:
    """Nothing happens."""


def want(*records: Record) -> Callable[[Upkeep], None]:
    return lambda made: made.want(records)


def found(*records: Record) -> Callable[[Upkeep], None]:
    return lambda made: made.found(records)


def lost(*records: Record) -> Callable[[Upkeep], None]:
    return lambda made: made.lost(records)


WHAT_IS_SENT: dict[str, tuple[tuple[Record, ...], Callable[[Upkeep], None], float, Letter | None]] = {
    "nothing while all is there": ((X, Y), nothing, 23.9, None),
    "all of it when it is time": ((Y, X), nothing, 24.0, Letter((), (X, Y), is_of_round=True)),
    "what is new alone": ((X,), want(X, Z), 1.0, Letter((), (Z,))),
    "what is gone alone": ((X, Y), want(X), 1.0, Letter((Y,), ())),
    "both at once": ((X, Y), want(X, Z), 1.0, Letter((Y,), (Z,))),
    "both and the rest when it is time": ((X, Y), want(X, Z), 24.0, Letter((Y,), (X, Z), is_of_round=True)),
    "nothing for what came and went": ((X,), lambda made: (made.want((X, Y)), made.want((X,)))[1], 1.0, None),
    "the end": ((X, Y), want(), 1.0, Letter((X, Y), ())),
    "nothing when nothing is wanted": ((), nothing, 100.0, None),
    "what an earlier run left": ((X,), found(X, Z), 1.0, Letter((Z,), ())),
    "what got lost": ((X, Y), lost(Y), 1.0, Letter((), (Y,))),
    "nothing for what got lost and is not wanted": ((X,), lost(Y), 1.0, None),
    "everything after a doubt": ((X, Y), lambda made: made.doubt(), 1.0, Letter((), (X, Y), is_of_round=True)),
}


@pytest.mark.parametrize(("there", "happens", "at", "sent"), WHAT_IS_SENT.values(), ids=WHAT_IS_SENT)
def test_what_is_sent(
    there: tuple[Record, ...], happens: Callable[[Upkeep], None], at: float, sent: Letter | None
) -> None:
    made = upkeep(*there)
    happens(made)
    assert made.letter(at) == sent


def test_changes_say_what_goes_first() -> None:
    assert Letter((X,), (Y,)).changes() == [X._replace(klass=NONE, ttl=0), Y]
    assert ANY not in {record.klass for record in Letter((X,), (Y,)).changes()}


def test_one_is_under_way() -> None:
    made = upkeep()
    made.want((X,))
    assert made.letter(0.0) is not None
    made.want((X, Y))
    assert made.letter(0.0) is None
    made.acknowledged(LEASE, 1.0, 1.0)
    assert made.letter(1.0) == Letter((), (Y,))
    made.acknowledged(LEASE, 1.0, 0.0)
    assert made.is_settled
    assert made.next_at == 1.0 + LEASE * 0.85
    with pytest.raises(ValueError, match="no letter"):
        made.acknowledged(LEASE, 1.0, 0.0)


def test_what_was_sent_without_an_answer_may_be_there() -> None:
    made = upkeep(X)
    made.want((X, Y))
    made.letter(1.0)
    made.failed()
    assert not made.is_settled
    made.want((X,))
    assert made.letter(1.0) == Letter((Y,), (X,), is_of_round=True)
    made.acknowledged(LEASE, 1.0, 0.0)
    assert made.is_settled


def test_the_end_of_all_and_a_new_beginning_are_refreshed() -> None:
    made = upkeep()
    made.want((X,))
    made.letter(0.0)
    made.want(())
    made.acknowledged(LEASE, 0.0, 0.0)
    assert made.letter(0.0) == Letter((X,), ())
    made.acknowledged(LEASE, 0.0, 0.0)
    assert (made.is_settled, made.next_at) == (True, float("inf"))
    made.want((Y,))
    assert made.letter(1.0) == Letter((), (Y,))
    made.acknowledged(LEASE, 1.0, 0.0)
    assert made.next_at <= 24.0


def test_a_large_round_goes_in_letters_that_are_the_same_each_time() -> None:
    many = [Record(b"\4%04d\0" % number, TXT, IN, 5, bytes(200)) for number in range(500)]
    made = upkeep()
    made.want(many)

    def whole_round(now: float) -> list[Letter]:
        letters = []
        while (letter := made.letter(now)) is not None:
            assert sum(len(record.name) + len(record.data) + 10 for record in letter.there) <= MOST_BYTES
            letters.append(letter)
            made.acknowledged(LEASE, now, 0.0)
        return letters

    first = whole_round(0.0)
    assert len(first) > 1
    assert [record for letter in first for record in letter.there] == many
    assert made.is_settled
    assert whole_round(24.0) == first


@given(st.integers(0, 2**32), st.lists(st.sets(st.sampled_from((X, Y, Z))), max_size=6))
def test_the_registry_comes_to_have_what_is_wanted(seed: int, wanted: list[set[Record]]) -> None:
    """Letters and answers get lost, and a registry forgets all: in the end it has what is wanted, and keeps it."""
    chance, made, there, now = Random(seed), Upkeep(), set[Record](), 0.0
    made.found((Z,))
    there.add(Z)
    for records in wanted:
        made.want(records)
        for _ in range(chance.randrange(4)):
            now += chance.choice((0.0, 1.0, 30.0))
            letter = made.letter(now)
            if letter is None:
                continue
            outcome = chance.choice(("good", "lost", "no answer", "new registry"))
            if outcome != "lost":
                there = (there - set(letter.gone)) | set(letter.there)
            if outcome == "good":
                made.acknowledged(LEASE, now, chance.random())
            else:
                made.failed()
            if outcome == "new registry":
                there.clear()
    while (letter := made.letter(now)) is not None:
        there = (there - set(letter.gone)) | set(letter.there)
        made.acknowledged(LEASE, now, 0.0)
    assert made.is_settled
    assert there == (wanted[-1] if wanted else set())
    assert made.next_at <= now + LEASE or not there
