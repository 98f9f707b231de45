"""Live: the registry of Backends, which outlive the tables that point to them.

The compiler looks here for the Backend of a Service port and makes a new one where there is none; publishing
a table makes its Backends the registered ones.  A Backend whose Service port is gone stays for a while, so
that a replica with exchanges still in flight on it is not taken for idle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from mesh.backend import REMEMBERED, Backend
from mesh.deadlines import Deadlines
from mesh.plan import BackendKey


class Live:
    __slots__ = ("_chance", "_clock", "_deadlines", "_retired", "backends")

    def __init__(
        self,
        clock: Callable[[], float],
        deadlines: Deadlines | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives numbers from 0 to below 1, for balancers that draw lots."""
        self._chance = chance
        self._clock = clock
        self._deadlines = deadlines
        self.backends: Mapping[BackendKey, Backend] = {}
        """Those of the table in force."""
        self._retired: list[tuple[float, Backend]] = []

    def backend(self, key: BackendKey) -> Backend:
        """The registered one, or a new one, which `replace` will register."""
        return self.backends.get(key) or Backend(key, self._clock, self._deadlines, self._chance)

    def replace(self, backends: Mapping[BackendKey, Backend]) -> list[Backend]:
        """Make `backends` the registered ones; returns those that are no longer, for the caller to retire."""
        before, self.backends = self.backends, backends
        if backends is before:
            return []
        now = self._clock()
        withdrawn = [backend for key, backend in before.items() if backends.get(key) is not backend]
        self._retired = [(since, backend) for since, backend in self._retired if since > now - REMEMBERED]
        self._retired += [(now, backend) for backend in withdrawn]
        return withdrawn

    def all(self) -> Iterator[Backend]:
        """The registered Backends, then the ones retired not long ago."""
        yield from self.backends.values()
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
