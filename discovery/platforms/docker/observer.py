"""Observer: keeps an `Observation` up to date with a real engine, however often that goes away and comes back.

Events are heard from before the containers are listed, so nothing is missed in between.  While the engine is gone,
slow or restarting, what was known last stays, and `standing` says that it is stale.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from random import Random
from typing import Final

from discovery.backoff import BackoffPolicy
from discovery.platforms.base import PlatformStanding
from discovery.platforms.docker.condition import Event
from discovery.platforms.docker.engine import Connection, EngineError, NotThere
from discovery.platforms.docker.observation import Matters, Observation
from discovery.platforms.docker.sessions import RECONNECTS, Sessions
from discovery.platforms.docker.sighting import sighting

HEARTBEAT: Final = 10.0
"""Seconds after which a silent engine is asked whether it is still there, and for the list."""

log = logging.getLogger("weft.docker")


class Observer(Sessions[Connection]):
    """Needs a task of the caller for `run`."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        host: str,
        matters: Matters,
        changed: Callable[[], None],
        random: Random,
        reconnects: BackoffPolicy = RECONNECTS,
        name: str = "docker",
    ) -> None:
        """`changed` is called after each change of `observation.conditions` or of `standing.connected`.

        `name`: of the platform.
        """
        super().__init__(connect, random, reconnects)
        self.observation = Observation(matters)
        self.kinds: dict[str, str] = {}
        """Each network's driver; the same object until that differs."""
        self.standing = PlatformStanding(name, host, connected=False, reason="it has not answered yet")
        self._matters = matters
        self._changed = changed
        self._wake = asyncio.Event()
        self._lost_before = False

    async def _session(self, connection: Connection) -> None:
        since = self.observation.begin(float(await connection.now()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(connection, since))
            group.create_task(self._look(connection))
            await self._list(connection, afresh=True)
            while True:
                await asyncio.sleep(HEARTBEAT)
                await self._list(connection, afresh=False)

    async def _hear(self, connection: Connection, since: str) -> None:
        await connection.follow(since, self._happened)
        raise EngineError("it ended the stream of events")

    async def _list(self, connection: Connection, *, afresh: bool) -> None:
        await self._learn_kinds(connection)
        listed = await connection.containers()
        self.observation.listed([name for name, labels in listed.items() if self._matters(labels)], afresh=afresh)
        self._wake.set()
        if self.observation.forgive():
            self._changed()

    async def _look(self, connection: Connection) -> None:
        """Look at what is to be looked at, whenever there is something; changes are told when all is seen."""
        changed = False
        await self._wake.wait()
        while True:
            name = self.observation.look()
            if name is not None:
                changed |= await self._look_at(connection, name)
                continue
            self._found()
            if changed:
                self._changed()
            changed = False
            self._wake.clear()
            await self._wake.wait()

    async def _look_at(self, connection: Connection, name: str) -> bool:
        try:
            now = sighting(await connection.inspect(name))
        except NotThere:
            return self.observation.absent(name)
        except ValueError as error:
            raise EngineError(str(error)) from None
        if not self.kinds.keys() >= now.addresses.keys():
            await self._learn_kinds(connection)
        return self.observation.seen(name, now)

    async def _learn_kinds(self, connection: Connection) -> None:
        if (kinds := await connection.networks()) != self.kinds:
            self.kinds = kinds

    def _happened(self, event: Event) -> None:
        if self.observation.happened(event):
            self._changed()
        if self.observation.unseen:
            self._wake.set()

    def _found(self) -> None:
        if not self.standing.connected:
            if self._lost_before:
                log.info("the engine is there again")
            self._stand(connected=True, reason="")

    def _lost(self, reason: str) -> None:
        if self.standing.connected or not self._lost_before:
            known = self.standing.connections > 0
            text = "is gone: what runs is taken to be as it was" if known else "cannot be reached: it is tried again"
            log.warning("the engine %s", text, extra={"engine": self.standing.host, "reason": reason})
        self._lost_before = True
        self._stand(connected=False, reason=reason)

    def _stand(self, *, connected: bool, reason: str) -> None:
        before = self.standing
        changed = connected != before.connected
        self.standing = PlatformStanding(
            name=before.name, host=before.host, connected=connected, reason=reason,
            since=time.time() if changed else before.since,
            connections=before.connections + (changed and connected),
        )  # fmt: skip
        if changed:
            self._changed()
