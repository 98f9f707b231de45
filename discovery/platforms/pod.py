"""A replica, whatever runs it: the containers of a pod, from their first start to the last signal.

The order of its end matters: it is said to be terminating, so that no proxy picks it any more; then nothing
is in flight on it (`Drained`); only then comes the stop signal.  Until its programs are gone its probes go on, so
`serving` stays true for as long as it still answers.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from config.resources.workloads import Container as ContainerSpec
from config.resources.workloads import PodTemplate
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.base import ContainerUsage, Drained, ReplicaStatus
from discovery.platforms.environment import PodFacts
from discovery.platforms.restarted import Home

log = logging.getLogger("weft.replica")

_HOSTNAME_LIMIT = 63


class Ground(Home, Protocol):
    """What all replicas of one platform share."""

    @property
    def name(self) -> str:
        """The node's."""

    @property
    def drained(self) -> Drained: ...
    @property
    def wall_clock(self) -> Callable[[], float]:
        """Unix time."""


class Part(Protocol):
    """One container of a replica."""

    @property
    def spec(self) -> ContainerSpec: ...
    @property
    def message(self) -> str: ...
    @property
    def last_end(self) -> str: ...
    @property
    def restarts(self) -> int: ...
    @property
    def pending(self) -> bool: ...
    @property
    def running(self) -> bool: ...
    @property
    def ready(self) -> bool: ...

    async def run(self) -> None:
        """Until `stop`."""

    def observe(self) -> None:
        """The configuration, or what is known of it, changed."""

    def retire(self) -> None:
        """Never start it again."""

    def stop(self) -> None:
        """End it."""


C = TypeVar("C", bound=Part)


class Pod(ABC, Generic[C]):
    """Runs the containers of one replica.  Whoever makes one awaits `run`."""

    published: Replica
    """What everyone else sees of it; the same object until it differs."""
    _containers: Sequence[C]

    def __init__(
        self,
        ground: Ground,
        workload: WorkloadRef,
        replica_id: str,
        *,
        template: PodTemplate,
        labels: Mapping[str, str],
        created: float,
        changed: Callable[[], None],
    ) -> None:
        """`created`: Unix time; `changed` is called when `published` differs."""
        self.id = replica_id
        self.workload = workload
        self.terminating = False
        self.created = self.since = created
        """`since`: when `ready` last changed; at first when the replica was made."""
        self.grace = float(template.spec.termination_grace_period_seconds)
        self._ground = ground
        self._template = template
        self._labels = dict(labels)
        self._changed = changed
        self._terminate = asyncio.Event()

    @property
    def ready(self) -> bool:
        return not self.terminating and self._serving and all(each.ready for each in self._containers)

    async def run(self) -> None:
        """Run the containers until `terminate`, drain, stop them."""
        async with asyncio.TaskGroup() as group:
            for container in self._containers:
                group.create_task(container.run())
            await self._terminate.wait()
            for container in self._containers:
                container.retire()
            await self._drain()
            for container in self._containers:
                container.stop()

    def terminate(self) -> None:
        """Have `run` drain and stop the replica; not ready from this moment on."""
        if not self.terminating:
            self.terminating = True
            self.since = self._ground.wall_clock()
            self.published = self._publish()
            self._terminate.set()

    def status(self) -> ReplicaStatus:
        ended = [(each.spec.name, each.last_end) for each in self._containers if each.last_end]
        said = [(each.spec.name, each.message) for each in self._containers if each.message]
        return ReplicaStatus(
            id=self.id,
            ready=self.ready,
            running=all(each.running for each in self._containers),
            terminating=self.terminating,
            restarts=sum(each.restarts for each in self._containers),
            last_end="; ".join(f"{name}: {why}" for name, why in ended),
            pending=any(each.pending for each in self._containers),
            started=self.created,
            since=self.since,
            message="; ".join(f"{name}: {message}" for name, message in said),
            logs=tuple(self._logs()),
        )

    @abstractmethod
    def usage(self) -> tuple[ContainerUsage, ...]:
        """What its containers use now."""

    # For those that build on this

    @property
    @abstractmethod
    def _serving(self) -> bool:
        """Whether it answers."""

    @abstractmethod
    def _logs(self) -> Iterator[str]:
        """Where the output of each container is."""

    @abstractmethod
    def _publish(self) -> Replica:
        """It as everyone else is to see it now: `_replica`."""

    def _replica(
        self, address: str, ports: tuple[ReplicaPort, ...], *, zone: str = "", inside: bool = False
    ) -> Replica:
        return Replica(
            id=self.id,
            workload=self.workload,
            labels=self._labels,
            node=self._ground.name,
            address=address,
            ports=ports,
            ready=self.ready,
            serving=self._serving,
            terminating=self.terminating,
            since=self.since,
            zone=zone,
            inside=inside,
        )

    def _follow(self) -> None:
        """Publish what differs."""
        was, now = self.published, self._publish()
        if now != was:
            if now.ready != was.ready and not self.terminating:
                self.since = self._ground.wall_clock()
                now = self._publish()
            self.published = now
            self._changed()

    def _facts(self, address: str, listens: str = "") -> PodFacts:
        """What the containers can ask for."""
        template, addresses = self._template, self._ground.config.node.node_addresses
        return PodFacts(
            name=self.id,
            namespace=self.workload.namespace,
            address=address,
            listens=listens,
            node=self._ground.name,
            node_address=addresses[0] if addresses else "",
            hostname=(template.spec.hostname or self.id)[:_HOSTNAME_LIMIT],
            labels=self._labels,
            annotations=template.metadata.annotations,
        )

    async def _drain(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.grace
        try:
            async with asyncio.timeout_at(deadline):
                await self._ground.drained(self.id, deadline)
        except TimeoutError:
            log.warning("replica is stopped with requests in flight", extra={"replica": self.id})
