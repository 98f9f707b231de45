"""The process platform: Deployments as processes of this machine, without containers and without root.

It keeps one `LocalDeployment` per Deployment, owns the task of every replica, and publishes what runs.  A
Deployment that is gone from the ConfigSet is scaled to nothing and forgotten.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from config.configset import ConfigSet
from config.meta import Named
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, Drained, ReplicasChanged, WorkloadStatus
from discovery.platforms.deployment import LocalDeployment
from discovery.platforms.environment import ServedAt, as_written
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.node import Node
from discovery.platforms.ports import PortPool
from discovery.platforms.replica import LocalReplica
from discovery.prober import Prober


class ProcessPlatform:
    """Runs Deployments as local processes (see `base.Platform`).  Needs a running event loop."""

    def __init__(
        self,
        *,
        state: Path,
        prober: Prober,
        drained: Drained,
        random: Random,
        environment: Mapping[str, str] = os.environ,
        restarts: BackoffPolicy = KUBERNETES_RESTARTS,
        served_at: ServedAt = as_written,
    ) -> None:
        """`state`: folder for ``logs/``; `prober` stays the caller's to close, after this.

        `served_at` is asked for each port of a Service when the first replica of a namespace starts.

        Raises OSError when the folder cannot be written.
        """
        self._node = Node(
            keeper=Keeper(random),
            prober=prober,
            logs=LogFolder(state / "logs"),
            ports=PortPool(random),
            drained=drained,
            random=random,
            environment=environment,
            restarts=restarts,
            served_at=served_at,
        )
        self._deployments: dict[Named, LocalDeployment] = {}
        self._subscribers: list[ReplicasChanged] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._tending: asyncio.Task[None] | None = None

    async def apply(self, config_set: ConfigSet) -> None:
        """Make the Deployments of `config_set` the ones that run; returns when all changes are under way."""
        if self._tending is None and config_set.deployments:
            self._node.keeper.start()
            self._tending = asyncio.get_running_loop().create_task(self._node.logs.tend())
        self._node.adopt(config_set)
        scaled = _autoscaled(config_set)
        for key, deployment in config_set.deployments.items():
            if key not in self._deployments:
                self._deployments[key] = LocalDeployment(self._node, self, deployment)
            self._deployments[key].update(deployment, autoscaled=key in scaled)
            await asyncio.sleep(0)
        for key in self._deployments.keys() - config_set.deployments.keys():
            self._deployments[key].retire()
        self._forget_gone()

    def replicas(self) -> tuple[Replica, ...]:
        """All replicas that exist, ready or not, by Deployment and then oldest first."""
        return tuple(replica.published for deployment in self._deployments.values() for replica in deployment.replicas)

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return tuple(self._deployments[key].status() for key in sorted(self._deployments))

    def desired(self, name: Named) -> int | None:
        """How many replicas a Deployment is to have now; None: it does not run here."""
        found = self._deployments.get(name)
        return found.desired if found is not None else None

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        return self._find(workload).status()

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        deployment = self._find(workload)
        if deployment.retired:  # it is gone; its last replicas are on their way
            raise KeyError(workload)
        deployment.scale(replicas, victims)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        found = self._deployments.get(Named(workload.namespace, workload.name))
        return found.usage() if found is not None and workload.kind == "Deployment" else {}

    async def close(self) -> None:
        """Drain and stop all replicas; when cancelled they are killed at once."""
        for deployment in self._deployments.values():
            deployment.retire()
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._stop_helpers()

    # What deployments ask of their owner

    def run(self, replica: LocalReplica, ended: Callable[[LocalReplica], None]) -> None:
        self._start(self._run(replica, ended))

    def publish(self) -> None:
        replicas = self.replicas()
        for callback in self._subscribers:
            callback(replicas)

    async def _run(self, replica: LocalReplica, ended: Callable[[LocalReplica], None]) -> None:
        try:
            await replica.run()
        finally:
            ended(replica)
            self._forget_gone()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            context = {"message": "a replica ended by a fault of the platform", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(context)

    def _find(self, workload: WorkloadRef) -> LocalDeployment:
        if workload.kind != "Deployment":
            raise KeyError(workload)
        return self._deployments[Named(workload.namespace, workload.name)]

    def _forget_gone(self) -> None:
        for key in self._deployments.keys() - self._node.config.deployments.keys():
            if not self._deployments[key].replicas:
                del self._deployments[key]

    async def _stop_helpers(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await self._node.keeper.close()


def _autoscaled(config_set: ConfigSet) -> set[Named]:
    """The Deployments whose number an autoscaler sets."""
    targets = ((name.namespace, hpa.spec.scale_target_ref) for name, hpa in config_set.autoscalers.items())
    return {Named(namespace, target.name) for namespace, target in targets if target.kind == "Deployment"}
