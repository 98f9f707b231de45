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

from discovery.backoff import Backoff, BackoffPolicy
from discovery.cancellation import end_if_cancelled
from discovery.platforms.docker.engine import EngineError
from discovery.platforms.docker.observer import RECONNECTS
from discovery.platforms.swarm.engine import SwarmConnection
from discovery.platforms.swarm.listing import Listing

PERIOD: Final = 1.0
"""Seconds from one listing to the next."""
HURRIED: Final = (0.02, 0.2)
"""After an event of a service, Swarm's own managers need a moment to decide what becomes of its tasks."""
WORKER_PERIOD: Final = 10.0

log = logging.getLogger("weft.swarm")


class Manager:
    """Needs a task of the caller for `run`."""

    def __init__(
        self,
        connect: Callable[[], SwarmConnection],
        *,
        changed: Callable[[], None],
        random: Random,
        reconnects: BackoffPolicy = RECONNECTS,
    ) -> None:
        """`changed` is called after each listing that differs from the one before."""
        self.listing: Listing | None = None
        """None: this is a worker, or nothing has been said yet."""
        self.unwanted: frozenset[str] = frozenset()
        """Tasks that were wanted when last seen, and are not any more."""
        self._connect = connect
        self._changed = changed
        self._backoff = Backoff(reconnects, random)
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            try:
                await self._session()
            except* EngineError as errors:
                log.info("services and tasks are not known now", extra={"reason": str(errors.exceptions[0])})
            end_if_cancelled()
            await asyncio.sleep(self._backoff.failed(clock()))

    async def _session(self) -> None:
        """From one connection to its end, which raises EngineError."""
        connection = self._connect()
        try:
            while not await connection.manages():
                self._take(None)
                await asyncio.sleep(WORKER_PERIOD)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(connection, await connection.now()))
                await self._list(connection)
        finally:
            await connection.close()

    async def _hear(self, connection: SwarmConnection, since: str) -> None:
        await connection.hear_of_services(since, self._hurry.set)
        raise EngineError("it ended the stream of events")

    async def _list(self, connection: SwarmConnection) -> None:
        while True:
            self._take(await connection.listing())
            self._backoff.succeeded()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._hurry.wait()
            except TimeoutError:
                continue
            self._hurry.clear()
            for pause in HURRIED:
                await asyncio.sleep(pause)
                self._take(await connection.listing())

    def _take(self, now: Listing | None) -> None:
        before, self.listing = self.listing, now
        if before == now:
            return
        if before is not None and now is not None:
            self.unwanted = (self.unwanted | before.tasks.keys()) - now.tasks.keys()
        self._changed()

    def forget(self, ended: frozenset[str]) -> None:
        """Nothing is left of these tasks."""
        self.unwanted -= ended
