"""The Swarm platform: of this node the containers of tasks; on a manager also what services there are, and their sizes.

Every node tells of its own tasks, which only it can dial, so a task is never told of twice.  A manager also has the
manifests made that labels ask for, and scales services: Swarm chooses who goes.  A task that its manager does not want
any more is terminating, mostly before it gets its signal; that it ends the engine tells, as of any container.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.resources.workloads import Container, ResourceRequirements
from discovery.assignments import replace_whole
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, PlatformStanding, ReplicasChanged, WorkloadStatus
from discovery.platforms.docker.engine import EngineError, NotThere
from discovery.platforms.docker.observed import Identity
from discovery.platforms.docker.sighting import Sighting
from discovery.platforms.docker.usage import Usage
from discovery.platforms.docker.watched import Watched
from discovery.platforms.owned import OwnedTasks
from discovery.platforms.swarm.engine import SwarmConnection
from discovery.platforms.swarm.labels import KIND, named_in
from discovery.platforms.swarm.listing import Listing, SwarmService
from discovery.platforms.swarm.manager import Manager
from discovery.platforms.swarm.publication import Publication, manifest, publication
from discovery.platforms.swarm.status import status_of, statuses
from discovery.platforms.swarm.tasks import identify, matters
from discovery.prober import Prober

TASK_CONTAINER: Final = "task"
"""What the only container of a task is called in metrics of type ContainerResource."""
REWRITE_SECONDS: Final = 5.0
"""After which a file that could not be written is tried again."""

log = logging.getLogger("weft.swarm")


class SwarmPlatform:
    """See `base.Platform`.  Needs a running event loop."""

    def __init__(self, host: str, random: Random, prober: Prober | None, manifests: Path | None) -> None:
        """`host`: a URL as in DOCKER_HOST; `prober`: None where nothing is sent to tasks.

        `manifests`: the file for what labels ask for; None: that is made elsewhere.  Raises EngineError.
        """
        connect = partial(SwarmConnection, host)
        self._engine = connect()
        self._watched = Watched(
            connect, host=host, name="swarm", matters=matters, identify=self._identify, prober=prober, random=random,
            changed=self._changed,
        )  # fmt: skip
        self._manager = Manager(connect, changed=self._listed, random=random)
        self._named: Mapping[str, Named] = {}
        self._first_seen: dict[str, float] = {}
        """Since when each task is known to be here, in the loop's seconds."""
        self._listing: Listing | None = None
        self._publication: Publication | None = None
        """None: nothing has been listed yet."""
        self._manifests = manifests
        self._found = asyncio.Event()
        self._usage = Usage(self._engine.stats, time.monotonic)
        self._subscribers: list[ReplicasChanged] = []
        self._tasks = OwnedTasks()

    async def apply(self, config_set: ConfigSet) -> None:
        """Observe; Deployments do not become services."""
        if not self._tasks:
            for part in (self._watched.run(), self._manager.run(), self._usage.run()):
                self._tasks.start(part, "swarm")
            if self._manifests is not None:
                self._tasks.start(self._write(self._manifests), "swarm")
        self._named = named_in(config_set)
        self._watched.define(config_set)

    def replicas(self) -> tuple[Replica, ...]:
        return self._watched.replicas

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        """Of all services of the swarm, where this is a manager."""
        listing = self._manager.listing
        return tuple(statuses(listing)) if listing is not None else ()

    def size(self, name: Named) -> int | None:
        """How many tasks a Swarm service is to have; None: it has no number, or that is not known here."""
        try:
            return self._service(WorkloadRef(KIND, *name))[1].replicas
        except KeyError:
            return None

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        listing, service = self._service(workload)
        return status_of(listing, Named(*workload[1:]), service)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Swarm chooses who goes, so `victims` is not looked at.  Raises OSError when the swarm does not take it."""
        _, service = self._service(workload)
        try:
            await self._engine.scale(service.id, replicas)
        except NotThere:
            raise KeyError(workload) from None
        except EngineError as error:
            raise OSError(f"service {service.name} cannot be scaled: {error}") from None

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        """Of the tasks that run here; what they asked for is known to managers only."""
        here = [each.id for each in self.replicas() if each.workload == workload]
        try:
            requests = dict(self._service(workload)[1].requests)
        except KeyError:
            requests = {}
        spec = Container(name=TASK_CONTAINER, resources=ResourceRequirements(requests=requests))
        return {task: (self._usage.of(self._watched.containers[task], spec),) for task in here}

    def standing(self) -> PlatformStanding:
        """Whether the engine is there, which ports are not Weft's, and why labels may not count."""
        standing = self._watched.standing
        published = self._publication.remarks if self._publication is not None else ()
        trouble = (self._manager.trouble,) if self._manifests is not None and self._manager.trouble else ()
        return replace(standing, remarks=(*trouble, *published, *standing.remarks))

    async def close(self) -> None:
        """Observe no more; services run on."""
        try:
            await self._tasks.close()
        finally:
            await self._engine.close()

    def _identify(self, seen: Sighting) -> Identity | None:
        return identify(seen, self._named)

    def _service(self, workload: WorkloadRef) -> tuple[Listing, SwarmService]:
        listing = self._manager.listing
        if listing is not None and workload.kind == KIND:
            for service in listing.services.values():
                if service.named == (workload.namespace, workload.name) and service.replicas is not None:
                    return listing, service
        raise KeyError(workload)

    def _listed(self) -> None:
        was, listing = self._listing, self._manager.listing
        self._listing = listing
        if listing is not None and (was is None or was.services != listing.services):
            self._publish(listing.services.values())
        unwanted = self._unwanted()
        if listing is not was or unwanted != self._watched.unwanted:
            self._watched.unwanted = unwanted
            self._watched.update()

    def _publish(self, services: Collection[SwarmService]) -> None:
        """Have what labels ask for written, if that differs."""
        if self._manifests is not None:
            before, self._publication = self._publication, publication(services)
            if before is None or self._publication[:2] != before[:2]:
                self._found.set()

    def _unwanted(self) -> frozenset[str]:
        """Tasks that run here although a manager, asked after they were seen, did not know them as wanted."""
        listing, asked = self._manager.listing, self._manager.asked
        if listing is None:
            return frozenset()
        return frozenset(task for task, seen in self._first_seen.items() if seen < asked and task not in listing.tasks)

    def _changed(self) -> None:
        now, replicas = asyncio.get_running_loop().time(), self._watched.replicas
        self._first_seen = {each.id: self._first_seen.get(each.id, now) for each in replicas}
        for callback in self._subscribers:
            callback(replicas)

    async def _write(self, file: Path) -> None:
        """Have what labels ask for read like all that is written, until cancelled."""
        while True:
            await self._found.wait()
            self._found.clear()
            content = manifest(self._publication or Publication())
            try:
                await asyncio.to_thread(replace_whole, file, content)
            except OSError as error:
                log.error("%s cannot be written: %s", file, error.strerror)
                await asyncio.sleep(REWRITE_SECONDS)
                self._found.set()
