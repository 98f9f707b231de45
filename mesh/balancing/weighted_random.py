"""Random: each request by lot, by weight.  Nothing is kept between requests, so nothing can fall into step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic

from mesh.balancing.base import CandidateT, Surroundings
from mesh.balancing.draw import Draw


class WeightedRandom(Generic[CandidateT]):
    __slots__ = ("_draw",)

    def __init__(self, surroundings: Surroundings) -> None:
        self._draw: Draw[CandidateT] = Draw(surroundings.random)

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._draw.use(candidates)

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        return self._draw.one(tried)
