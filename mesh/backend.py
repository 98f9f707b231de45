"""Backend and EndpointState: the live side of a Service port (written, existing, compiled, *live*).

They survive tables.  A table's routes point to Backends; `Backend.apply` puts a new plan in force.
Eligibility is computed when one of its inputs changes, never per pick.  An endpoint that left is remembered
for some minutes: its last exchanges may still run, its counters are still to be read, and it may come back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Any, Protocol

from discovery.endpoint import Endpoint
from mesh import eligibility, outlier
from mesh.balancing.registry import new_balancer
from mesh.deadlines import Deadlines
from mesh.plan import BackendKey, BackendPlan
from mesh.reasons import Reason
from mesh.retry import RetryBudget
from mesh.stats import BackendStats

REMEMBERED = 300.0
"""Seconds that an endpoint is remembered after it left."""
MOST_DEPARTED = 1000
"""Endpoints of one Backend that are remembered after they left."""
QUIET = 60.0
"""Seconds between two lines in the log about the same kind of failure of one Backend."""

log = logging.getLogger(__name__)


class UpstreamConnection(Protocol):
    """An open connection to an endpoint, as its EndpointState sees it."""

    def endpoint_withdrawn(self) -> None:
        """The endpoint is gone or no longer ready: replay elsewhere what can be, finish the rest."""


class EndpointState:
    """One endpoint of one Backend: its pool, its counters, and what this proxy concluded about it."""

    __slots__ = (
        "connections", "departed_at", "ejections", "eligible", "endpoint", "failures", "host", "idle",
        "in_flight", "port", "requests", "series", "set_aside_until", "weight",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.host = endpoint.address
        self.port = endpoint.port
        self.weight = endpoint.weight
        self.eligible = False
        """It may be picked."""
        self.idle: list[Any] = []
        """Upstream connections that wait for an exchange; the newest is last and is used first."""
        self.connections: set[UpstreamConnection] = set()
        """All open connections, idle ones too; entered once per connection, not per request."""
        self.in_flight = 0
        self.requests = 0
        self.failures = 0
        """Times set aside in a row, for refused or timed out connects."""
        self.ejections = 0
        """Times set aside, ever."""
        self.set_aside_until = 0.0
        self.departed_at = 0.0
        self.series: bool | None = None
        """Whether it has metric series of its own; None: not decided yet."""

    def become(self, endpoint: Endpoint) -> None:
        """The same address and replica, of which discovery now says something else."""
        self.endpoint = endpoint
        self.weight = endpoint.weight

    def withdraw(self) -> None:
        """Tell its connections, which may leave the set while they are told."""
        for connection in tuple(self.connections):
            connection.endpoint_withdrawn()


class Pick(Protocol):
    def __call__(self, tried: Collection[EndpointState] = ()) -> EndpointState | None: ...


class Backend:
    """The endpoints of one Service port, who of them may be picked, and whose turn it is."""

    __slots__ = (
        "_admitted", "_balancer", "_clock", "_deadlines", "_logged", "deadline", "departed", "eligible", "endpoints",
        "key", "pick", "plan", "retry_budget", "stats",
    )  # fmt: skip

    pick: Pick
    """``pick(tried=())``: the endpoint whose turn it is, none of `tried` if there is another; None: none may be
    picked.  It is the balancer's own method, for a call less per request."""

    def __init__(self, key: BackendKey, clock: Callable[[], float], deadlines: Deadlines | None = None) -> None:
        self.key = key
        self._clock = clock
        self._deadlines = deadlines
        self.deadline = 0.0
        """When the first endpoint that was set aside comes back; 0: none is, as far as the wheel knows."""
        self.plan = BackendPlan(key, ())
        self.endpoints: dict[tuple[str, int], EndpointState] = {}
        self.departed: dict[tuple[str, int, str], EndpointState] = {}
        """By address, port and replica; the one that left first comes first."""
        self.eligible: tuple[EndpointState, ...] = ()
        """Those that may be picked."""
        self._admitted: list[EndpointState] = []
        """Those that discovery lets us use; one that is no longer among them is withdrawn."""
        self.stats = BackendStats()
        self._logged: dict[str, tuple[float, int]] = {}
        """Error type to when it was last logged, and how often it had been counted by then."""
        self.retry_budget = RetryBudget()
        self._balancer = new_balancer(self.plan.balancer)
        self.pick = self._balancer.pick

    def apply(self, plan: BackendPlan) -> None:
        """Put `plan` in force; endpoints that stay keep their state and order, those that go are withdrawn."""
        before, self.plan = self.plan, plan
        if plan.balancer != before.balancer:
            self._balancer = new_balancer(plan.balancer)
            self.pick = self._balancer.pick
        if plan.endpoints is not before.endpoints:
            self._arrange(before.endpoints, plan.endpoints)
            self.forget_departed()
        self.refresh()

    def refresh(self) -> None:
        """Compute eligibility again: after a new plan, an ejection, or the end of one."""
        admitted = eligibility.admitted(self.endpoints.values(), self.plan.publish_not_ready)
        eligible = tuple(eligibility.eligible(admitted, self._clock()))
        withdrawn = set(self._admitted).difference(admitted) if admitted != self._admitted else ()
        for state in self.eligible:
            state.eligible = False
        for state in eligible:
            state.eligible = True
        self._admitted, self.eligible = admitted, eligible
        self._balancer.use(eligible)
        for state in withdrawn:
            state.withdraw()

    def connect_failed(self, state: EndpointState) -> None:
        """A connect was refused or timed out: set the endpoint aside for a while, never the last one."""
        if not state.eligible or len(self.eligible) == 1:
            return
        now = self._clock()
        if state.set_aside_until > now:
            return
        outlier.set_aside(state, now)
        self.refresh()
        self._return_at(state.set_aside_until)

    def connect_succeeded(self, state: EndpointState) -> None:
        """A connect went through: the endpoint's streak of failures is over."""
        if state.failures:
            outlier.forgive(state)
            self.refresh()

    def failed(self, reason: Reason, details: str = "") -> None:
        """Count what the proxy itself ended, and log it, at most once in `QUIET` seconds for each error type."""
        counts = self.stats.reasons
        counts[reason.error] = count = counts.get(reason.error, 0) + 1
        if not reason.log:
            return
        now = self._clock()
        logged_at, counted = self._logged.get(reason.error, (-QUIET, 0))
        if now - logged_at >= QUIET:
            self._logged[reason.error] = (now, count)
            more = f", {count - counted} times since this was last said" if counted else ""
            log.warning("%s: %s (%s)%s", self.key, details or reason.details, reason.error, more)

    def on_deadline(self, now: float) -> None:
        """Take back the endpoints whose time aside is over."""
        self.refresh()
        aside = [s.set_aside_until for s in self.endpoints.values() if s.set_aside_until > now]
        self.deadline = min(aside, default=0.0)

    def retire(self) -> None:
        """The Service port is no more: withdraw all endpoints; who still holds this Backend can pick none."""
        self.apply(BackendPlan(self.key, ()))

    def states(self) -> Iterator[EndpointState]:
        """All endpoints that count: the present ones and those that left not long ago."""
        return chain(self.endpoints.values(), self.departed.values())

    def forget_departed(self) -> None:
        """Drop what left long enough ago and has nothing in flight."""
        if not self.departed:
            return
        horizon = self._clock() - REMEMBERED
        surplus = len(self.departed) - MOST_DEPARTED
        for place, (name, state) in enumerate(tuple(self.departed.items())):
            if place < surplus or (state.departed_at <= horizon and not state.in_flight):
                del self.departed[name]
                if state.series is False:
                    self.stats.forgotten_requests += state.requests
                    self.stats.forgotten_ejections += state.ejections

    def _arrange(self, before: tuple[Endpoint, ...], now: tuple[Endpoint, ...]) -> None:
        """Make `self.endpoints` those of `now`: in the order they had, new ones last.

        Most endpoints of a large Service are the objects they were, in the same place, and are not looked at.
        """
        if len(self.endpoints) == len(before):
            changed = [(old, new) for old, new in zip(before, now, strict=False) if old is not new]
            stale = [old for old, _ in changed] + list(before[len(now) :])
            fresh = [new for _, new in changed] + list(now[len(before) :])
        else:  # an address was given twice: look at all
            stale, fresh = [state.endpoint for state in self.endpoints.values()], list(now)
        wanted = {(endpoint.address, endpoint.port): endpoint for endpoint in fresh}
        for endpoint in stale:
            where = (endpoint.address, endpoint.port)
            successor = wanted.get(where)
            if successor is None or successor.replica_id != endpoint.replica_id:
                self._depart(where)
        for where, endpoint in wanted.items():
            state = self.endpoints.get(where) or self._returned(where, endpoint)
            if state is None:
                self.endpoints[where] = EndpointState(endpoint)
            else:
                self.endpoints[where] = state
                state.become(endpoint)

    def _returned(self, where: tuple[str, int], endpoint: Endpoint) -> EndpointState | None:
        """The state of an endpoint that left not long ago, to go on with."""
        state = self.departed.pop((*where, endpoint.replica_id), None) if self.departed else None
        if state is not None:
            state.departed_at = 0.0
            outlier.forgive(state)
        return state

    def _depart(self, where: tuple[str, int]) -> None:
        state = self.endpoints.pop(where)
        state.departed_at = self._clock()
        self.departed[(*where, state.endpoint.replica_id)] = state

    def _return_at(self, moment: float) -> None:
        """Have the coarse timer look at this Backend at `moment`, or earlier if it already is to."""
        if self._deadlines is None:
            return
        watched, self.deadline = self.deadline, min(self.deadline or moment, moment)
        if not watched:
            self._deadlines.watch(self)
