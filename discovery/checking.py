"""Active checks of endpoints that no agent vouches for: what follows from their outcomes, and which are under way.

A check rises after `rise` successes in a row and falls after `fall` failures.  One that has come to no conclusion
yet needs a single success, and is repeated every second until it has one: nobody waits longer than necessary for
a new endpoint.  The prober runs checks beside the probes of containers, within the same bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple, Protocol

from config.balancing import HealthCheckPolicy
from discovery.health import Finding, Kind, Outcome, Phase, Verdict
from discovery.probes.target import ProbeTarget

FIRST_INTERVAL = 1.0
"""Seconds between two checks at most, until there is a conclusion."""


class Check(NamedTuple):
    """The same check for all who want it, so that an endpoint behind several Services is asked once."""

    address: str
    port: int
    policy: HealthCheckPolicy
    send_proxy: Literal["v1", "v2"] | None = None
    """The PROXY protocol that connections there begin with."""


class CheckHealth:
    """Of one endpoint: the prober asks it what `discovery.health.Health` would be asked of a container."""

    __slots__ = ("_length", "_outcome", "_passing", "_policy", "_reason", "_started_at")

    phase = Phase.STARTED
    expected = (Kind.READINESS,)

    def __init__(self, policy: HealthCheckPolicy, now: float) -> None:
        self._policy = policy
        self._started_at = now
        self._passing: bool | None = None
        """None: neither threshold has been reached yet."""
        self._outcome = Outcome.UNKNOWN
        self._length = 0
        self._reason = ""

    def due(self, _kind: Kind, began: float | None = None) -> float:
        """When to check next, the last check having begun at `began` (None: there was none)."""
        if began is None:
            return self._started_at
        interval = self._policy.interval
        return began + (min(interval, FIRST_INTERVAL) if self._passing is None else interval)

    def observe(self, _kind: Kind, finding: Finding, _now: float) -> None:
        if finding.outcome is Outcome.UNKNOWN:
            return
        self._length = self._length + 1 if finding.outcome is self._outcome else 1
        self._outcome = finding.outcome
        if finding.outcome is Outcome.SUCCESS:
            if self._passing is None or self._length >= self._policy.rise:
                self._passing = True
        elif self._length >= self._policy.fall:
            self._passing = False
            self._reason = finding.reason

    def verdict(self) -> Verdict:
        """What is held of it; the same until a conclusion is reached."""
        if self._passing is None:
            return Verdict(ready=False, alive=True, reason="not checked yet")
        return Verdict(ready=self._passing, alive=True, reason="" if self._passing else self._reason)


class Probing(Protocol):
    """What of the prober is needed here."""

    def start(self, target: ProbeTarget, report: Callable[[Verdict], None]) -> None: ...

    def stop(self, replica_id: str, container: str) -> None: ...


class Checker:
    """Keeps the prober at the checks that are wanted; `report` is told of each conclusion and of each change."""

    def __init__(self, prober: Probing, report: Callable[[Check, bool], None]) -> None:
        self._prober = prober
        self._report = report
        self._names: dict[Check, tuple[str, str]] = {}
        self._count = 0

    def watch(self, wanted: Collection[Check]) -> None:
        """These are all the checks from now on; those that are under way go on."""
        for check in self._names.keys() - wanted:
            self._prober.stop(*self._names.pop(check))
        for check in wanted:
            if check not in self._names:
                self._start(check)

    def _start(self, check: Check) -> None:
        self._count += 1
        name = (f"{check.address} port {check.port}", f"check {self._count}")
        self._names[check] = name
        target = ProbeTarget(
            *name, check.address, check=check.policy, send_proxy=check.send_proxy, accept_ports=(check.port,)
        )
        self._prober.start(target, lambda verdict: self._report(check, verdict.ready))
