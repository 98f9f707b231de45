"""The containers of one engine that others have started, as replicas: what both Docker's platforms are made of."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection
from random import Random

from msgspec.structs import replace

from config.configset import ConfigSet
from discovery.endpoint import Replica
from discovery.platforms.base import PlatformStanding
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.listening import Listening
from discovery.platforms.docker.observation import Matters
from discovery.platforms.docker.observed import Identity, Observed, Place
from discovery.platforms.docker.observer import Observer
from discovery.platforms.docker.sighting import Sighting
from discovery.prober import Prober


class Watched:
    """Needs a task of the caller for `run`."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        host: str,
        name: str,
        matters: Matters,
        identify: Callable[[Sighting], Identity | None],
        prober: Prober | None,
        random: Random,
        changed: Callable[[], None],
    ) -> None:
        """`host` and `name` are the platform's; `prober`: None where nothing is sent to containers.

        `changed` is called after each change of `replicas`, of the observer's conditions or of its standing.
        """
        self.observer = Observer(connect, host=host, matters=matters, changed=self.update, random=random, name=name)
        self.unwanted: Collection[str] = ()
        """Replicas that are to end, whatever the engine says."""
        self._observed = Observed(identify)
        self._listening = Listening(prober, self.update) if prober is not None else None
        self._place = Place()
        self._changed = changed

    @property
    def replicas(self) -> tuple[Replica, ...]:
        return self._observed.replicas

    @property
    def containers(self) -> dict[str, str]:
        """By replica."""
        return self._observed.containers

    @property
    def standing(self) -> PlatformStanding:
        """How the engine stands, and what is wrong with containers; of replicas those that others have started."""
        return replace(self.observer.standing, replicas=len(self.replicas), remarks=self._observed.remarks)

    def define(self, config_set: ConfigSet) -> None:
        """This is in force now."""
        node = config_set.node
        self._place = Place(node.node_name or socket.gethostname(), node.zone, services=config_set.services)
        self.update()

    def update(self) -> None:
        """Follow what is held of the containers."""
        if self._place.kinds is not self.observer.kinds:
            self._place = self._place._replace(kinds=self.observer.kinds)
        conditions, listening = self.observer.observation.conditions, self._listening
        accepted = listening.accepted if listening is not None else None
        self._observed.update(conditions, self._place, time.time(), accepted=accepted, unwanted=self.unwanted)
        self._changed()
        if listening is not None:
            listening.follow(self._observed.silent)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self.observer.run()
        finally:
            if self._listening is not None:
                self._listening.close()
