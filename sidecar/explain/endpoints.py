"""Why each endpoint of a Backend can or cannot be picked, in words; the order is that of `mesh.eligibility`.

Whether one can is the data plane's own word (`EndpointState.eligible`); here is only the reason for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from discovery.endpoint import Endpoint
from mesh.backend import Backend, EndpointState
from mesh.eligibility import admitted, hinted_at
from mesh.outlier import Cause

MOST = 100
"""Endpoints that are told of those that may be picked, and of the others."""

CAUSES: dict[Cause, str] = {
    "connects": "connects to it failed",
    "answers": "it answered with 5xx, or broke off, too often in a row",
    "rate": "its share of good answers is far below the others'",
}


def endpoint_verdicts(backend: Backend, now: float) -> list[dict[str, Any]]:
    """Endpoints of a Backend as plain data, in its order; `now` in seconds of the proxy's clock.

    Of very many only some are told, as many as can be made without holding up the traffic beside.
    """
    states = list(backend.endpoints.values())
    reasons = Reasons(backend, states, now)
    told = {*islice((s for s in states if s.eligible), MOST), *islice((s for s in states if not s.eligible), MOST)}
    return [
        {
            "address": state.name,
            "replica": state.endpoint.replica_id,
            "node": state.endpoint.node,
            "zone": state.endpoint.zone,
            "eligible": state.eligible,
            "why": reasons.of(state),
            "weight": state.weight,
            "inFlight": state.in_flight,
            "requests": state.requests,
        }
        for state in states
        if state in told
    ]


class Reasons:
    """What holds for all endpoints of one Backend, looked at once."""

    def __init__(self, backend: Backend, states: Sequence[EndpointState], now: float) -> None:
        self._plan = backend.plan
        self._now = now
        self._admitted = set(admitted(states, backend.plan.publish_not_ready, backend.plan.rules))
        self._hinted = bool(hinted_at(self._admitted, backend.plan.rules))
        self._weighted = any(state.endpoint.weight > 0 for state in self._admitted)
        limits = backend.plan.limits.endpoint if backend.plan.limits else None
        given = [limit for limit in (limits.connections, limits.requests) if limit] if limits else []
        self._most = min(given, default=float("inf"))
        """In flight at an endpoint at a time."""
        self._tier = max((state.endpoint.tier for state in states if state.eligible), default=0)

    def of(self, state: EndpointState) -> str:
        """A sentence without a full stop."""
        return self._remark(state) if state.eligible else self._refusal(state)

    def _remark(self, state: EndpointState) -> str:
        """What is worth knowing of one that may be picked."""
        concluded = self._conclusion(state)
        if concluded:
            return f"may be picked: {concluded}, but too few are left, so that is disregarded"
        if state.endpoint.terminating and not self._plan.publish_not_ready:
            return "may be picked: it is terminating and still serves, and no ready endpoint is left"
        if not state.endpoint.ready:
            return "may be picked: not ready, but the Service says publishNotReadyAddresses"
        if state.in_flight >= self._most:
            return f"may be picked, and is full: {state.in_flight} are in flight, and its limit is {self._most:g}"
        return "may be picked"

    def _refusal(self, state: EndpointState) -> str:
        endpoint, rules = state.endpoint, self._plan.rules
        if rules.local_only and endpoint.node != rules.node:
            return f"not local: it is on node {endpoint.node or '(unknown)'}, and the Service asks for this one's only"
        if state not in self._admitted:
            return self._unready(state)
        if self._weighted and endpoint.weight <= 0:
            return "its weight is 0, and others have some"
        if concluded := self._conclusion(state):
            return concluded
        if endpoint.tier > self._tier:
            return f"kept in reserve: its tier is {endpoint.tier}, and enough of tier {self._tier} are left"
        return self._distance(endpoint)

    def _distance(self, endpoint: Endpoint) -> str:
        if self._hinted and endpoint.hints is not None:
            places = ", ".join((*endpoint.hints.nodes, *endpoint.hints.zones))
            return f"meant for others: its EndpointSlice's hints are for {places}, and there are some for here"
        return f"farther away: the Service prefers the same {self._plan.rules.prefer.lower()}, and there are some"

    def _unready(self, state: EndpointState) -> str:
        if state.endpoint.terminating:
            return "draining: it is terminating, and finishes what it has"
        return "not ready: its probe, container or EndpointSlice says so"

    def _conclusion(self, state: EndpointState) -> str:
        """What this proxy concluded about it alone; else empty."""
        if state.unhealthy:
            return "unhealthy: the policy's healthCheck says so, or has said nothing yet"
        if state.set_aside_until > self._now:
            return f"ejected for another {state.set_aside_until - self._now:.1f} s: {CAUSES[state.cause]}"
        return ""
