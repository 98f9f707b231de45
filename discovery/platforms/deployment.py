"""One Deployment on this machine: its replicas, brought one step at a time to what is wanted.

What the next step is, `scaling.plan` decides; here it is carried out, after every change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

from config.resources.workloads import Deployment, DeploymentSpec
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage, WorkloadStatus
from discovery.platforms.node import Node
from discovery.platforms.ports import Exhausted
from discovery.platforms.replica import LocalReplica
from discovery.platforms.revision import Revision, Unrunnable, replica_id, revise
from discovery.platforms.scaling import Copy, plan

_AT_ONCE = 16
"""Replicas that are made before the loop turns: each takes a few hundred microseconds."""

log = logging.getLogger("weft.deployment")


class Owner(Protocol):
    """Who runs replicas and hears of changes."""

    def run(self, replica: LocalReplica, ended: Callable[[LocalReplica], None]) -> None:
        """Run `replica` in a task of its own and call `ended` afterwards."""

    def publish(self) -> None:
        """Something about a replica changed."""


class LocalDeployment:
    """The replicas of one Deployment.  Use from the event loop's thread."""

    def __init__(self, node: Node, owner: Owner, deployment: Deployment) -> None:
        """Runs nothing before the first `update`."""
        metadata = deployment.metadata
        self.workload = WorkloadRef("Deployment", metadata.namespace, metadata.name)
        self.replicas: list[LocalReplica] = []
        self._node = node
        self._owner = owner
        self._spec: DeploymentSpec = deployment.spec
        self._revision: Revision | None = None
        self._faults: tuple[str, ...] = ()
        self._desired = deployment.spec.replicas
        self.retired = False
        """It is gone from the manifests."""
        self._victims: frozenset[str] = frozenset()
        self._message = ""

    def update(self, deployment: Deployment, *, autoscaled: bool = False) -> None:
        """Follow the manifest; a number that `scale` set stands until the manifest's own changes.

        With `autoscaled` it stands even then, but that 0 in the manifest switches the Deployment off, and another
        number after that on.  A template that cannot run here leaves the last good one in force.
        """
        before, written = self._spec.replicas, deployment.spec.replicas
        if self.retired or (written != before and not (autoscaled and written and before)):
            self._desired = written
        self.retired = False
        self._spec = deployment.spec
        if self._revision is None or not deployment.spec.paused:
            self._revise(deployment)
        for replica in self.replicas:
            replica.reconfigure()
        self.reconcile()

    def scale(self, replicas: int, victims: Collection[str] = ()) -> None:
        self._desired = replicas
        self._victims = frozenset(victims)
        self.reconcile()

    def retire(self) -> None:
        """The Deployment is gone: stop all its replicas."""
        self.retired = True
        self.scale(0)

    def reconcile(self) -> None:
        """Take the next step, if there is one."""
        revision = self._revision
        if revision is None:
            return
        copies = [
            Copy(replica.id, replica.revision.digest == revision.digest, replica.ready, replica.terminating)
            for replica in self.replicas
        ]
        step = plan(self._desired, self._spec.strategy, copies, self._victims)
        for replica in self.replicas:
            if replica.id in step.stop:
                replica.terminate()
                log.info("replica is stopped", extra={"replica": replica.id})
        started = self._start(min(step.start, _AT_ONCE), revision)
        if started or step.stop:
            self._owner.publish()
        if started == _AT_ONCE:
            asyncio.get_running_loop().call_soon(self.reconcile)

    @property
    def desired(self) -> int:
        """Replicas that there are to be now."""
        return self._desired

    def usage(self) -> dict[str, tuple[ContainerUsage, ...]]:
        return {replica.id: replica.usage() for replica in self.replicas}

    def status(self) -> WorkloadStatus:
        statuses = tuple(replica.status() for replica in self.replicas)
        current = [status for status in statuses if not status.terminating]
        messages = [f"{status.id}: {status.message}" for status in current if status.message]
        return WorkloadStatus(
            workload=self.workload,
            desired=self._desired,
            running=sum(status.running for status in current),
            ready=sum(status.ready for status in current),
            updated=sum(self._is_current(replica) for replica in self.replicas),
            restarts=sum(status.restarts for status in current),
            message=next((text for text in (*self._faults, self._message, *messages) if text), ""),
            replicas=statuses,
        )

    def _revise(self, deployment: Deployment) -> None:
        before, self._faults = self._faults, ()
        try:
            self._revision = revise(deployment, self._node.config)
        except Unrunnable as error:
            self._faults = error.faults
        for fault in self._faults:
            if fault not in before:
                log.error("deployment cannot run", extra={"reason": fault})

    def _is_current(self, replica: LocalReplica) -> bool:
        if self._faults or self._revision is None or replica.terminating:
            return False
        return replica.revision.digest == self._revision.digest

    def _start(self, count: int, revision: Revision) -> int:
        """Start up to `count` replicas and return how many."""
        names = {replica.id for replica in self.replicas}
        for started in range(count):
            name = replica_id(self.workload.name, revision, self._node.random)
            while name in names:
                name = replica_id(self.workload.name, revision, self._node.random)
            names.add(name)
            try:
                replica = LocalReplica(self._node, self.workload, revision, name, self._on_change)
            except Exhausted as error:
                self._message = str(error)
                log.error("replica cannot be started", extra={"replica": name, "reason": self._message})
                return started
            self.replicas.append(replica)
            self._owner.run(replica, self._on_end)
        self._message = ""
        return count

    def _on_change(self) -> None:
        self._owner.publish()
        self.reconcile()

    def _on_end(self, replica: LocalReplica) -> None:
        self.replicas.remove(replica)
        self._on_change()
