"""Round robin, exact: between changes of the set no two counts of equal candidates differ by more than one.

The sequence (the candidates themselves, or the smooth weighted sequence) is made when the set changes and
walked from pick to pick, whoever asks.  A change does not restart it: who was next stays next, so candidates
that stay keep the bound across changes, and frequent changes starve nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic

from mesh.balancing.base import CandidateT
from mesh.balancing.smooth import smooth_sequence


class RoundRobin(Generic[CandidateT]):
    """Balances in turn, by weight where weights differ."""

    __slots__ = ("_candidates", "_early", "_length", "_position", "_sequence", "_weights")

    def __init__(self) -> None:
        self._sequence: tuple[CandidateT, ...] = ()
        self._length = 0
        self._position = 0
        self._candidates: tuple[CandidateT, ...] = ()
        self._weights: tuple[int, ...] = ()
        self._early: set[CandidateT] = set()
        """Picked before their turn, in place of one that a retry could not use; their next turn is passed over."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        """Walk `candidates` from now on; costs time in proportion to their number."""
        chosen = tuple(candidates)
        weights = tuple([candidate.weight for candidate in chosen])
        if chosen == self._candidates and weights == self._weights:
            return
        equal = len(set(weights)) <= 1
        sequence = chosen if equal else tuple([chosen[index] for index in smooth_sequence(weights)])
        plain = equal and self._sequence is self._candidates
        self._position = self._next_in(sequence) if plain else self._phase_in(sequence)
        self._candidates, self._weights = chosen, weights
        self._sequence, self._length = sequence, len(sequence)
        self._early.intersection_update(chosen)

    def _next_in(self, sequence: tuple[CandidateT, ...]) -> int:
        """Where the first that was to come, and still is there, stands in `sequence`."""
        still = set(sequence)
        for step in range(self._length):
            candidate = self._sequence[(self._position + step) % self._length]
            if candidate in still:
                return sequence.index(candidate)
        return 0

    def _phase_in(self, sequence: tuple[CandidateT, ...]) -> int:
        """The same share of the way round; rounded up, so that it never falls back."""
        if not self._length or not sequence:
            return 0
        return -(-self._position * len(sequence) // self._length) % len(sequence)

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        position = self._position
        if position >= self._length:
            if not self._length:
                return None
            position = 0
        candidate = self._sequence[position]
        if tried or self._early:
            return self._pick_among(tried)
        self._position = position + 1
        return candidate

    def _pick_among(self, tried: Collection[CandidateT]) -> CandidateT:
        """Pass over turns taken early; take one early instead of one that was tried."""
        candidate = self._due()
        if candidate not in tried:
            self._position += 1
            return candidate
        fallback = None
        for step in range(1, self._length):
            other = self._sequence[(self._position + step) % self._length]
            if other in tried:
                continue
            if other not in self._early:
                self._early.add(other)
                return other
            fallback = fallback or other
        if fallback:  # all others are ahead already: what is tried loses its turn
            self._early.clear()
        self._position += 1
        return fallback or candidate

    def _due(self) -> CandidateT:
        """Whose turn it is; leaves the position there."""
        while True:
            self._position %= self._length
            candidate = self._sequence[self._position]
            if candidate not in self._early:
                return candidate
            self._early.discard(candidate)
            self._position += 1
