"""The wheel: never early, late by a tick, whatever the deadlines do meanwhile."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.deadlines import Deadlines
from tests.mesh.making import Clock

TICK, PATIENCE = 0.1, 1.0
NEVER = float("inf")


class Item:
    def __init__(self, deadline: float, clock: Clock, then: float = 0.0) -> None:
        self.deadline = deadline
        self.clock = clock
        self.then = then
        """How much later the next deadline is; 0: there is none."""
        self.told: list[float] = []
        self.looked = 0

    def on_deadline(self, now: float) -> None:
        assert now == self.clock.now
        self.told.append(now)
        self.deadline = now + self.then if self.then else 0.0


def world() -> tuple[Clock, Deadlines]:
    clock = Clock(1000.0)
    return clock, Deadlines(clock, TICK, PATIENCE)


def run(clock: Clock, deadlines: Deadlines, seconds: float) -> None:
    for _ in range(round(seconds / TICK)):
        clock.advance(TICK)
        assert deadlines.advance()


@pytest.mark.parametrize("after", [0.01, 0.1, 0.35, 0.999, 1.0, 1.05, 7.3, 60.0])
def test_told_once_and_in_time(after: float) -> None:
    clock, deadlines = world()
    item = Item(clock.now + after, clock)
    due = item.deadline
    deadlines.watch(item)
    run(clock, deadlines, after + 3 * TICK)
    assert len(item.told) == 1
    assert due <= item.told[0] <= due + 2 * TICK


def test_a_deadline_in_the_past_is_told_at_the_next_tick() -> None:
    clock, deadlines = world()
    item = Item(clock.now - 5, clock)
    deadlines.watch(item)
    run(clock, deadlines, 2 * TICK)
    assert len(item.told) == 1


def test_one_that_moves_away_is_told_at_its_last() -> None:
    clock, deadlines = world()
    item = Item(clock.now + 0.5, clock)
    deadlines.watch(item)
    for _ in range(50):
        item.deadline = clock.now + 0.5
        run(clock, deadlines, 0.1)
    assert not item.told
    run(clock, deadlines, 0.8)
    assert len(item.told) == 1


def test_one_that_moves_nearer_is_late_by_the_patience_at_most() -> None:
    clock, deadlines = world()
    item = Item(NEVER, clock)
    deadlines.watch(item)
    run(clock, deadlines, 5.0)
    item.deadline = due = clock.now + 0.2
    run(clock, deadlines, 0.2 + PATIENCE + 2 * TICK)
    assert len(item.told) == 1
    assert item.told[0] <= due + PATIENCE + 2 * TICK


def test_one_that_sets_a_new_deadline_is_told_again() -> None:
    clock, deadlines = world()
    item = Item(clock.now + 1, clock, then=1.0)
    deadlines.watch(item)
    run(clock, deadlines, 5.5)
    assert 4 <= len(item.told) <= 5


def test_zero_ends_the_watch() -> None:
    clock, deadlines = world()
    item = Item(clock.now + 0.5, clock)
    deadlines.watch(item)
    item.deadline = 0.0
    run(clock, deadlines, 2.0)
    item.deadline = clock.now + 0.1
    run(clock, deadlines, 2.0)
    assert not item.told
    assert not deadlines._buckets, "nothing is kept of it"


def test_a_loop_that_was_held_tells_all_that_came_due() -> None:
    clock, deadlines = world()
    items = [Item(clock.now + number / 10, clock) for number in range(1, 200)]
    for item in items:
        deadlines.watch(item)
    clock.advance(100)
    while not deadlines.advance():
        pass
    clock.advance(2 * TICK)
    deadlines.advance()
    assert all(len(item.told) == 1 for item in items)


def test_one_that_fails_keeps_no_other_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Item):
        def on_deadline(self, now: float) -> None:
            self.deadline = 0.0
            raise ZeroDivisionError

    clock, deadlines = world()
    items = [Item(clock.now + 0.1, clock), Broken(clock.now + 0.1, clock), Item(clock.now + 0.1, clock)]
    for item in items:
        deadlines.watch(item)
    with caplog.at_level(logging.ERROR):
        run(clock, deadlines, 0.4)
    assert [len(item.told) for item in items] == [1, 0, 1]
    assert "ZeroDivisionError" in caplog.text


def test_very_many_are_told_in_slices() -> None:
    clock, deadlines = world()

    class Slow(Item):
        def on_deadline(self, now: float) -> None:
            self.told.append(now)
            self.deadline = 0.0
            self.clock.advance(0.001)

    items = [Slow(clock.now + 0.1, clock) for _ in range(20)]
    for item in items:
        deadlines.watch(item)
    clock.advance(0.25)
    slices = 1
    while not deadlines.advance():
        slices += 1
    assert slices >= 5
    assert all(len(item.told) == 1 for item in items)


def test_those_that_came_together_are_not_looked_at_together() -> None:
    clock, deadlines = world()
    for _ in range(800):
        deadlines.watch(Item(NEVER, clock))
    assert max(len(bucket) for bucket in deadlines._buckets.values()) <= 200


def test_items_may_be_added_while_others_are_told() -> None:
    clock, deadlines = world()
    late = Item(clock.now + 0.3, clock)

    class Adding(Item):
        def on_deadline(self, now: float) -> None:
            super().on_deadline(now)
            deadlines.watch(late)

    deadlines.watch(Adding(clock.now + 0.1, clock))
    run(clock, deadlines, 1.0)
    assert len(late.told) == 1


@given(
    st.lists(
        st.tuples(st.floats(0.0, 5.0), st.lists(st.tuples(st.integers(0, 40), st.floats(0.0, 5.0)), max_size=4)),
        min_size=1,
        max_size=8,
    )
)
def test_never_early_and_never_forgotten(plans: list[tuple[float, list[tuple[int, float]]]]) -> None:
    """Items whose deadline moves at some ticks: told once, not before the last deadline, and soon after."""
    clock, deadlines = world()
    items = [(Item(clock.now + first, clock), dict(moves)) for first, moves in plans]
    for item, _ in items:
        deadlines.watch(item)
    for tick in range(110):
        for item, moves in items:
            if tick in moves and not item.told:
                item.deadline = clock.now + moves[tick]
        lates = {id(item): item.deadline for item, _ in items}
        clock.advance(TICK)
        deadlines.advance()
        for item, _ in items:
            if not item.told:
                assert clock.now <= lates[id(item)] + PATIENCE + 2 * TICK + 1e-6
            elif item.told[-1] == clock.now:
                assert lates[id(item)] <= clock.now
    assert all(len(item.told) == 1 for item, _ in items)


def test_what_was_expected_and_is_over_leaves_nothing_behind() -> None:
    clock, deadlines = world()
    items = [Item(clock.now + 1.0, clock) for _ in range(100)]
    for item in items:
        deadlines.expect(item)
        if clock.now < 1000.2:
            clock.advance(0.01)
            deadlines.advance()
    for item in items:
        item.deadline = 0.0
        deadlines.forget(item)
    assert not deadlines._buckets
    assert not deadlines._young
    assert not deadlines._growing


@pytest.mark.parametrize("after", [0.05, 0.3, 1.0, 3.0])
def test_what_was_expected_to_be_over_is_told_if_it_is_not(after: float) -> None:
    clock, deadlines = world()
    item = Item(clock.now + after, clock, then=1.0)
    due = item.deadline
    deadlines.expect(item)
    run(clock, deadlines, after + PATIENCE)
    assert len(item.told) >= 1
    assert due <= item.told[0] <= max(due, 1000.0 + PATIENCE / 2) + 3 * TICK


def test_one_that_is_watched_by_now_may_be_forgotten() -> None:
    clock, deadlines = world()
    item = Item(clock.now + 5, clock)
    deadlines.expect(item)
    run(clock, deadlines, 2.0)
    item.deadline = 0.0
    deadlines.forget(item)
    run(clock, deadlines, 5.0)
    assert not item.told
    assert not deadlines._buckets
