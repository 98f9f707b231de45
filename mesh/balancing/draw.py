"""Drawing candidates by lot, each as likely as its weight says; what balancers of chance have in common.

One lot costs a random number, with unequal weights also a binary search in their running sums.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Generic

from mesh.balancing.base import CandidateT

_PATIENCE = 4
"""Lots per candidate wanted, when weights are so unequal that the same one is drawn again and again."""


class Draw(Generic[CandidateT]):
    __slots__ = ("_random", "_sums", "candidates")

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self.candidates: tuple[CandidateT, ...] = ()
        self._sums: list[int] | None = None
        """Running sums of the weights; None: all are equal."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self.candidates = tuple(candidates)
        weights = [candidate.weight for candidate in self.candidates]
        equal = not weights or weights.count(weights[0]) == len(weights)
        self._sums = None if equal else list(accumulate(weights))

    def one(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        """One of the candidates, none of `tried` if there is another."""
        if tried:
            return self._untried(tried).one()
        return self._one() if self.candidates else None

    def several(self, count: int, tried: Collection[CandidateT] = ()) -> Sequence[CandidateT]:
        """Up to `count` different candidates, none of `tried` if there is another; the first is as `one` draws it."""
        if tried:
            return self._untried(tried).several(count)
        if len(self.candidates) <= 1:
            return self.candidates
        first, second = self._one(), self._one()
        if count == 2 and second is not first:  # nearly always
            return first, second
        return self._more(count, first, second)

    def _more(self, count: int, first: CandidateT, second: CandidateT) -> Sequence[CandidateT]:
        drawn = {first: None, second: None}
        for _ in range(_PATIENCE * count):
            if len(drawn) >= count:
                break
            drawn[self._one()] = None
        return tuple(drawn)

    def _one(self) -> CandidateT:
        if self._sums is None:
            return self.candidates[int(self._random() * len(self.candidates))]
        return self.candidates[bisect_right(self._sums, self._random() * self._sums[-1])]

    def _untried(self, tried: Collection[CandidateT]) -> Draw[CandidateT]:
        draw: Draw[CandidateT] = Draw(self._random)
        draw.use([candidate for candidate in self.candidates if candidate not in tried] or self.candidates)
        return draw
