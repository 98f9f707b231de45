"""Passive health: an endpoint that fails in this proxy's own traffic is left out for a while.

Three things eject: connects in a row that were refused or timed out, 5xx in a row (a connect that succeeds does
not end that streak, a good answer does), and a share of good answers far below everybody's.  The first time lasts
a second, doubling to thirty while it goes on; what ends it is a success of the kind that was missed.  What is
concluded here is this proxy's word alone, so at most half are out at a time, and never the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

from config.balancing import EjectionPolicy, SuccessRatePolicy

Cause = Literal["connects", "answers", "rate"]


class Suspect(Protocol):
    connect_failures: int
    """Connects in a row that failed."""
    server_errors: int
    """Answers in a row that were 5xx, or that broke off."""
    failures: int
    """Times ejected in a row."""
    ejections: int
    """Times ejected, ever."""
    cause: Cause
    """Of the last ejection."""
    set_aside_until: float


SuspectT = TypeVar("SuspectT", bound=Suspect)


def pause(failures: int, policy: EjectionPolicy) -> float:
    """Seconds out after the `failures`-th time in a row; `failures` is at least 1."""
    return min(policy.first * 2.0 ** min(failures - 1, 20), policy.longest)


def most(ready: int, percent: int) -> int:
    """How many of `ready` endpoints may be out at a time: at least one whatever `percent` says, never the last."""
    return min(max(ready * percent // 100, 1), ready - 1)


def set_aside(suspect: Suspect, cause: Cause, now: float, policy: EjectionPolicy) -> None:
    """Count one more time; to be called only for an endpoint that may be picked.

    What was under way when it was set aside fails too, and says nothing new.
    """
    suspect.failures += 1
    suspect.ejections += 1
    suspect.cause = cause
    suspect.server_errors = 0
    suspect.set_aside_until = now + pause(suspect.failures, policy)


def readmit(suspect: Suspect) -> None:
    """It may be picked again; a streak of bad answers goes on."""
    suspect.connect_failures = suspect.failures = 0
    suspect.set_aside_until = 0.0


def forgive(suspect: Suspect) -> None:
    """It is as good as new."""
    readmit(suspect)
    suspect.server_errors = 0


def connect_failed(suspect: Suspect, policy: EjectionPolicy) -> bool:
    """Count a connect that failed; whether that is one too many."""
    suspect.connect_failures += 1
    return 0 < policy.connect_failures <= suspect.connect_failures


def answered_well(suspect: Suspect, now: float) -> bool:
    """Count a good answer: it ends a streak of bad ones, and what was concluded of them; whether that is all over."""
    suspect.server_errors = 0
    if suspect.failures and suspect.cause == "answers":
        if suspect.set_aside_until > now:
            return False
        suspect.failures = 0
    return True


def answered_badly(suspect: Suspect, policy: EjectionPolicy) -> bool:
    """Count a bad answer; whether it is one too many."""
    suspect.server_errors += 1
    return 0 < policy.server_errors <= suspect.server_errors


class Tally(NamedTuple):
    """Answers of one endpoint in one interval."""

    total: int
    good: int


def outliers(tallies: Sequence[tuple[SuspectT, Tally]], policy: SuccessRatePolicy) -> list[SuspectT]:
    """Those whose share of good answers is too far below the mean, the worst first."""
    # Its exact arithmetic is half a megabyte, which few need.
    from statistics import fmean, pstdev

    rates = [(tally.good / tally.total, suspect) for suspect, tally in tallies if tally.total >= policy.least_requests]
    if len(rates) < policy.least_endpoints:
        return []
    shares = [rate for rate, _ in rates]
    limit = fmean(shares) - policy.deviations * pstdev(shares)
    return [suspect for rate, suspect in sorted(rates, key=lambda pair: pair[0]) if rate < limit]
