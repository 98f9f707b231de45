"""The process platform: Deployments as processes of this machine, without containers and without root.

`ProcessRunner` makes replicas and owns the task of each; which there are to be, `workloads.deployments` decides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.resources.workloads import Deployment
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import Drained
from discovery.platforms.environment import ServedAt, as_written
from discovery.platforms.fleet import Fleet
from discovery.platforms.keeper import Keeper
from discovery.platforms.logs import LogFolder
from discovery.platforms.node import Node
from discovery.platforms.owned import OwnedTasks
from discovery.platforms.ports import Exhausted, PortPool
from discovery.platforms.replica import LocalReplica
from discovery.platforms.revision import Revision, revise
from discovery.prober import Prober
from discovery.workloads.deployments import Deployments
from discovery.workloads.runner import CannotStart


class ProcessRunner(Fleet[LocalReplica]):
    """Runs replicas as local processes (see `runner.Runner`).  Needs a running event loop."""

    known = True
    """None outlives weft: there is nothing to find."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._helpers = OwnedTasks()

    async def define(self, config_set: ConfigSet) -> None:
        if not self._helpers and config_set.deployments:
            self._node.keeper.start()
            self._helpers.start(self._node.logs.tend(), "logs")
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
        self._add(replica)

    async def close(self) -> None:
        """Drain and stop all replicas; when cancelled they are killed at once."""
        for replica in self._all():
            replica.terminate()
        self._announce(None)
        try:
            while self._running:
                await asyncio.wait(tuple(self._running))
        finally:
            await self._running.close()
            await self._helpers.close()
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
