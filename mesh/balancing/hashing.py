"""What balancers by key have in common: hashes that are the same everywhere, and consistent hashing with bounded loads.

BLAKE2b gives the same number on every node, in every worker and after every restart, which Python's own hash
does not; and no client can choose keys that all fall on one endpoint by looking for collisions of a weak sum.
The bound is Mirrokni, Thorup and Zadimoghaddam's: nobody takes more than so many percent of its share of what
is in flight; what is beyond goes to who comes next for that key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Generic

from mesh.balancing.base import Candidate, CandidateT

BITS = 64


def hashed(key: bytes) -> int:
    """An integer of 64 bits."""
    return int.from_bytes(blake2b(key, digest_size=BITS // 8).digest(), "big")


def name_of(candidate: Candidate) -> bytes:
    """What a candidate is called, on every node and after every restart."""
    return f"{candidate.host} {candidate.port}".encode()


class Bound(Generic[CandidateT]):
    """`percent` of its share that a candidate may take of what is in flight; 0: as much as comes."""

    __slots__ = ("_in_flight", "_weighed", "_whole", "percent")

    def __init__(self, percent: int, in_flight: Callable[[], int]) -> None:
        self.percent = percent
        self._in_flight = in_flight
        self._whole = 1
        """What all that is allowed is shared by, in percent: it is compared in whole numbers, since a share that is
        off by the last bit is one more once it is rounded up."""
        self._weighed = True

    def use(self, candidates: Sequence[CandidateT]) -> None:
        total = sum(candidate.weight for candidate in candidates)
        self._weighed = total > 0
        self._whole = 100 * (total or len(candidates) or 1)

    def first(self, walk: Iterable[CandidateT], tried: Collection[CandidateT]) -> CandidateT | None:
        """The first of `walk` that has room and was not `tried`; else the first not tried; else the first."""
        load = (self._in_flight() + 1) * self.percent
        untried: CandidateT | None = None
        anyone: CandidateT | None = None
        for candidate in walk:
            anyone = anyone or candidate
            if candidate in tried:
                continue
            # Its capacity is rounded up, so in all there is always room for one more.
            room = load * (candidate.weight if self._weighed else 1)
            if not self.percent or candidate.in_flight * self._whole < room:
                return candidate
            untried = untried or candidate
        return untried or anyone
