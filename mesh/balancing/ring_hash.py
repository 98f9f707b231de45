"""Ring hash: candidates have points on a ring by their own name, and a key belongs to the next point (Karger).

A candidate that comes or goes moves only the keys of its own points.  That holds because a candidate's points
depend on nothing but its name and its weight beside the heaviest.  The more points, the more even the shares:
with 100 each, they differ by some 10 %.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from struct import unpack
from typing import Generic

from mesh.balancing.base import CandidateT, Surroundings
from mesh.balancing.hashing import Bound, hashed, name_of
from mesh.balancing.round_robin import RoundRobin

MOST_POINTS = 16_384
"""Of a ring, which takes some milliseconds to make; with more candidates each has fewer."""
_AT_ONCE = 8
"""Points that one hash gives."""


class RingHash(Generic[CandidateT]):
    __slots__ = ("_bound", "_hashes", "_most", "_owners", "_points", "_turns", "_weights")

    def __init__(self, points: int, bound: int, surroundings: Surroundings) -> None:
        self._most = points
        self._bound: Bound[CandidateT] = Bound(bound, surroundings.in_flight)
        self._turns: RoundRobin[CandidateT] = RoundRobin()
        """For requests without a key."""
        self._points: dict[CandidateT, tuple[int, ...]] = {}
        self._weights: dict[CandidateT, int] = {}
        """What the ring was made of."""
        self._hashes: list[int] = []
        self._owners: list[CandidateT] = []
        """Beside `_hashes`, one for one."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._turns.use(candidates)
        self._bound.use(candidates)
        weights = {candidate: candidate.weight for candidate in candidates}
        if weights == self._weights:
            return
        self._weights = weights
        most = min(self._most, MOST_POINTS // max(len(candidates), 1)) or 1
        heaviest = max((candidate.weight for candidate in candidates), default=0) or 1
        before, self._points = self._points, {}
        for candidate in candidates:
            wanted = max(round(most * candidate.weight / heaviest), 1)
            known = before.get(candidate, ())
            self._points[candidate] = known[:wanted] if len(known) >= wanted else points(name_of(candidate), wanted)
        ring = {point: candidate for candidate, some in self._points.items() for point in some}
        self._hashes = sorted(ring)
        self._owners = [ring[point] for point in self._hashes]

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        return self._turns.pick(tried)

    def peek(self, key: bytes = b"") -> CandidateT | None:
        return self.pick_for(key) if key else self._turns.peek()

    def pick_for(self, key: bytes, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        if not key or not self._owners:
            return self._turns.pick(tried)
        place = bisect_right(self._hashes, hashed(key)) % len(self._owners)
        if not tried and not self._bound.percent:
            return self._owners[place]
        return self._bound.first(self._from(place), tried)

    def _from(self, place: int) -> Iterator[CandidateT]:
        yield from self._owners[place:]
        yield from self._owners[:place]


def points(name: bytes, count: int) -> tuple[int, ...]:
    """The first `count` points of a candidate."""
    found: list[int] = []
    for turn in range(-(-count // _AT_ONCE)):
        found += unpack(">8Q", blake2b(name, salt=turn.to_bytes(16, "big")).digest())
    return tuple(found[:count])
