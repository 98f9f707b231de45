"""The Docker platform: containers of one engine, those that others start and, where it runs Deployments, its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from config.configset import ConfigSet
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, Drained, PlatformStanding, ReplicasChanged, WorkloadStatus
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.labels import SWARM_TASK, WORKLOAD, service_of
from discovery.platforms.docker.observed import identify
from discovery.platforms.docker.runner import DockerRevision, DockerRunner
from discovery.platforms.docker.watched import Watched
from discovery.platforms.environment import ServedAt, as_written
from discovery.platforms.owned import OwnedTasks
from discovery.prober import Prober
from discovery.workloads.deployments import Deployments


class Running(NamedTuple):
    """What Deployments need to run."""

    history: Path
    """Folder, in the state folder, for what is kept of rollouts; of several wefts on one engine each has its own."""
    drained: Drained
    served_at: ServedAt = as_written
    restarts: BackoffPolicy = KUBERNETES_RESTARTS


class DockerPlatform:
    """See `base.Platform`.  Needs a running event loop."""

    def __init__(self, host: str, random: Random, prober: Prober, running: Running | None = None) -> None:
        """`host`: a URL as in DOCKER_HOST; `running`: None where Deployments are not run here.  Raises EngineError."""
        self._watched = Watched(
            lambda: Connection(host), host=host, name="docker", matters=_matters, identify=identify, prober=prober,
            random=random, changed=self._changed,
        )  # fmt: skip
        self._subscribers: list[ReplicasChanged] = []
        self._tasks = OwnedTasks()
        self._runner: DockerRunner | None = None
        self.deployments: Deployments[DockerRevision] | None = None
        """None: they are not run here."""
        if running is not None:
            self._runner = DockerRunner(
                Host(
                    engine=Connection(host), conditions=self._watched.observer.observation.conditions, prober=prober,
                    drained=running.drained, random=random, restarts=running.restarts, served_at=running.served_at,
                    state=str(running.history.resolve().parent),
                )
            )  # fmt: skip
            self.deployments = Deployments(self._runner, random, running.history)
            self.deployments.subscribe(lambda _: self._publish())

    async def apply(self, config_set: ConfigSet) -> None:
        """Observe, and make the Deployments of `config_set` the ones that run."""
        if not self._tasks:
            self._tasks.start(self._watched.run(), "docker")
        self._watched.define(config_set)
        if self.deployments is not None:
            await self.deployments.apply(config_set)

    def replicas(self) -> tuple[Replica, ...]:
        """All that have an address, of others and then our own."""
        own = self.deployments.replicas() if self.deployments is not None else ()
        return (*self._watched.replicas, *(replica for replica in own if replica.address))

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return self.deployments.statuses() if self.deployments is not None else ()

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        if self.deployments is None:
            raise KeyError(workload)
        return await self.deployments.read(workload)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        if self.deployments is None:
            raise KeyError(workload)
        await self.deployments.set(workload, replicas, victims)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        return self.deployments.usage(workload) if self.deployments is not None else {}

    def standing(self) -> PlatformStanding:
        """Whether the engine is there, and what is wrong with containers."""
        return replace(self._watched.standing, replicas=len(self.replicas()))

    async def close(self) -> None:
        """Observe no more; containers run on, and those of Deployments are found again."""
        try:
            if self.deployments is not None:
                await self.deployments.close()
        finally:
            await self._tasks.close()

    def _changed(self) -> None:
        if self._runner is not None:
            self._runner.observe()
        self._publish()

    def _publish(self) -> None:
        replicas = self.replicas()
        for callback in self._subscribers:
            callback(replicas)


def _matters(labels: Mapping[str, str]) -> bool:
    return SWARM_TASK not in labels and (WORKLOAD in labels or service_of(labels) is not None)
