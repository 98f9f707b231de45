from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.resources.core import ServicePort
from discovery.sources.refresh import MISSES, MOST_TARGETS, Refresh, Target, endpoints

A, B, C = Target("10.0.0.1"), Target("10.0.0.2"), Target("10.0.0.3")
PORT = ServicePort(port=80, name="http", target_port=8080)


def refresh(sample: bool = False) -> Refresh:
    return Refresh(sample, Random(1))


@pytest.mark.parametrize(("ttl", "seconds"), [(0, 1), (1, 1), (7, 7), (30, 30), (3600, 30)])
def test_ttls_have_bounds(ttl: int, seconds: float) -> None:
    assert refresh().succeeded([A], ttl) == seconds


def test_an_answer_takes_the_place_of_the_last_one() -> None:
    held = refresh()
    held.succeeded([A, B], 5)
    held.succeeded([B, C], 5)
    assert held.targets == (B, C)
    held.succeeded([], 5)
    assert held.targets == ()


def test_the_order_of_an_answer_means_nothing() -> None:
    held = refresh()
    held.succeeded([A, B, C], 5)
    held.succeeded([C, A, B], 5)
    assert held.targets == (A, B, C)


def test_a_failure_takes_nothing_away() -> None:
    held = refresh()
    assert not held.answered
    pauses = [held.failed("no", now) for now in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)]
    assert (held.answered, held.failure) == (False, "no")
    assert all(1 <= pause <= 30 for pause in pauses)
    assert pauses[-1] > 20
    held.succeeded([A], 5)
    held.failed("no", 9.0)
    assert (held.targets, held.answered, held.failure) == ((A,), True, "no")
    held.succeeded([A], 5)
    assert held.failure == ""


def test_where_answers_are_samples_a_target_goes_after_several_misses() -> None:
    held = refresh(sample=True)
    held.succeeded([A, B], 5)
    for _ in range(MISSES - 1):
        held.succeeded([B, C], 5)
        assert held.targets == (A, B, C)
    held.succeeded([C], 5)
    assert held.targets == (B, C)


def test_a_target_that_shows_up_again_starts_anew() -> None:
    held = refresh(sample=True)
    held.succeeded([A, B], 5)
    for _ in range(MISSES - 1):
        held.succeeded([B], 5)
    held.succeeded([A], 5)
    for _ in range(MISSES - 1):
        held.succeeded([B], 5)
        assert A in held.targets
    held.succeeded([B], 5)
    assert held.targets == (B,)


def test_a_failure_is_no_miss() -> None:
    held = refresh(sample=True)
    held.succeeded([A], 5)
    for now in range(2 * MISSES):
        held.failed("no", float(now))
    held.succeeded([B], 5)
    assert held.targets == (A, B)


def test_weights_and_priorities_are_those_of_the_last_answer() -> None:
    held = refresh(sample=True)
    held.succeeded([Target("10.0.0.1", 80, 1, 5)], 5)
    held.succeeded([Target("10.0.0.1", 80, 2, 7)], 5)
    assert held.targets == (Target("10.0.0.1", 80, 2, 7),)


@given(st.lists(st.lists(st.integers(0, 2000), max_size=1500), max_size=3), st.booleans())
def test_what_is_held_is_bounded(answers: list[list[int]], sample: bool) -> None:
    held = refresh(sample)
    for answer in answers:
        held.succeeded([Target(f"10.0.{number // 256}.{number % 256}") for number in answer], 5)
        assert len(held.targets) <= MOST_TARGETS


ENDPOINTS: dict[str, tuple[list[Target], list[tuple[str, int, int, int]]]] = {
    "addresses, at the target port": ([A, B], [("10.0.0.1", 8080, 0, 1), ("10.0.0.2", 8080, 0, 1)]),
    "twice the same": ([A, A], [("10.0.0.1", 8080, 0, 1)]),
    "ports and weights": (
        [Target("h", 81, 0, 3), Target("h", 82, 0, 1)], [("h", 81, 0, 3), ("h", 82, 0, 1)],
    ),
    "priorities are tiers": (
        [Target("a", 1, 20, 1), Target("b", 1, 10, 1), Target("c", 1, 20, 1)],
        [("a", 1, 1, 1), ("b", 1, 0, 1), ("c", 1, 1, 1)],
    ),
    "0 beside others is a last resort": (
        [Target("a", 1, 10, 0), Target("b", 1, 10, 5), Target("c", 1, 20, 1)],
        [("a", 1, 1, 1), ("b", 1, 0, 5), ("c", 1, 2, 1)],
    ),
    "all of weight 0 are alike": (
        [Target("a", 1, 0, 0), Target("b", 1, 0, 0)], [("a", 1, 0, 1), ("b", 1, 0, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDPOINTS)
def test_endpoints(case: str) -> None:
    targets, expected = ENDPOINTS[case]
    made = endpoints(targets, PORT)
    assert [(each.address, each.port, each.tier, each.weight) for each in made] == expected
    assert all(each.ready and each.serving and not each.terminating for each in made)


def test_without_a_number_the_target_port_is_the_port() -> None:
    assert endpoints([A], ServicePort(port=80, target_port="http"))[0].port == 80
    assert endpoints([A], ServicePort(port=80))[0].port == 80
