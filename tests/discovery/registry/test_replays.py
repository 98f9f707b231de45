from __future__ import annotations

from discovery.registry.replays import Arrival, Replays

ID, OTHER_ID = b"\1\2", b"\3\4"


def test_a_message_that_comes_again_gets_the_same_answer() -> None:
    replays = Replays(seconds=600)
    assert replays.arrive(b"mac", ID, 0, b"node", 100) is Arrival.NEW
    assert replays.arrive(b"mac", ID, 1, b"node", 100) is Arrival.PENDING
    replays.answered(b"mac", ID + b"answer")
    assert replays.arrive(b"mac", OTHER_ID, 599, b"node", 100) == OTHER_ID + b"answer"


def test_what_failed_may_be_tried_again() -> None:
    replays = Replays()
    replays.arrive(b"mac", ID, 0, b"node", 100)
    replays.failed(b"mac")
    replays.failed(b"mac")
    assert replays.arrive(b"mac", ID, 1, b"node", 100) is Arrival.NEW


def test_an_answer_that_comes_after_all_is_forgotten_changes_nothing() -> None:
    replays = Replays(seconds=1)
    replays.arrive(b"mac", ID, 0)
    assert replays.arrive(b"next", ID, 2) is Arrival.NEW
    replays.answered(b"mac", b"answer")
    assert len(replays) == 1


def test_the_unsigned_are_known_for_the_window_only() -> None:
    replays = Replays(seconds=10)
    assert [replays.arrive(b"hash", ID, now) for now in (0, 9, 10)] == [Arrival.NEW, Arrival.PENDING, Arrival.NEW]


def test_what_was_forgotten_for_others_is_not_taken_for_new() -> None:
    replays = Replays(seconds=600, most=3)
    for number in range(4):
        assert replays.arrive(b"%d" % number, ID, number, b"node", 100 + number) is Arrival.NEW
    assert len(replays) == 3
    assert replays.arrive(b"0", ID, 5, b"node", 100) is Arrival.TOO_OLD
    assert replays.arrive(b"unknown", ID, 5, b"node", 100) is Arrival.TOO_OLD
    assert replays.arrive(b"unknown", ID, 5, b"another", 100) is Arrival.NEW
    assert replays.arrive(b"3", ID, 5, b"node", 103) is Arrival.PENDING


def test_a_clock_set_back_brings_nothing_back() -> None:
    replays = Replays(seconds=600)
    replays.arrive(b"mac", ID, 0, b"node", 100)
    assert replays.arrive(b"mac", ID, 601, b"node", 100) is Arrival.TOO_OLD
