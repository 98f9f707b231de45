"""Health of one container: Kubernetes' probe semantics as a pure state machine (core/v1 Probe).

Each probe rises after `successThreshold` successes in a row and falls after `failureThreshold` failures in
a row.  Readiness starts fallen, liveness starts risen.  A container with a startup probe is STARTING: its
other probes wait.  It turns STARTED at the startup probe's success, or FAILED when that probe falls; liveness
falling makes it FAILED too.  FAILED is final: the platform restarts the container, which is a new Health.

Until its first success a startup or readiness probe runs every 100 ms, so that what is up is used at once.
These quick attempts must not eat up the thresholds: of the failures before the first success only one per
period counts, as if the probe had run once per period.

A container without a readiness probe counts as ready from the first time that its ports accept; nothing is
asked after that.  Time is a parameter throughout: seconds of any clock that never goes back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from config.resources.workloads import Probe

QUICK_INTERVAL = 0.1
"""Seconds between two attempts of a startup or readiness probe that has never succeeded."""


class Kind(StrEnum):
    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


class Outcome(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    """The probe itself could not be run: counts as neither."""


class Phase(StrEnum):
    STARTING = "starting"
    STARTED = "started"
    FAILED = "failed"


class Finding(NamedTuple):
    """What one run of a probe found."""

    outcome: Outcome
    reason: str = ""
    """For people: ``connection refused``, ``HTTP 503``, ``timeout after 1 s``."""


class Verdict(msgspec.Struct, frozen=True):
    """What is held of a container now; `alive` False: startup or liveness failed for good, restart it."""

    ready: bool
    alive: bool
    reason: str
    """Why it is not ready or not alive; empty when it is both."""


class IllegalEvent(Exception):
    """A finding of a probe that is not to be run in this phase: a fault of the caller."""


class Streak:
    """Rise and fall of one probe: what it last said, how often in a row, and what follows from that."""

    __slots__ = ("counted", "length", "outcome", "passing", "probe", "reason", "succeeded")

    def __init__(self, probe: Probe, passing: bool | None) -> None:
        self.probe = probe
        self.passing = passing
        """None: neither threshold has been reached yet."""
        self.outcome = Outcome.UNKNOWN
        self.length = 0
        self.succeeded = False
        self.counted: float | None = None
        """When the last failure before the first success counted."""
        self.reason = ""

    def observe(self, finding: Finding, now: float, quick: bool) -> None:
        self.reason = finding.reason
        if finding.outcome is Outcome.UNKNOWN or (quick and self._between_periods(finding.outcome, now)):
            return
        self.length = self.length + 1 if finding.outcome is self.outcome else 1
        self.outcome = finding.outcome
        if finding.outcome is Outcome.SUCCESS:
            self.succeeded = True
            self.passing = True if self.length >= self.probe.success_threshold else self.passing
        elif self.length >= self.probe.failure_threshold:
            self.passing = False

    def _between_periods(self, outcome: Outcome, now: float) -> bool:
        if outcome is Outcome.SUCCESS:
            return False
        if self.counted is not None and now < self.counted + self.probe.period_seconds:
            return True
        self.counted = now
        return False


_ACCEPT = Probe(period_seconds=1)
"""Thresholds of a container without a readiness probe; its latch makes the period meaningless."""


class Health:
    """Of one container, from its start to its end.

    `expected` says which probes are to be run, `due` when; each finding goes to `observe`.
    """

    __slots__ = ("_latch", "_started_at", "_streaks", "phase")

    def __init__(self, readiness: Probe | None, liveness: Probe | None, startup: Probe | None, now: float) -> None:
        self._started_at = now
        self._latch = readiness is None
        self._streaks = {Kind.READINESS: Streak(readiness or _ACCEPT, passing=False)}
        if liveness:
            self._streaks[Kind.LIVENESS] = Streak(liveness, passing=True)
        if startup:
            self._streaks[Kind.STARTUP] = Streak(startup, passing=None)
        self.phase = Phase.STARTING if startup else Phase.STARTED

    @property
    def expected(self) -> tuple[Kind, ...]:
        """The probes that are to be run in this phase; others' findings are illegal."""
        if self.phase is Phase.FAILED:
            return ()
        if self.phase is Phase.STARTING:
            return (Kind.STARTUP,)
        done = self._latch and self._streaks[Kind.READINESS].passing
        live = (Kind.LIVENESS,) if Kind.LIVENESS in self._streaks else ()
        return live if done else (*live, Kind.READINESS)

    def due(self, kind: Kind, began: float | None = None) -> float:
        """When `kind` is to run next, its last run having begun at `began` (None: it has never run)."""
        probe = self._streaks[kind].probe
        if began is None:
            return self._started_at + probe.initial_delay_seconds
        return began + (QUICK_INTERVAL if self._quick(kind) else probe.period_seconds)

    def observe(self, kind: Kind, finding: Finding, now: float) -> None:
        """Take in what a run of `kind` found; raises IllegalEvent if it is not expected."""
        if kind not in self.expected:
            raise IllegalEvent(f"{kind.value} in phase {self.phase.value}")
        streak = self._streaks[kind]
        streak.observe(finding, now, self._quick(kind))
        if kind is Kind.STARTUP and streak.passing:
            self.phase = Phase.STARTED
        elif kind is not Kind.READINESS and streak.passing is False:
            self.phase = Phase.FAILED

    def verdict(self) -> Verdict:
        """What is held of the container now."""
        if self.phase is Phase.FAILED:
            return Verdict(ready=False, alive=False, reason=self._failure())
        if self.phase is Phase.STARTING:
            return Verdict(ready=False, alive=True, reason=self._waiting(Kind.STARTUP))
        if not self._streaks[Kind.READINESS].passing:
            return Verdict(ready=False, alive=True, reason=self._waiting(Kind.READINESS))
        return Verdict(ready=True, alive=True, reason="")

    def _quick(self, kind: Kind) -> bool:
        return kind is not Kind.LIVENESS and not self._streaks[kind].succeeded

    def _waiting(self, kind: Kind) -> str:
        what = "ports" if kind is Kind.READINESS and self._latch else f"{kind.value} probe"
        streak = self._streaks[kind]
        if streak.outcome is Outcome.SUCCESS:
            return f"{what}: {streak.length} of {streak.probe.success_threshold} successes"
        return f"{what}: {streak.reason or 'no answer yet'}"

    def _failure(self) -> str:
        kind = next(k for k, streak in self._streaks.items() if k is not Kind.READINESS and streak.passing is False)
        streak = self._streaks[kind]
        return f"{kind.value} probe failed {streak.length} times in a row: {streak.reason}"
