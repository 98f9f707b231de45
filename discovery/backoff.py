"""Back-off: how long to wait before the next try at something that keeps failing.

A pure state machine: the caller says when a try failed and is told how long to wait.  Delays grow by
`factor` up to `ceiling`; a try that lasted `forget_after` seconds before it failed starts from the beginning,
as kubelet does with containers.  Jitter only ever shortens a delay, so that the ceiling holds.
"""

from __future__ import annotations

from random import Random

import msgspec


class BackoffPolicy(msgspec.Struct, frozen=True):
    """Delays in seconds: `immediate` tries without one, then `first`, growing by `factor` up to `ceiling`."""

    first: float
    ceiling: float
    factor: float = 2.0
    jitter: float = 0.0
    """Largest share (0 to 1) that chance takes off a delay."""
    immediate: int = 0
    forget_after: float = float("inf")
    """A try that held for this many seconds counts as a success."""


KUBERNETES_RESTARTS = BackoffPolicy(first=10, ceiling=300, jitter=0.1, immediate=1, forget_after=600)
"""kubelet's CrashLoopBackOff: once at once, then 10 s doubling to 5 min, forgotten after 10 min of running."""


class Backoff:
    """The failures of one thing.  `random` is asked only where the policy has jitter."""

    __slots__ = ("_policy", "_random", "_retry_at", "failures")

    def __init__(self, policy: BackoffPolicy, random: Random) -> None:
        self._policy = policy
        self._random = random
        self._retry_at = float("inf")
        self.failures = 0
        """Failures in a row."""

    def failed(self, now: float) -> float:
        """Count a failure at `now` (seconds on any steady clock) and return the seconds until the next try."""
        policy = self._policy
        if now - self._retry_at >= policy.forget_after:
            self.failures = 0
        self.failures += 1
        delay = self._delay(self.failures - 1 - policy.immediate)
        self._retry_at = now + delay
        return delay

    def succeeded(self) -> None:
        """Start from the beginning at the next failure."""
        self.failures = 0

    def _delay(self, doublings: int) -> float:
        if doublings < 0:
            return 0.0
        policy = self._policy
        # Without the bound the power would overflow after a few hundred failures.
        delay = min(policy.first * policy.factor ** min(doublings, 64), policy.ceiling)
        return delay * (1 - policy.jitter * self._random.random()) if policy.jitter else delay
