"""One Deployment: its replicas, brought one step at a time to what is wanted.

What the next step is, `rollout.plan` decides; here it is carried out on a `Runner`, after every change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from random import Random
from typing import Generic

from config.resources.workloads import Deployment, DeploymentSpec
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage, WorkloadStatus
from discovery.workloads.names import replica_id
from discovery.workloads.rollout import Copy, Plan, plan
from discovery.workloads.runner import CannotStart, R, ReplicaHandle, Runner, Unrunnable

_AT_ONCE = 16
"""Replicas that are made before the loop turns: each takes a few hundred microseconds."""

log = logging.getLogger("weft.deployment")


class Reconciler(Generic[R]):
    """The replicas of one Deployment.  Use from the event loop's thread."""

    def __init__(self, runner: Runner[R], deployment: Deployment, random: Random, publish: Callable[[], None]) -> None:
        """Runs nothing before the first `update`; `publish` is called after a step that changed anything."""
        metadata = deployment.metadata
        self.workload = WorkloadRef("Deployment", metadata.namespace, metadata.name)
        self.retired = False
        """It is gone from the manifests."""
        self._runner = runner
        self._random = random
        self._publish = publish
        self._spec: DeploymentSpec = deployment.spec
        self._revision: R | None = None
        self._faults: tuple[str, ...] = ()
        self._desired = deployment.spec.replicas
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
        self.reconcile()

    def scale(self, replicas: int, victims: Collection[str] = ()) -> None:
        self._desired = replicas
        self._victims = frozenset(victims)
        self.reconcile()

    def retire(self) -> None:
        """The Deployment is gone: stop all its replicas."""
        self.retired = True
        self._desired = 0
        self.reconcile()

    def reconcile(self) -> None:
        """Take the next step, if there is one."""
        if not self._runner.known:
            return
        step = self._next()
        for replica in self.replicas:
            if replica.id in step.stop:
                replica.terminate()
                log.info("replica is stopped", extra={"replica": replica.id})
        started = self._start(min(step.start, _AT_ONCE))
        if started or step.stop:
            self._publish()
        if started == _AT_ONCE:
            asyncio.get_running_loop().call_soon(self.reconcile)

    def _next(self) -> Plan:
        replicas = self.replicas
        if self.retired:
            return Plan(stop=tuple(replica.id for replica in replicas if not replica.terminating))
        if self._revision is None:
            return Plan()
        digest = self._revision.digest
        copies = [Copy(each.id, each.digest == digest, each.ready, each.terminating) for each in replicas]
        return plan(self._desired, self._spec.strategy, copies, self._victims)

    @property
    def replicas(self) -> tuple[ReplicaHandle, ...]:
        """All that exist, oldest first."""
        return tuple(self._runner.replicas(self.workload))

    @property
    def desired(self) -> int:
        """Replicas that there are to be now."""
        return self._desired

    def usage(self) -> dict[str, tuple[ContainerUsage, ...]]:
        return {replica.id: replica.usage() for replica in self.replicas}

    def status(self) -> WorkloadStatus:
        replicas = self.replicas
        statuses = tuple(replica.status() for replica in replicas)
        current = [status for status in statuses if not status.terminating]
        messages = [f"{status.id}: {status.message}" for status in current if status.message]
        return WorkloadStatus(
            workload=self.workload,
            desired=self._desired,
            running=sum(status.running for status in current),
            ready=sum(status.ready for status in current),
            updated=sum(self._is_current(replica) for replica in replicas),
            restarts=sum(status.restarts for status in current),
            message=next((text for text in (*self._faults, self._message, *messages) if text), ""),
            replicas=statuses,
        )

    def _revise(self, deployment: Deployment) -> None:
        before, self._faults = self._faults, ()
        try:
            self._revision = self._runner.revise(deployment)
        except Unrunnable as error:
            self._faults = error.faults
        for fault in self._faults:
            if fault not in before:
                log.error("deployment cannot run", extra={"reason": fault})

    def _is_current(self, replica: ReplicaHandle) -> bool:
        if self._faults or self._revision is None or replica.terminating:
            return False
        return replica.digest == self._revision.digest

    def _start(self, count: int) -> int:
        """Start up to `count` replicas and return how many."""
        revision = self._revision
        if revision is None:
            return 0
        taken = {replica.id for replica in self.replicas}
        for started in range(count):
            name = replica_id(self.workload.name, revision.digest, self._random, taken)
            taken.add(name)
            try:
                self._runner.start(self.workload, revision, name)
            except CannotStart as error:
                self._message = str(error)
                log.error("replica cannot be started", extra={"replica": name, "reason": self._message})
                return started
        self._message = ""
        return count
