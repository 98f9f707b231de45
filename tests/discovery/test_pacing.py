from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.pacing import BURST_SECONDS, Lane


def drain(lane: Lane[str], now: float) -> list[str]:
    taken = []
    while (item := lane.take(now)) is not None:
        taken.append(item)
    return taken


def test_items_come_when_due_earliest_first() -> None:
    lane: Lane[str] = Lane(10, 1000)
    lane.add(2, "b")
    lane.add(1, "a")
    lane.add(9, "c")
    assert lane.next_time() == 1
    assert drain(lane, 5) == ["a", "b"]
    assert lane.next_time() == 9


def test_no_more_at_once_than_parallel() -> None:
    lane: Lane[str] = Lane(2, 1000)
    for name in "abc":
        lane.add(0, name)
    assert drain(lane, 1) == ["a", "b"]
    assert lane.next_time() is None
    lane.done()
    assert drain(lane, 1) == ["c"]


def test_a_cancelled_item_never_comes() -> None:
    lane: Lane[str] = Lane(2, 1000)
    ticket = lane.add(0, "a")
    lane.add(3, "b")
    lane.cancel(ticket)
    lane.cancel(ticket)
    assert (len(lane), lane.next_time()) == (1, 3)
    assert drain(lane, 4) == ["b"]


def test_cancelled_items_do_not_pile_up() -> None:
    lane: Lane[str] = Lane(2, 1000)
    for _ in range(1000):
        lane.cancel(lane.add(1e9, "a"))
    assert len(lane._heap) < 100


def test_the_rate_is_held_and_a_pause_saves_nothing_up() -> None:
    lane: Lane[str] = Lane(10_000, 100)
    for _ in range(1000):
        lane.add(0, "a")
    begun = sum(len(drain(lane, 1000 + step / 1000)) for step in range(1001))
    assert begun == pytest.approx(100 * (1 + BURST_SECONDS), abs=2)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200),
    st.integers(1, 5),
    st.floats(1, 500, allow_nan=False),
)
def test_never_faster_nor_more_than_allowed(items: list[tuple[float, bool]], parallel: int, rate: float) -> None:
    lane: Lane[int] = Lane(parallel, rate)
    begun: list[float] = []
    for number, (due, _) in enumerate(items):
        lane.add(due, number)
    for step in range(200):
        now = step / 100
        while lane.take(now) is not None:
            begun.append(now)
            assert 0 < lane.running <= parallel
        while lane.running:
            lane.done()
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            window = begun[last] - begun[first]
            assert last - first + 1 <= 1 + rate * (window + BURST_SECONDS) + 1e-6
