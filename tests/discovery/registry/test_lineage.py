from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import SERIALS, later
from discovery.registry.lineage import FARTHEST, PAUSE_SECONDS, Lineage

SERIAL = st.integers(1, SERIALS - 1)


def test_a_gap_is_left_once() -> None:
    lineage = Lineage(100)
    assert (lineage.next(7), lineage.next(7)) == (108, 108), "it may fail, and is tried again"
    lineage.stored()
    assert lineage.next(108) == 109


@given(ours=SERIAL, ahead=st.integers(1, FARTHEST), gap=st.integers(0, 2**16))
def test_who_is_ahead_is_overtaken(ours: int, ahead: int, gap: int) -> None:
    lineage, theirs = Lineage(gap), (ours + ahead) % SERIALS
    assert lineage.jump(ours, 7.0) is None
    assert lineage.hear(theirs, ours)
    jumped = lineage.jump(ours, 7.0)
    assert jumped is not None
    assert jumped[0] == theirs
    assert later(jumped[1], theirs)
    assert (jumped[1] - theirs) % SERIALS > gap
    assert lineage.jump(jumped[1], 7.0 + PAUSE_SECONDS) is None


@given(ours=SERIAL, ahead=st.integers(1, SERIALS // 2 - 1), gap=st.integers(0, 2**16))
def test_who_is_far_ahead_is_overtaken_in_steps_that_others_follow(ours: int, ahead: int, gap: int) -> None:
    lineage, theirs, now = Lineage(gap), (ours + ahead) % SERIALS, 0.0
    lineage.hear(theirs, ours)
    while (jumped := lineage.jump(ours, now)) is not None:
        assert later(jumped[1], ours), "who has what was in force takes it"
        ours, now = jumped[1], now + PAUSE_SECONDS
    assert later(ours, theirs)
    assert now <= 3 * PAUSE_SECONDS


def test_who_was_heard_is_not_forgotten_before_it_is_overtaken() -> None:
    lineage = Lineage(0)
    lineage.hear(100, 7)
    assert lineage.jump(7, 0.0) == (100, 101)
    assert lineage.jump(7, PAUSE_SECONDS) == (100, 101), "it could not be stored"
    lineage.hear(1000, 101)
    assert lineage.jump(101, 1.5 * PAUSE_SECONDS) is None
    assert lineage.jump(101, 2 * PAUSE_SECONDS) == (1000, 1001)


def test_who_is_behind_is_not() -> None:
    lineage = Lineage(5)
    assert not lineage.hear(6, 7)
    assert not lineage.hear(7, 7)
    assert lineage.jump(7, 7.0) is None
    assert lineage.hear(8, 7)
    assert lineage.jump(9, 7.0) is None, "we are there by now"


def test_nobody_drives_the_serials_on_and_on() -> None:
    lineage = Lineage(0)
    for now, expected in ((0.0, True), (0.5, False), (PAUSE_SECONDS, True)):
        lineage.hear(1000, 7)
        assert (lineage.jump(7, now) is not None) is expected
