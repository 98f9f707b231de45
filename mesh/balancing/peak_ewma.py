"""Peak EWMA: of a few candidates drawn by lot, the one expected to answer first.

What an endpoint costs is its moving average of response times, multiplied by the requests it would then have
in flight.  The average jumps up at once to a slow answer and comes down exponentially with time, so that an
endpoint that stalls is left alone after one answer, and is tried again when that is forgotten (the balancer of
Finagle, "p2c peak EWMA").  An endpoint that nothing is known of is tried by one request; while that one runs,
it counts as slow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import exp
from typing import Generic

from mesh.balancing.base import CandidateT, Surroundings
from mesh.balancing.draw import Draw

UNKNOWN = 1.0
"""Seconds that an endpoint is taken to need which has not answered yet, and has been asked."""


class PeakEWMA(Generic[CandidateT]):
    """`decay` is the time constant in seconds: after it, 37 % of a slow answer is left."""

    __slots__ = ("_choices", "_clock", "_decay", "_draw", "_known")

    def __init__(self, choices: int, decay: float, surroundings: Surroundings) -> None:
        self._choices = choices
        self._decay = decay
        self._clock: Callable[[], float] = surroundings.clock
        self._draw: Draw[CandidateT] = Draw(surroundings.random)
        self._known: dict[CandidateT, tuple[float, float]] = {}
        """The average in seconds, and when it was computed."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._draw.use(candidates)
        staying = set(candidates)
        self._known = {candidate: known for candidate, known in self._known.items() if candidate in staying}

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        now = self._clock()
        best: CandidateT | None = None
        least = 0.0
        for candidate in self._draw.several(self._choices, tried):
            cost = self._cost(candidate, now)
            if best is None or cost < least:
                best, least = candidate, cost
        return best

    def observe(self, candidate: CandidateT, seconds: float) -> None:
        now = self._clock()
        known = self._known.get(candidate)
        if known is None or seconds >= known[0]:
            self._known[candidate] = (seconds, now)
            return
        average, at = known
        kept = exp((at - now) / self._decay)
        self._known[candidate] = (average * kept + seconds * (1 - kept), now)

    def _cost(self, candidate: CandidateT, now: float) -> float:
        known = self._known.get(candidate)
        if known is None:
            average = UNKNOWN if candidate.in_flight else 0.0
        else:
            average = known[0] * exp((known[1] - now) / self._decay)
        return average * (candidate.in_flight + 1) / max(candidate.weight, 1)
