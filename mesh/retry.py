"""Whether a request that failed may be tried again (RFC 9110 section 9.2.2), and how many may be at a time.

Pure: the caller says what failed and does what is decided.  A request goes again only if nobody can have
acted on it: it is idempotent, or none of its bytes was sent.  The budget keeps retries from multiplying
the load on endpoints that fail under load.
"""

from __future__ import annotations

from typing import Literal

from config.policies import RetryCondition, RetryPolicy

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
REPLAYED_BODY = 65_536
"""Bytes of body that are kept so that the request can be sent again."""
LEAST_BUDGET = 3

Outcome = Literal["tried", "budget", "exhausted", "not-replayable"]


def within_budget(retrying: int, in_flight: int, percent: int) -> bool:
    """Whether one more retry may run beside `retrying` others, with `in_flight` requests on the Backend."""
    return retrying < max(LEAST_BUDGET, in_flight * percent // 100)


def decide(
    policy: RetryPolicy, cause: RetryCondition, replayable: bool, retries: int, retrying: int, in_flight: int
) -> Outcome | None:
    """What to do after a failed try; None: the policy does not retry what failed for this cause.

    `replayable`: no byte was sent, or the request is idempotent and all that was sent is kept.
    `retries` is how often this request was tried again already.
    """
    if cause not in policy.on or not policy.attempts:
        return None
    if not replayable:
        return "not-replayable"
    if retries >= policy.attempts:
        return "exhausted"
    return "tried" if within_budget(retrying, in_flight, policy.budget_percent) else "budget"
