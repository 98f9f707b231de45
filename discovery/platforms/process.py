"""The process platform: Deployments as processes of this machine, without containers and without root.

`ProcessRunner` makes replicas and owns the task of each; which there are to be, `workloads.deployments` decides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.resources.workloads import Deployment
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import Drained
from discovery.platforms.environment import ServedAt, as_written
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.node import Node
from discovery.platforms.ports import Exhausted, PortPool
from discovery.platforms.replica import LocalReplica
from discovery.platforms.revision import Revision, revise
from discovery.prober import Prober
from discovery.workloads.deployments import Deployments
from discovery.workloads.runner import CannotStart, RunnerChanged


class ProcessRunner:
    """Runs replicas as local processes (see `runner.Runner`).  Needs a running event loop."""

    known = True
    """None outlives weft: there is nothing to find."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._replicas: dict[WorkloadRef, list[LocalReplica]] = {}
        self._subscribers: list[RunnerChanged] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._tending: asyncio.Task[None] | None = None

    async def define(self, config_set: ConfigSet) -> None:
        if self._tending is None and config_set.deployments:
            self._node.keeper.start()
            self._tending = asyncio.get_running_loop().create_task(self._node.logs.tend())
        self._node.adopt(config_set)
        for replica in self._all():
            replica.reconfigure()

    def revise(self, deployment: Deployment) -> Revision:
        """What `deployment` runs here; raises Unrunnable."""
        return revise(deployment, self._node.config)

    def start(self, workload: WorkloadRef, revision: Revision, replica_id: str) -> None:
        """Raises CannotStart when the node has no address or port left."""
        try:
            replica = LocalReplica(self._node, workload, revision, replica_id, lambda: self._announce(workload))
        except Exhausted as error:
            raise CannotStart(str(error)) from None
        self._replicas.setdefault(workload, []).append(replica)
        task = asyncio.get_running_loop().create_task(self._run(workload, replica))
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def replicas(self, workload: WorkloadRef) -> Sequence[LocalReplica]:
        return tuple(self._replicas.get(workload, ()))

    def workloads(self) -> Collection[WorkloadRef]:
        return tuple(self._replicas)

    def subscribe(self, changed: RunnerChanged) -> None:
        self._subscribers.append(changed)

    async def close(self) -> None:
        """Drain and stop all replicas; when cancelled they are killed at once."""
        for replica in self._all():
            replica.terminate()
        self._announce(None)
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._stop_helpers()

    def _all(self) -> list[LocalReplica]:
        return [replica for replicas in self._replicas.values() for replica in replicas]

    def _announce(self, workload: WorkloadRef | None) -> None:
        for changed in self._subscribers:
            changed(workload)

    async def _run(self, workload: WorkloadRef, replica: LocalReplica) -> None:
        try:
            await replica.run()
        finally:
            self._replicas[workload].remove(replica)
            if not self._replicas[workload]:
                del self._replicas[workload]
            self._announce(workload)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            context = {"message": "a replica ended by a fault of the platform", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(context)

    async def _stop_helpers(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await self._node.keeper.close()


class ProcessPlatform(Deployments[Revision]):
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
        """`state`: folder for ``logs/`` and ``rollouts/``; `prober` stays the caller's to close, after this.

        `served_at` is asked for each port of a Service when the first replica of a namespace starts.

        Raises OSError when the folder cannot be written.
        """
        node = Node(
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
        super().__init__(ProcessRunner(node), random, state / "rollouts")
