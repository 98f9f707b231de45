"""Maglev hashing: a table of fixed prime size, filled by candidates in turn, each in an order of its own.

Shares are even to within a slot for each turn, more so than on a ring, and a pick is one look into the table; a
change moves a few more keys than its own (Eisenbud et al., "Maglev", NSDI 2016, section 3.4).  Weights decide
how many of the turns a candidate takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import Generic

from mesh.balancing.base import CandidateT, Surroundings
from mesh.balancing.hashing import Bound, hashed, name_of
from mesh.balancing.round_robin import RoundRobin


class Maglev(Generic[CandidateT]):
    __slots__ = ("_bound", "_candidates", "_size", "_table", "_turns", "_weights")

    def __init__(self, size: int, bound: int, surroundings: Surroundings) -> None:
        self._size = size
        self._bound: Bound[CandidateT] = Bound(bound, surroundings.in_flight)
        self._turns: RoundRobin[CandidateT] = RoundRobin()
        """For requests without a key."""
        self._candidates: tuple[CandidateT, ...] = ()
        self._weights: tuple[int, ...] = ()
        self._table: list[CandidateT] = []

    def use(self, candidates: Sequence[CandidateT]) -> None:
        self._turns.use(candidates)
        self._bound.use(candidates)
        # Every node must come to the same table, in whatever order it learned of the candidates.
        ordered = tuple(sorted(candidates, key=name_of))
        weights = tuple(candidate.weight for candidate in ordered)
        if (ordered, weights) != (self._candidates, self._weights):
            self._candidates, self._weights = ordered, weights
            names = [name_of(candidate) for candidate in ordered]
            self._table = [ordered[index] for index in table(names, weights, self._size)]

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        return self._turns.pick(tried)

    def peek(self, key: bytes = b"") -> CandidateT | None:
        return self.pick_for(key) if key else self._turns.peek()

    def pick_for(self, key: bytes, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        if not key or not self._table:
            return self._turns.pick(tried)
        place = hashed(key) % self._size
        if not tried and not self._bound.percent:
            return self._table[place]
        return self._bound.first(self._from(place), tried)

    def _from(self, place: int) -> Iterator[CandidateT]:
        yield from self._table[place:]
        yield from self._table[:place]


def table(names: Sequence[bytes], weights: Sequence[int], size: int) -> list[int]:
    """For each of `size` slots the index of the name that has it; empty without names."""
    if not names:
        return []
    if not any(weights):
        weights = [1] * len(names)
    heaviest = max(weights)
    owners, taken = [0] * size, bytearray(size)
    slots, skips = zip(*(_order(name, size) for name in names), strict=True)
    slot_of, credit = list(slots), [0] * len(names)
    left = size
    while True:
        for index, weight in enumerate(weights):
            credit[index] += weight
            if credit[index] < heaviest:
                continue
            credit[index] -= heaviest
            slot, skip = slot_of[index], skips[index]
            while taken[slot]:
                slot += skip
                if slot >= size:
                    slot -= size
            slot_of[index] = slot
            owners[slot] = index
            taken[slot] = 1
            left -= 1
            if not left:
                return owners


def _order(name: bytes, size: int) -> tuple[int, int]:
    """The slot that `name` wants first, and how far apart those are that it wants one after the other."""
    digest = blake2b(name, digest_size=16).digest()
    return int.from_bytes(digest[:8], "big") % size, int.from_bytes(digest[8:], "big") % (size - 1) + 1
