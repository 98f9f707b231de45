from __future__ import annotations

import asyncio

import pytest

from discovery.acknowledgement import Acknowledgements

pytestmark = pytest.mark.both_loops


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_without_consumers_there_is_nobody_to_wait_for() -> None:
    assert await Acknowledgements().reached(7, soon()) == frozenset()


async def test_all_must_have_reached_the_generation() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.put("a", 1)
    acknowledgements.put("b", 1)
    waiting = [asyncio.create_task(acknowledgements.reached(generation, soon())) for generation in (2, 3)]
    acknowledgements.put("a", 3)
    await asyncio.sleep(0)
    assert acknowledgements.behind(2) == {"b"}
    assert not waiting[0].done()
    acknowledgements.put("b", 2)
    assert await waiting[0] == frozenset()
    assert not waiting[1].done()
    acknowledgements.put("b", 4)
    assert await waiting[1] == frozenset()


async def test_the_deadline_names_those_that_have_not() -> None:
    acknowledgements = Acknowledgements()
    for name, generation in (("a", 2), ("b", 1), ("c", 0)):
        acknowledgements.put(name, generation)
    assert await acknowledgements.reached(2, soon(0.02)) == {"b", "c"}
    assert await acknowledgements.reached(2, soon(-1)) == {"b", "c"}


async def test_a_late_word_changes_nothing() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.put("a", 5)
    acknowledgements.put("a", 3)
    assert acknowledgements.behind(5) == frozenset()


async def test_who_is_gone_is_not_waited_for() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.put("a", 1)
    waiting = asyncio.create_task(acknowledgements.reached(2, soon()))
    await asyncio.sleep(0)
    acknowledgements.forget("a")
    acknowledgements.forget("never")
    assert await waiting == frozenset()


async def test_one_that_stops_waiting_leaves_the_others() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.put("a", 1)
    one, two = (asyncio.create_task(acknowledgements.reached(2, soon())) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    acknowledgements.put("a", 2)
    assert await two == frozenset()
    assert one.cancelled()
