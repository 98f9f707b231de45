"""Whether a request that failed may be tried again (RFC 9110 section 9.2.2), and how many may be at a time.

Pure: the caller says what failed and does what is decided.  A request goes again only if nobody can have
acted on it: it is idempotent, or none of its bytes was sent.  The budget keeps retries from multiplying
the load on endpoints that fail under load.
"""

from __future__ import annotations

from typing import Literal, Protocol

from config.policies import RetryBackoffPolicy, RetryCondition, RetryPolicy

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
LEAST_BUDGET = RetryPolicy().budget_least

Outcome = Literal["tried", "budget", "exhausted", "not-replayable"]


def decide(policy: RetryPolicy, cause: RetryCondition, replayable: bool, retries: int) -> Outcome | None:
    """Whether a failed try is tried again; None: the policy does not say so for this cause.

    `replayable`: no byte was sent, or the request is idempotent and all that was sent is kept.
    `retries` is how often this request was tried again already.
    """
    if cause not in policy.on or not policy.attempts:
        return None
    if not replayable:
        return "not-replayable"
    return "tried" if retries < policy.attempts else "exhausted"


def pause(policy: RetryBackoffPolicy, retries: int, chance: float) -> float:
    """Seconds that the `retries`-th retry of a request waits: the first does not.

    `chance`, from 0 to below 1, says how much of the jitter is taken off, so that what failed together does not
    come again together.
    """
    if retries < 2:
        return 0.0
    return min(policy.first * 2.0 ** min(retries - 2, 20), policy.longest) * (1 - chance * policy.jitter_percent / 100)


class Retrying(Protocol):
    """A request that waits for its turn to be tried again."""

    def retry_now(self) -> None: ...


class RetryBudget:
    """How many retries of one Backend may run at a time: a share of its requests in flight, at least `least`.

    A retry runs from its start until a response begins or it fails.  When an endpoint dies, all of its
    requests fail in the same instant; those beyond the budget wait for their turn, for as long as the caller
    lets them, instead of failing.
    """

    __slots__ = ("_handing_on", "_vacant", "_waiting", "running")

    def __init__(self) -> None:
        self.running = 0
        self._waiting: dict[Retrying, None] = {}
        self._vacant = 0
        """Places that were given up and not handed on yet."""
        self._handing_on = False

    def start(self, retrying: Retrying, in_flight: int, percent: int, least: int = LEAST_BUDGET) -> bool:
        """Whether `retrying` may run now; if not, it waits, and is told by `retry_now` when it may."""
        if self.has_room(in_flight, percent, least):
            self.running += 1
            return True
        self._waiting[retrying] = None
        return False

    def has_room(self, in_flight: int, percent: int, least: int = LEAST_BUDGET) -> bool:
        return self.running < max(least, in_flight * percent // 100)

    def leave(self, retrying: Retrying) -> None:
        """It waits no longer."""
        self._waiting.pop(retrying, None)

    def ended(self) -> None:
        """A retry that ran has a response, or has failed; its place goes to who waits longest.

        It is a loop: who gets the place may fail at once, as all do when no endpoint is left.
        """
        self.running -= 1
        self._vacant += 1
        if self._handing_on:
            return
        self._handing_on = True
        try:
            while self._vacant and self._waiting:
                self._vacant -= 1
                self.running += 1
                first = next(iter(self._waiting))
                del self._waiting[first]
                first.retry_now()
        finally:
            self._vacant = 0
            self._handing_on = False
