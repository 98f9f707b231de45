"""The smooth weighted sequence: each candidate as often as its weight says, as evenly spread as can be.

Weights 5, 1, 1 give ``a a b a c a a``.  In each step every candidate gains its weight, the richest (the first
of equals) is taken and pays the sum of all weights; after as many steps as that sum the circle closes, so it
is computed once and then walked.  Candidates of one weight are taken in turn, so a step costs the number of
*different* weights, not of candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

LONGEST = 10_000
"""Slots of a sequence; heavier sums are scaled down to it."""
MOST_WORK = 50_000
"""Slots times different weights: some 3 ms of computing."""


def smooth_sequence(weights: Sequence[int]) -> list[int]:
    """Indices into `weights`, each as often as its reduced weight says; empty when no weight is above 0."""
    reduced = reduce_weights(weights)
    lanes: dict[int, list[int]] = {}
    for index, weight in enumerate(reduced):
        if weight:
            lanes.setdefault(weight, []).append(index)
    return _walk([_Lane(weight, members) for weight, members in lanes.items()], sum(reduced))


def reduce_weights(weights: Sequence[int]) -> list[int]:
    """The same proportions in small numbers; rounded where the sequence would be too long otherwise."""
    divisor = gcd(*weights) or 1
    reduced = [weight // divisor for weight in weights]
    total = sum(reduced)
    longest = min(total, LONGEST)
    while longest > len(reduced):
        scaled = [max(1, weight * longest // total) if weight else 0 for weight in reduced]
        if sum(scaled) * len(set(scaled)) <= MOST_WORK:
            return scaled
        longest //= 2
    return [min(weight, 1) for weight in reduced]


class _Lane:
    """Candidates of one weight; they take turns, so only the one whose turn it is can be the richest."""

    __slots__ = ("credit", "members", "turn", "weight")

    def __init__(self, weight: int, members: list[int]) -> None:
        self.weight = weight
        self.members = members
        self.turn = 0
        self.credit = 0
        """Of the member whose turn it is, less what all members gained since the start."""


def _walk(lanes: list[_Lane], total: int) -> list[int]:
    sequence = []
    for step in range(1, total + 1):
        best = lanes[0]
        best_credit = best.credit + best.weight * step
        for lane in lanes:
            credit = lane.credit + lane.weight * step
            if credit > best_credit or (credit == best_credit and lane.members[lane.turn] < best.members[best.turn]):
                best, best_credit = lane, credit
        sequence.append(best.members[best.turn])
        best.turn += 1
        if best.turn == len(best.members):  # all have paid once
            best.turn = 0
            best.credit -= total
    return sequence
