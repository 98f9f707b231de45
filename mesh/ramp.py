"""How fast what waited is let go to replicas that have only just started: slow start, as TCP has it (RFC 5681).

An endpoint is given few requests at first, and one more at a time for every answer that came back, so that their number
doubles with each round of answers.  Where answers take long it doubles with time.
"""

from __future__ import annotations

FIRST = 4
"""In flight at an endpoint that has not answered anything yet."""
DOUBLING = 1.0
"""Seconds in which the number doubles though nothing is answered."""
FULL = 256
"""So many in flight are no longer few: the endpoint is as good as any other."""
UNBOUNDED = float("inf")


def window(age: float, answers: float) -> float:
    """How many may be in flight at an endpoint that began `age` seconds ago and has given so many `answers`."""
    wide = FIRST * 2 ** min(age / DOUBLING, 16.0) + answers
    return int(wide) if wide < FULL else UNBOUNDED
