"""Faults on purpose: a delay before the endpoint is asked, an answer in its place, for a share of the requests."""

from __future__ import annotations

from config.filters import FaultPolicy
from mesh.filters.query import Reply
from mesh.reasons import Reason


class Fault:
    __slots__ = ("_aborted", "_delayed", "_reply", "_seconds")

    def __init__(self, policy: FaultPolicy) -> None:
        self._delayed = policy.delay.percent / 100 if policy.delay else 0.0
        self._seconds = policy.delay.duration if policy.delay else 0.0
        self._aborted = policy.abort.percent / 100 if policy.abort else 0.0
        status = policy.abort.status if policy.abort else 503
        self._reply = Reply(Reason(status, "proxy_internal_response", "a policy injects this fault"))

    def delay(self, chance: float) -> float:
        """Seconds that the request has to wait."""
        return self._seconds if chance < self._delayed else 0.0

    def abort(self, chance: float) -> Reply | None:
        return self._reply if chance < self._aborted else None
