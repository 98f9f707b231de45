"""Least request: of a few candidates drawn by lot, the one with the least in flight for its weight.

Two choices are nearly as good as looking at all (Mitzenmacher, "The power of two choices in randomized load
balancing"), cost the same whatever the number of endpoints, and do not send everybody to the one endpoint
that happens to be idle.  Lots are drawn by weight and the first wins ties, so without load the shares are
exactly the weights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic

from mesh.balancing.base import CandidateT, Surroundings
from mesh.balancing.draw import Draw


class LeastRequest(Generic[CandidateT]):
    __slots__ = ("_choices", "_draw")

    def __init__(self, choices: int, surroundings: Surroundings) -> None:
        self._choices = choices
        self._draw: Draw[CandidateT] = Draw(surroundings.random)

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._draw.use(candidates)

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        best: CandidateT | None = None
        for candidate in self._draw.several(self._choices, tried):
            # A cross-multiplied comparison of in_flight / weight, which is also right for a weight of 0.
            if best is None or candidate.in_flight * best.weight < best.in_flight * candidate.weight:
                best = candidate
        return best
