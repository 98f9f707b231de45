"""Passive health: an endpoint that refuses a connect, or lets it time out, is set aside for a while.

The first time for one second, doubling to thirty while it goes on; a connect that succeeds ends the streak.
What is concluded here is this proxy's word alone, so it never takes the last endpoint away.
"""

from __future__ import annotations

from typing import Protocol

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Suspect(Protocol):
    failures: int
    """Times set aside in a row."""
    ejections: int
    """Times set aside, ever."""
    set_aside_until: float


def pause(failures: int) -> float:
    """Seconds aside after the `failures`-th time in a row; `failures` is at least 1."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)


def set_aside(suspect: Suspect, now: float) -> None:
    """Count one more failure; to be called only for an endpoint that may be picked.

    Connects that were under way when it was set aside fail too, and say nothing new.
    """
    suspect.failures += 1
    suspect.ejections += 1
    suspect.set_aside_until = now + pause(suspect.failures)


def forgive(suspect: Suspect) -> None:
    """A connect succeeded."""
    suspect.failures = 0
    suspect.set_aside_until = 0.0
