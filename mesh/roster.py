"""The roster of a Backend: which endpoints it has, which it had until lately, and which it is about to have.

An endpoint that left is remembered for some minutes: its last exchanges may still run, its counters are still to be
read, and it may come back.  What a large plan needs of new endpoints is made ahead and in steps, for to put a plan in
force is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import chain, zip_longest
from typing import Final

from discovery.endpoint import Endpoint
from mesh import outlier
from mesh.endpoint_state import EndpointState, vouched
from mesh.judgement import Judgement
from mesh.plan import BackendPlan
from mesh.stats import BackendStats

REMEMBERED: Final = 300.0
"""Seconds that an endpoint is remembered after it left."""
MOST_DEPARTED: Final = 1000
"""Endpoints of one Backend that are remembered after they left."""
AT_ONCE: Final = 128
"""Endpoints that are prepared in one step."""


class Roster(Judgement):
    __slots__ = ("_ahead", "departed", "stats")

    def __init__(self, plan: BackendPlan, clock: Callable[[], float]) -> None:
        super().__init__(plan, clock)
        self.stats = BackendStats()
        self.departed: dict[tuple[str, int, str], EndpointState] = {}
        """By address, port and replica; the one that left first comes first."""
        self._ahead: dict[tuple[str, int], EndpointState] = {}
        """Made for a plan that is not in force yet."""

    def states(self) -> Iterator[EndpointState]:
        """All endpoints that count: the present ones and those that left not long ago."""
        return chain(self.endpoints.values(), self.departed.values())

    def prepare(self, plan: BackendPlan) -> Generator[None, None, None]:
        """Make in steps what `plan` needs for new endpoints, once it is put in force; nothing is seen of it before."""
        self._ahead = ahead = {}
        new = [there for before, there in zip_longest(self.plan.endpoints, plan.endpoints) if there is not before]
        for number, endpoint in enumerate(new, 1):
            if endpoint is not None and (where := (endpoint.address, endpoint.port)) not in self.endpoints:
                ahead[where] = EndpointState(endpoint)
            if not number % AT_ONCE:
                yield

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
        ahead, self._ahead = self._ahead, {}
        checked = self.plan.health_check is not None
        for where, endpoint in wanted.items():
            state = self.endpoints.get(where)
            if state is None and self.departed:
                state = self._returned(where, endpoint)
            if state is not None:
                self.endpoints[where] = state
                state.become(endpoint)
                continue
            state = ahead.get(where)
            if state is None or state.endpoint is not endpoint:
                state = EndpointState(endpoint)
            state.unhealthy = checked and not vouched(endpoint)
            self.endpoints[where] = state

    def _returned(self, where: tuple[str, int], endpoint: Endpoint) -> EndpointState | None:
        """The state of an endpoint that left not long ago, to go on with; nothing counts today that was concluded."""
        state = self.departed.pop((*where, endpoint.replica_id), None)
        if state is None:
            return None
        state.departed_at = 0.0
        state.good_answers = state.bad_answers = 0
        outlier.forgive(state)
        state.used_since = None
        state.unhealthy = self.plan.health_check is not None and not vouched(state.endpoint)
        return state

    def _depart(self, where: tuple[str, int]) -> None:
        state = self.endpoints.pop(where)
        state.departed_at = self._clock()
        self.departed[(*where, state.endpoint.replica_id)] = state
