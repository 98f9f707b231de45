"""Split: several destinations share the requests by weight, each request decided by chance alone.

Turns would be more even, but a page whose every second request is of one kind would send all of that kind one way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Split(Generic[T]):
    __slots__ = ("_bounds", "_places", "_total")

    def __init__(self, shares: Sequence[tuple[T, int]]) -> None:
        """Destinations with their weights, of which at least one is above 0."""
        counted = [(place, weight) for place, weight in shares if weight > 0]
        self._places = tuple(place for place, _ in counted)
        self._bounds = tuple(accumulate(weight for _, weight in counted))
        self._total = self._bounds[-1]

    def choose(self, chance: float) -> T:
        """`chance` is from 0 to below 1."""
        # Rounding could make a chance of almost 1 the total itself.
        return self._places[min(bisect_right(self._bounds, chance * self._total), len(self._places) - 1)]
