"""A runner whose replicas are only said to run: the test says what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from config.configset import ConfigSet
from config.resources.workloads import Container, Deployment
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, ReplicaStatus
from discovery.workloads.names import digest_of
from discovery.workloads.runner import CannotStart, RunnerChanged, Unrunnable
from tests.discovery.platforms.local import PORT, deployment


@dataclass(frozen=True)
class FakeRevision:
    digest: str


class FakeReplica:
    def __init__(self, workload: WorkloadRef, replica_id: str, digest: str, since: float = 0.0) -> None:
        self.workload = workload
        self.id = replica_id
        self.digest = digest
        self.since = since
        self.terminating = False
        self.message = ""
        self.serving = False

    @property
    def ready(self) -> bool:
        return self.serving and not self.terminating

    @property
    def published(self) -> Replica:
        return Replica(
            self.id, self.workload, {}, "", "127.0.0.1", (), self.ready, self.serving, self.terminating, self.since
        )

    def terminate(self) -> None:
        self.terminating = True

    def status(self) -> ReplicaStatus:
        return ReplicaStatus(self.id, self.ready, True, self.terminating, 0, since=self.since, message=self.message)

    def usage(self) -> tuple[ContainerUsage, ...]:
        return (ContainerUsage("main", 1.0),)


class FakeRunner:
    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.known = True
        self.room = 1000
        """Replicas that may be there at a time."""
        self.refused: set[str] = set()
        """Images that cannot run."""
        self.defined: list[ConfigSet] = []
        self.closed = False
        self.all: list[FakeReplica] = []
        self._clock = clock
        self._subscribers: list[RunnerChanged] = []

    async def define(self, config_set: ConfigSet) -> None:
        self.defined.append(config_set)

    def revise(self, deployment: Deployment) -> FakeRevision:
        template = deployment.spec.template
        if template.spec.containers[0].image in self.refused:
            raise Unrunnable((f"no command for {template.spec.containers[0].image}",))
        return FakeRevision(digest_of(msgspec.json.encode(template)))

    def start(self, workload: WorkloadRef, revision: FakeRevision, replica_id: str) -> None:
        if len(self.all) >= self.room:
            raise CannotStart("there is no room")
        self.all.append(FakeReplica(workload, replica_id, revision.digest, self._clock()))

    def replicas(self, workload: WorkloadRef) -> Sequence[FakeReplica]:
        return [replica for replica in self.all if replica.workload == workload]

    def workloads(self) -> Collection[WorkloadRef]:
        return list(dict.fromkeys(replica.workload for replica in self.all))

    def subscribe(self, changed: RunnerChanged) -> None:
        self._subscribers.append(changed)

    async def close(self) -> None:
        self.closed = True

    # What the test says

    def announce(self, workload: WorkloadRef | None) -> None:
        for changed in self._subscribers:
            changed(workload)

    def make_ready(self, replica: FakeReplica, *, ready: bool = True) -> None:
        replica.serving = ready
        replica.since = self._clock()
        self.announce(replica.workload)

    def end(self, replica: FakeReplica) -> None:
        self.all.remove(replica)
        self.announce(replica.workload)

    def become_ready(self) -> None:
        for replica in tuple(self.all):
            if not replica.terminating and not replica.ready:
                self.make_ready(replica)

    def end_terminating(self) -> None:
        for replica in tuple(self.all):
            if replica.terminating:
                self.end(replica)

    def settle(self) -> None:
        for _ in range(20):
            self.become_ready()
            self.end_terminating()


def shop(replicas: int, image: str = "shop:v1", **changes: Any) -> Deployment:
    """A Deployment; `changes` are those of its spec, and ``args`` of its container."""
    container = Container(name="main", image=image, ports=(PORT,), args=changes.pop("args", ()))
    wanted = deployment(replicas, container)
    return msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, **changes))
