"""Round robin, exact: between changes of the set no two counts of equal candidates differ by more than one.

The sequence (the candidates themselves, or the smooth weighted sequence) is made when the set changes, and
walked lap by lap, whoever asks.  A change does not restart it but turns the circle: those who were still to
come in the lap come first, then those who are new, then those who had their turn.  So candidates that stay
keep the bound across changes, and frequent changes starve nobody.  A retry that cannot use the next candidate
takes a later one out of the lap, and the next one stays next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import filterfalse
from operator import attrgetter
from typing import Generic

from mesh.balancing.base import CandidateT
from mesh.balancing.smooth import smooth_sequence

_weight = attrgetter("weight")


class RoundRobin(Generic[CandidateT]):
    """Balances in turn, by weight where weights differ."""

    __slots__ = ("_candidates", "_sequence", "_turns", "_weights")

    def __init__(self) -> None:
        self._candidates: tuple[CandidateT, ...] = ()
        self._weights: tuple[int, ...] = ()
        self._sequence: tuple[CandidateT, ...] = ()
        """One lap."""
        self._turns: Iterator[CandidateT] = iter(())
        """What is left of this lap.  An iterator is cheaper than an index to load, compare and store."""

    def use(self, candidates: Sequence[CandidateT]) -> None:
        """Walk `candidates` from now on; costs time in proportion to their number."""
        chosen = tuple(candidates)
        weights = tuple(map(_weight, chosen))
        if chosen == self._candidates and weights == self._weights:
            return
        left = tuple(self._turns)
        if not weights or weights.count(weights[0]) == len(weights):
            sequence, start = _rotated(left, self._sequence, chosen), 0
        else:
            sequence = tuple([chosen[index] for index in smooth_sequence(weights)])
            start = _same_phase(len(left), len(self._sequence), len(sequence))
        self._candidates, self._weights = chosen, weights
        self._sequence = sequence
        self._turns = iter(self._sequence[start:])

    def pick(self, tried: Collection[CandidateT] = ()) -> CandidateT | None:
        """The next one, none of `tried` if there is another; None: there are no candidates."""
        if tried:
            return self._pick_untried(tried)
        for candidate in self._turns:
            return candidate
        self._turns = iter(self._sequence)
        return next(self._turns, None)

    def peek(self, key: bytes = b"") -> CandidateT | None:
        left = list(self._turns)
        self._turns = iter(left)
        return next(iter(left or self._sequence), None)

    def _pick_untried(self, tried: Collection[CandidateT]) -> CandidateT | None:
        left = list(self._turns)
        if all(candidate in tried for candidate in left):
            # Who was tried keeps its turn, but once: owed more, it would be flooded when it is well again.
            left = [*dict.fromkeys(left), *self._sequence]
        place = next((place for place, candidate in enumerate(left) if candidate not in tried), 0)
        candidate = left.pop(place) if left else None
        self._turns = iter(left)
        return candidate


def _rotated(
    left: tuple[CandidateT, ...], before: tuple[CandidateT, ...], now: tuple[CandidateT, ...]
) -> tuple[CandidateT, ...]:
    """`now` as a circle that goes on where the old one was: those left of the lap, new ones, those who had theirs."""
    staying, known = set(now), set(before)
    new = [] if staying <= known else [candidate for candidate in now if candidate not in known]
    circle = dict.fromkeys((*left, *new, *before))
    gone = known - staying
    return tuple(filterfalse(gone.__contains__, circle) if gone else circle)


def _same_phase(left: int, before: int, now: int) -> int:
    """The position that is as far round the new lap as the old one was; rounded up, so it never falls back."""
    done = max(before - left, 0)
    return -(-done * now // before) % now if before and now else 0
