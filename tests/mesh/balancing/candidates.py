"""Candidates for the tests of balancers, and how what they were given is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from mesh.balancing.base import Surroundings


class One:
    """A candidate of its own name, weight and load."""

    def __init__(self, number: int, weight: int = 1) -> None:
        self.host = f"10.0.{number >> 8}.{number & 255}"
        self.port = 8080
        self.weight = weight
        self.in_flight = 0
        self.number = number

    def __repr__(self) -> str:
        return f"<{self.number}>"


def ones(count: int, weights: tuple[int, ...] = (1,)) -> list[One]:
    return [One(number, weights[number % len(weights)]) for number in range(count)]


class World:
    """A clock that stands until moved, chance with a seed, and what is in flight at all candidates."""

    def __init__(self, candidates: list[One] | None = None, seed: int = 1) -> None:
        self.now = 100.0
        self.candidates = candidates or []
        self.around = Surroundings(Random(seed).random, lambda: self.now, self._in_flight)

    def _in_flight(self) -> int:
        return sum(candidate.in_flight for candidate in self.candidates)


def tally(pick: Callable[[], One | None], times: int) -> Counter[int]:
    """How often each candidate was picked."""
    counts: Counter[int] = Counter()
    for _ in range(times):
        picked = pick()
        assert picked is not None
        counts[picked.number] += 1
    return counts


def chi_squared(counts: Counter[int], candidates: list[One]) -> float:
    """How far counts are from the weights' shares; the mean is one less than the number of candidates."""
    total, weight = sum(counts.values()), sum(candidate.weight for candidate in candidates)
    expected = {candidate.number: total * candidate.weight / weight for candidate in candidates if candidate.weight}
    assert counts.keys() <= expected.keys()
    return sum((counts[number] - share) ** 2 / share for number, share in expected.items())
