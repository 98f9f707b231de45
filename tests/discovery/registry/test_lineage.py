from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.content import SERIALS, later
from discovery.registry.lineage import PAUSE_SECONDS, Lineage

SERIAL = st.integers(1, SERIALS - 1)


def test_a_gap_is_left_once() -> None:
    lineage = Lineage(100)
    assert (lineage.next(7), lineage.next(7)) == (108, 108), "it may fail, and is tried again"
    lineage.stored()
    assert lineage.next(108) == 109


@given(ours=SERIAL, ahead=st.integers(1, SERIALS // 2 - 2**17), gap=st.integers(0, 2**16))
def test_who_is_ahead_is_overtaken(ours: int, ahead: int, gap: int) -> None:
    lineage, theirs = Lineage(gap), (ours + ahead) % SERIALS
    assert lineage.jump(ours, 7.0) is None
    assert lineage.hear(theirs, ours)
    jumped = lineage.jump(ours, 7.0)
    assert jumped is not None
    assert jumped[0] == theirs
    assert later(jumped[1], theirs)
    assert (jumped[1] - theirs) % SERIALS > gap
    assert lineage.jump(ours, 7.0 + PAUSE_SECONDS) is None


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
