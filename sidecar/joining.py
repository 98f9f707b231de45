"""Small parts that join two seams: where a floor asks for something that only another one knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from discovery.catalog import Catalog
from mesh.listener import Listeners
from mesh.proxy import Proxy
from mesh.table import ListenerKey

POLL_SECONDS = 0.01


class Draining:
    """Knows when a replica may be stopped: all consumers know that it goes, and nothing is in flight on it.

    `drained` is what a platform awaits (`discovery.platforms.base.Drained`).
    """

    def __init__(self, catalog: Catalog, proxy: Proxy) -> None:
        self._catalog = catalog
        self._proxy = proxy
        self.latest = inf
        """No replica is waited for beyond this time of the loop's clock: set when the process itself ends."""
        self._give_up: Callable[[], None] = lambda: None

    def begin(self, seconds: float, give_up: Callable[[], None]) -> None:
        """The process ends, in so many seconds at most; `give_up` is called before what is in flight is left to itself.

        For no client is to learn of that end from what becomes of a replica.
        """
        self.latest = asyncio.get_running_loop().time() + seconds
        self._give_up = give_up

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it, as long as anything is waited for."""
        await poll(lambda: condition() or self.overdue)
        if self.overdue:
            self._give_up()

    async def drained(self, replica_id: str, deadline: float) -> None:
        await self._catalog.acknowledged(self._catalog.snapshot.generation, min(deadline, self.latest))
        await self.until(lambda: not self._proxy.in_flight(replica_id) or _passed(deadline))

    @property
    def overdue(self) -> bool:
        """Whether nothing is waited for any more."""
        return _passed(self.latest)


def served_at(listeners: Listeners, address: str, port: int) -> int:
    """The port at `address` where what is written as `port` is bound; `port` itself as long as it is not."""
    keys = (ListenerKey(address, port), ListenerKey(address, port, "UDP"))
    state = next((listeners.states[key] for key in keys if key in listeners.states), None)
    return state.bound.port if state and state.bound else port


async def poll(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds: for plain values of the hot path, which tell nobody of their changes."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for, on purpose
        await asyncio.sleep(POLL_SECONDS)


def _passed(when: float) -> bool:
    return asyncio.get_running_loop().time() >= when
