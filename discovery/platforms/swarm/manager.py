"""What a manager says of its swarm, asked every second: there are no events of tasks; those of services hurry a look.

On a worker nothing is asked but, now and then, whether it has become a manager.  While the engine is gone, what was
known last stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Final

from discovery.backoff import BackoffPolicy
from discovery.platforms.docker.engine import EngineError
from discovery.platforms.docker.sessions import RECONNECTS, Sessions
from discovery.platforms.swarm.engine import MANAGER, NO_SWARM, WORKER, SwarmConnection
from discovery.platforms.swarm.listing import Listing

PERIOD: Final = 1.0
"""Seconds from one listing to the next."""
HURRIED: Final = (0.02, 0.2)
"""After an event of a service, Swarm's own managers need a moment to decide what becomes of its tasks."""
WORKER_PERIOD: Final = 10.0
ROLES: Final = {
    WORKER: "this engine is no manager of its swarm: services and their labels are known to managers only",
    NO_SWARM: "this engine is not part of a swarm: docker swarm init makes one, docker swarm join joins one",
}
"""Why there is nothing to list."""

log = logging.getLogger("weft.swarm")


class Manager(Sessions[SwarmConnection]):
    """Needs a task of the caller for `run`."""

    def __init__(
        self,
        connect: Callable[[], SwarmConnection],
        *,
        changed: Callable[[], None],
        random: Random,
        reconnects: BackoffPolicy = RECONNECTS,
    ) -> None:
        """`changed` is called after each look."""
        super().__init__(connect, random, reconnects)
        self.listing: Listing | None = None
        """None: this is a worker, or nothing has been said yet.  The same object until it differs."""
        self.asked = 0.0
        """When `listing` was asked for the last time, in the loop's seconds."""
        self.trouble = "it has not been asked yet"
        """Why `listing` may be stale, or is None; empty: it is as it should be."""
        self._changed = changed
        self._hurry = asyncio.Event()

    async def _session(self, connection: SwarmConnection) -> None:
        while (role := await connection.role()) != MANAGER:
            self.trouble = ROLES[role]
            self._take(None)
            await asyncio.sleep(WORKER_PERIOD)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(connection, await connection.now()))
            await self._list(connection)

    def _lost(self, reason: str) -> None:
        if reason != self.trouble:
            log.warning("services and tasks are taken to be as they were", extra={"reason": reason})
        self.trouble = reason

    async def _hear(self, connection: SwarmConnection, since: str) -> None:
        await connection.hear_of_services(since, self._hurry.set)
        raise EngineError("it ended the stream of events")

    async def _list(self, connection: SwarmConnection) -> None:
        while True:
            await self._look(connection)
            try:
                async with asyncio.timeout(PERIOD):
                    await self._hurry.wait()
            except TimeoutError:
                continue
            self._hurry.clear()
            for pause in HURRIED:
                await asyncio.sleep(pause)
                await self._look(connection)

    async def _look(self, connection: SwarmConnection) -> None:
        now = asyncio.get_running_loop().time()
        listing = await connection.listing()
        self.asked, self.trouble = now, ""
        self._take(listing)

    def _take(self, now: Listing | None) -> None:
        if now != self.listing:
            self.listing = now
        self._changed()
