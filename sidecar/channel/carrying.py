"""What this node's traffic is carried by: which serial of the registry, and which replicas that end are still in use.

A copy of the zone has a serial, and the catalog makes a generation of it; the serial is in force once a table is that
was made of that generation or a later one.  With the same word goes which terminating replicas still have requests of
this node in flight, so that whoever stops one can wait for the last of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from config.meta import Named
from discovery.catalog import Snapshot

MOST: Final = 1000
"""Serials that are waited for at a time; of more, the oldest need no word of their own."""
POLL_SECONDS: Final = 0.02
"""From one look at what is in flight to the next, while there is something to look for."""


class Told(Protocol):
    """Who is told: the channel."""

    def in_force(
        self, *, serial: int | None = None, manifests: int | None = None, busy: Iterable[str] | None = None
    ) -> None:
        """This is in force."""


class Carrying:
    """Told of copies and tables as they come; `run` looks after what is in flight."""

    def __init__(self, told: Told, in_flight: Callable[[str], int]) -> None:
        """`in_flight`: requests and connections of this node on a replica."""
        self._told = told
        self._in_flight = in_flight
        self._coming: deque[tuple[int, int]] = deque(maxlen=MOST)
        """Serials that are not in force yet, and the generations that were made of them."""
        self._generation = -1
        """That is in force."""
        self._changed: dict[Named, int] = {}
        """Services that were other ones in this generation than before, as far as it is not in force."""
        self._ending: dict[Named, frozenset[str]] = {}
        self._ends = asyncio.Event()

    def copied(self, serial: int, generation: int) -> None:
        """The copy has `serial`, and the catalog made this generation of it."""
        if generation <= self._generation:
            self._coming.clear()
            self._told.in_force(serial=serial, busy=self._busy())
        else:
            self._coming.append((serial, generation))

    def changed(self, snapshot: Snapshot) -> None:
        """The catalog has a new snapshot."""
        self._changed.update(dict.fromkeys(snapshot.changed, snapshot.generation))

    def put_in_force(self, snapshot: Snapshot) -> None:
        """A table is in force that was made of `snapshot`."""
        for name in self._changed:
            ports = snapshot.services.get(name, {})
            ids = frozenset(each.replica_id for there in ports.values() for each in there if each.terminating)
            self._ending.pop(name, None)
            if ids:
                self._ending[name] = ids
        self._changed = {name: at for name, at in self._changed.items() if at > snapshot.generation}
        self._generation = max(self._generation, snapshot.generation)
        serial = None
        while self._coming and self._coming[0][1] <= self._generation:
            serial, _ = self._coming.popleft()
        self._told.in_force(serial=serial, busy=self._busy())
        if self._ending:
            self._ends.set()

    async def run(self) -> None:
        """Tell when the last request on a replica that ends is over, until cancelled."""
        while True:
            await self._ends.wait()
            self._told.in_force(busy=self._busy())
            if not self._ending:
                self._ends.clear()
            await asyncio.sleep(POLL_SECONDS)

    def _busy(self) -> list[str]:
        ending = frozenset().union(*self._ending.values())
        return [replica for replica in ending if replica and self._in_flight(replica)]
