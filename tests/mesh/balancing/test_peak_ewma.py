"""Peak EWMA: the slow get less, at once; what was slow is forgiven with time; who is new is tried by one."""

from __future__ import annotations

from collections import Counter
from heapq import heappop, heappush

import pytest

from mesh.balancing.peak_ewma import PeakEWMA
from tests.mesh.balancing.candidates import One, World, ones, tally


def balancer(world: World, decay: float = 10.0) -> PeakEWMA[One]:
    made: PeakEWMA[One] = PeakEWMA(2, decay, world.around)
    made.use(world.candidates)
    return made


def test_a_slow_one_gets_what_it_can_carry() -> None:
    """A simulation: 1,000 requests a second for 4 s; two answer in 10 ms, one in 100 ms."""
    world = World(ones(3))
    made, took = balancer(world), (0.01, 0.01, 0.1)
    counts: Counter[int] = Counter()
    running: list[tuple[float, int, float]] = []
    for number in range(4000):
        world.now = 100 + number / 1000
        while running and running[0][0] <= world.now:
            _, who, began = heappop(running)
            world.candidates[who].in_flight -= 1
            made.observe(world.candidates[who], world.now - began)
        picked = made.pick()
        assert picked is not None
        picked.in_flight += 1
        counts[picked.number] += 1
        heappush(running, (world.now + took[picked.number], picked.number, world.now))
    assert counts[2] < 4000 / 3 / 3
    assert abs(counts[0] - counts[1]) < 400


def test_one_slow_answer_counts_at_once_and_is_forgotten_in_time() -> None:
    world = World(ones(2))
    made = balancer(world, decay=5)
    for candidate in world.candidates:
        made.observe(candidate, 0.01)
    made.observe(world.candidates[0], 2.0)
    assert tally(made.pick, 100)[0] < 5, "drawn twice over now and then, else the other"
    world.now += 60
    made.observe(world.candidates[1], 0.01)
    assert tally(made.pick, 100)[0] > 90


def test_the_average_comes_down_with_time_not_with_answers() -> None:
    world = World(ones(2))
    made = balancer(world, decay=5)
    made.observe(world.candidates[1], 1.0)
    made.observe(world.candidates[0], 2.0)
    for _ in range(100):
        made.observe(world.candidates[0], 0.001)
    assert tally(made.pick, 100)[0] < 5


def test_who_is_new_is_tried_by_one_request() -> None:
    world = World(ones(2))
    made = balancer(world)
    made.observe(world.candidates[0], 0.05)
    world.candidates[1].in_flight = 0
    assert tally(made.pick, 40)[1] > 30
    world.candidates[1].in_flight = 1
    assert tally(made.pick, 40)[1] < 5


def test_weights_divide_what_it_costs() -> None:
    world = World([One(0, weight=1), One(1, weight=3)])
    made = balancer(world)
    for candidate in world.candidates:
        made.observe(candidate, 0.01)
    assert tally(made.pick, 200)[1] > 140


@pytest.mark.parametrize("count", [0, 1])
def test_few(count: int) -> None:
    world = World(ones(count))
    assert balancer(world).pick() is (world.candidates[0] if count else None)
