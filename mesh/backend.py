"""Backend and EndpointState: the live side of a Service port (written, existing, compiled, *live*).

They survive tables.  A table's routes point to Backends; `Backend.apply` puts a new plan in force.
Eligibility is computed when one of its inputs changes, never per pick.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from discovery.endpoint import Endpoint
from mesh.stats import BackendStats
from mesh.table import BackendKey, BackendPlan


class UpstreamConnection(Protocol):
    """An open connection to an endpoint, as its EndpointState sees it."""

    def endpoint_withdrawn(self) -> None:
        """The endpoint is gone or no longer ready: replay elsewhere what can be, finish the rest."""


class EndpointState:
    """One endpoint of one Backend: its pool, its counters, and what this proxy concluded about it."""

    __slots__ = (
        "connections", "eligible", "endpoint", "failures", "host", "idle", "in_flight",
        "port", "requests", "set_aside_until",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.host = endpoint.address
        self.port = endpoint.port
        self.eligible = False
        self.idle: list[Any] = []
        """Upstream connections that wait for an exchange; the newest is last and is used first."""
        self.connections: set[UpstreamConnection] = set()
        """All open connections, idle ones too; entered once per connection, not per request."""
        self.in_flight = 0
        self.requests = 0
        self.failures = 0
        """Refused or timed out connects in a row."""
        self.set_aside_until = 0.0


class Backend:
    """The endpoints of one Service port, who of them may be picked, and whose turn it is."""

    __slots__ = ("_clock", "cursor", "eligible", "endpoints", "key", "plan", "stats")

    def __init__(self, key: BackendKey, clock: Callable[[], float]) -> None:
        self.key = key
        self._clock = clock
        self.plan = BackendPlan(key, ())
        self.endpoints: dict[tuple[str, int], EndpointState] = {}
        self.eligible: tuple[EndpointState, ...] = ()
        self.cursor = 0
        self.stats = BackendStats()

    def apply(self, plan: BackendPlan) -> None:
        """Put `plan` in force; endpoints that stay keep their state, those that go are withdrawn."""
        before, self.plan = self.endpoints, plan
        self.endpoints = {}
        for endpoint in plan.endpoints:
            state = before.pop(endpoint.where, None) or EndpointState(endpoint)
            state.endpoint = endpoint
            self.endpoints[endpoint.where] = state
        self.refresh()
        for state in before.values():
            self._withdraw(state)

    def refresh(self) -> None:
        """Compute eligibility again: after a new plan, an ejection, or the end of one."""
        self.eligible = tuple(s for s in self.endpoints.values() if s.endpoint.ready)
        for state in self.endpoints.values():
            now_eligible = state in self.eligible
            if state.eligible and not now_eligible:
                self._withdraw(state)
            state.eligible = now_eligible

    def pick(self, tried: Collection[EndpointState] = ()) -> EndpointState | None:
        """The endpoint whose turn it is, none of `tried` if there is another; None: none may be picked."""
        eligible = self.eligible
        for _ in eligible:
            self.cursor = cursor = (self.cursor + 1) % len(eligible)
            if eligible[cursor] not in tried:
                return eligible[cursor]
        return eligible[self.cursor] if eligible else None

    def connect_failed(self, state: EndpointState) -> None:
        """A connect was refused or timed out: set the endpoint aside for a while, never the last one."""

    def connect_succeeded(self, state: EndpointState) -> None:
        """A connect went through: the endpoint's streak of failures is over."""
        state.failures = 0

    def _withdraw(self, state: EndpointState) -> None:
        state.eligible = False
        for connection in tuple(state.connections):
            connection.endpoint_withdrawn()
