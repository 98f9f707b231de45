"""The Swarm platform: of this node the containers of tasks; on a manager also what services there are, and their sizes.

Every node tells of its own tasks, which only it can dial, so a task is never told of twice.  A manager also has the
Services made that labels ask for, and scales services: Swarm chooses who goes, and these are drained as it says so.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.resources.workloads import Container, ResourceRequirements
from discovery.assignments import replace_whole
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import (
    ContainerUsage,
    PlatformStanding,
    ReplicasChanged,
    ReplicaStatus,
    WorkloadStatus,
)
from discovery.platforms.docker.engine import EngineError, NotThere
from discovery.platforms.docker.observed import Place
from discovery.platforms.docker.observer import Observer
from discovery.platforms.docker.usage import Usage
from discovery.platforms.swarm.engine import SwarmConnection
from discovery.platforms.swarm.listing import Listing, SwarmService, SwarmTask
from discovery.platforms.swarm.manager import Manager
from discovery.platforms.swarm.publication import Publication, manifest, publication
from discovery.platforms.swarm.tasks import KIND, Tasks, matters

TASK_CONTAINER = "task"
"""What the only container of a task is called in metrics of type ContainerResource."""

log = logging.getLogger("weft.swarm")


class SwarmPlatform:
    """See `base.Platform`.  Needs a running event loop."""

    def __init__(self, host: str, random: Random, manifests: Path | None) -> None:
        """`host`: a URL as in DOCKER_HOST.

        `manifests`: the file for Services that labels ask for; None: they are made elsewhere.
        """
        self._host = host
        self._observer = Observer(
            self._connect, host=host, matters=matters, changed=self._changed, random=random, name="swarm"
        )
        self._manager = Manager(self._connect, changed=self._listed, random=random)
        self._tasks = Tasks()
        self._place = Place()
        self._publication = Publication((), ())
        self._manifests = manifests
        self._written = asyncio.Event()
        self._usage = Usage(self._stats, time.monotonic)
        self._subscribers: list[ReplicasChanged] = []
        self._running: list[asyncio.Task[None]] = []

    async def apply(self, config_set: ConfigSet) -> None:
        """Observe; Deployments do not become services."""
        node = config_set.node
        self._place = Place(node.node_name or socket.gethostname(), node.zone)
        if not self._running:
            loop = asyncio.get_running_loop()
            parts = (self._observer.run(), self._manager.run(), self._write(), self._usage.run())
            self._running = [loop.create_task(each, name="swarm") for each in parts]
        self._changed()

    def replicas(self) -> tuple[Replica, ...]:
        return self._tasks.replicas

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        """Of all services of the swarm, where this is a manager."""
        listing = self._manager.listing
        if listing is None:
            return ()
        named = sorted((each.named, each) for each in listing.services.values() if each.named is not None)
        return tuple(_status(name, each, _tasks(listing, each)) for name, each in named)

    def desired(self, name: Named) -> int | None:
        """Deployments do not run here."""
        return None

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        listing, service = self._service(workload)
        return _status(Named(*workload[1:]), service, _tasks(listing, service))

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Swarm chooses who goes, so `victims` is not looked at."""
        _, service = self._service(workload)
        connection = self._connect()
        try:
            await connection.scale(service.id, replicas)
        except NotThere:
            raise KeyError(workload) from None
        except EngineError as error:
            log.error("service %s cannot be scaled: %s", service.name, error)
        finally:
            await connection.close()

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        """Of the tasks that run here; what they asked for is known to managers only."""
        here = [each.id for each in self._tasks.replicas if each.workload == workload]
        try:
            requests = dict(self._service(workload)[1].requests)
        except KeyError:
            requests = {}
        spec = Container(name=TASK_CONTAINER, resources=ResourceRequirements(requests=requests))
        return {task: (self._usage.of(self._tasks.containers[task], spec),) for task in here}

    def standing(self) -> PlatformStanding:
        """Whether the engine is there, and which ports are not Weft's."""
        return replace(self._observer.standing, replicas=len(self._tasks.replicas), remarks=self._publication.remarks)

    async def close(self) -> None:
        """Observe no more; services run on."""
        for task in self._running:
            task.cancel()
        for task in self._running:
            with suppress(asyncio.CancelledError):
                await task
        self._running = []

    async def _stats(self, container: str) -> Mapping[str, Any]:
        connection = self._connect()
        try:
            return await connection.stats(container)
        finally:
            await connection.close()

    def _connect(self) -> SwarmConnection:
        return SwarmConnection(self._host)

    def _service(self, workload: WorkloadRef) -> tuple[Listing, SwarmService]:
        listing = self._manager.listing
        if listing is not None and workload.kind == KIND:
            for service in listing.services.values():
                if service.named == (workload.namespace, workload.name) and service.replicas is not None:
                    return listing, service
        raise KeyError(workload)

    def _listed(self) -> None:
        listing = self._manager.listing
        if listing is not None and self._manifests is not None:
            before, self._publication = self._publication, publication(listing.services.values())
            if self._publication.services != before.services or not self._manifests.exists():
                self._written.set()
        self._changed()

    def _changed(self) -> None:
        place = self._place._replace(kinds=self._observer.kinds)
        self._tasks.update(self._observer.observation.conditions, self._manager.unwanted, place, time.time())
        self._manager.forget(self._manager.unwanted - self._tasks.containers.keys())
        replicas = self._tasks.replicas
        for callback in self._subscribers:
            callback(replicas)

    async def _write(self) -> None:
        """Have the Services that labels ask for read like all that is written, until cancelled."""
        while self._manifests is not None:
            await self._written.wait()
            self._written.clear()
            content = manifest(self._publication.services)
            try:
                await asyncio.to_thread(replace_whole, self._manifests, content)
            except OSError as error:
                log.error("%s cannot be written: %s", self._manifests, error.strerror)


def _tasks(listing: Listing, service: SwarmService) -> list[SwarmTask]:
    return [each for each in listing.tasks.values() if each.service == service.id]


def _status(name: Named, service: SwarmService, tasks: list[SwarmTask]) -> WorkloadStatus:
    replicas = tuple(_replicas(tasks))
    ready = sum(each.ready for each in replicas)
    return WorkloadStatus(
        workload=WorkloadRef(KIND, *name),
        desired=len(tasks) if service.replicas is None else service.replicas,
        running=sum(each.running for each in replicas),
        ready=ready,
        message=next((each.message for each in replicas if each.message), ""),
        replicas=replicas,
        existing=len(replicas),
        available=ready,
    )


def _replicas(tasks: list[SwarmTask]) -> Iterator[ReplicaStatus]:
    for each in tasks:
        yield ReplicaStatus(
            id=each.id,
            ready=each.running,
            running=each.running,
            terminating=False,
            restarts=0,
            pending=not each.running,
            started=each.created,
            since=each.since,
            message=each.message,
        )
