"""The Docker platform: what runs on one engine, whoever has started it."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from random import Random

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, PlatformStanding, ReplicasChanged, WorkloadStatus
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.labels import service_of
from discovery.platforms.docker.observed import Observed, Place
from discovery.platforms.docker.observer import Observer


class DockerPlatform:
    """Observes containers (see `base.Platform`).  Needs a running event loop."""

    def __init__(self, host: str, random: Random) -> None:
        """`host`: a URL as in DOCKER_HOST."""
        self._observer = Observer(
            lambda: Connection(host), host=host, matters=lambda labels: service_of(labels) is not None,
            changed=self._changed, random=random,
        )  # fmt: skip
        self._observed = Observed()
        self._place = Place()
        self._subscribers: list[ReplicasChanged] = []
        self._running: asyncio.Task[None] | None = None

    async def apply(self, config_set: ConfigSet) -> None:
        """Observe, and call this machine what the NodeConfig does."""
        self._adopt(config_set.node)
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._observer.run(), name="docker")
        self._changed()

    def replicas(self) -> tuple[Replica, ...]:
        return self._observed.replicas

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return ()

    def desired(self, name: Named) -> int | None:
        """None: no Deployment runs here."""
        return None

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        raise KeyError(workload)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        raise KeyError(workload)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        return {}

    def standing(self) -> PlatformStanding:
        """Whether the engine is there."""
        return replace(self._observer.standing, replicas=len(self.replicas()))

    async def close(self) -> None:
        """Observe no more; the containers run on."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    def _adopt(self, node: NodeConfigSpec) -> None:
        self._place = Place(node.node_name or socket.gethostname(), node.zone)

    def _changed(self) -> None:
        place = self._place._replace(kinds=self._observer.kinds)
        self._observed.update(self._observer.observation.conditions, place, time.time())
        for callback in self._subscribers:
            callback(self._observed.replicas)
