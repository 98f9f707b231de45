"""Live: the registry of Backends, which outlive the tables that point to them.

The compiler looks here for the Backend of a Service port and makes a new one where there is none; publishing
a table makes its Backends the registered ones.  A Backend whose Service port is gone stays for a while, so
that a replica with exchanges still in flight on it is not taken for idle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from weakref import WeakValueDictionary

from config.filters import RateLimitPolicy
from mesh.backend import Backend
from mesh.deadlines import Deadlines
from mesh.filters.rate_limit import RateLimit
from mesh.plan import BackendKey
from mesh.roster import REMEMBERED
from mesh.table import ListenerKey
from mesh.waiting import WaitingRoom


class Live:
    __slots__ = ("_clock", "_deadlines", "_rate_limits", "_retired", "asleep", "backends", "chance", "inbound", "room")

    def __init__(
        self,
        clock: Callable[[], float],
        deadlines: Deadlines | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to below 1, for balancers that draw lots."""
        self.chance = chance
        self.asleep: Callable[[BackendKey], bool] = lambda _: False
        """Whether a Service is scaled to zero; asked when a request found no endpoint."""
        self.room = WaitingRoom()
        """Where requests wait for a Service that is scaled to zero."""
        self._clock = clock
        self._deadlines = deadlines
        self.backends: Mapping[BackendKey, Backend] = {}
        """Those of the table in force."""
        self.inbound: dict[ListenerKey, Backend] = {}
        """Those of inbound listeners, each of one endpoint of this node."""
        self._retired: list[tuple[float, Backend]] = []
        self._rate_limits: WeakValueDictionary[tuple[str, RateLimitPolicy], RateLimit] = WeakValueDictionary()

    def _is_asleep(self, key: BackendKey) -> bool:
        return self.asleep(key)

    def rate_limit(self, owner: str, policy: RateLimitPolicy) -> RateLimit:
        """The rate limit of whoever has this policy: the one that a table has already, or a new one."""
        found = self._rate_limits.get((owner, policy))
        if found is None:
            found = self._rate_limits[owner, policy] = RateLimit(policy)
        return found

    def backend(self, key: BackendKey) -> Backend:
        """The registered one, or a new one, which `replace` will register."""
        return self.backends.get(key) or Backend(
            key, self._clock, self._deadlines, self.chance, self._is_asleep, room=self.room
        )

    def replace(self, backends: Mapping[BackendKey, Backend]) -> list[Backend]:
        """Make `backends` the registered ones; returns those that are no longer, for the caller to retire."""
        before, self.backends = self.backends, backends
        if backends is before:
            return []
        now = self._clock()
        withdrawn = [backend for key, backend in before.items() if backends.get(key) is not backend]
        self._forget(now)
        self._retired += [(now, backend) for backend in withdrawn]
        return withdrawn

    def inbound_closed(self, key: ListenerKey) -> None:
        """The inbound listener is closed; what it accepted may go on."""
        now = self._clock()
        self._forget(now)
        self._retired.append((now, self.inbound.pop(key)))

    def _forget(self, now: float) -> None:
        self._retired = [(since, backend) for since, backend in self._retired if since > now - REMEMBERED]

    def all(self) -> Iterator[Backend]:
        """The registered Backends, those of inbound listeners, then the ones retired not long ago."""
        yield from self.backends.values()
        yield from self.inbound.values()
        for _, backend in self._retired:
            yield backend

    def in_flight(self, replica_id: str) -> int:
        """Exchanges and connections that the replica is serving for this proxy."""
        return sum(
            state.in_flight
            for backend in self.all()
            for state in backend.states()
            if state.endpoint.replica_id == replica_id
        )
