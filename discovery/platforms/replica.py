"""One local replica: the containers of a pod on an address of their own, from first start to last signal.

The order of its end matters: it is said to be terminating, so that no proxy picks it any more; then nothing
is in flight on it (`Drained`); only then comes SIGTERM.  Until its processes are gone its probes go on, so
`serving` stays true for as long as it still answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from config.resources.workloads import ContainerPort
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.base import ContainerUsage, ReplicaStatus
from discovery.platforms.container import Container
from discovery.platforms.environment import PodFacts
from discovery.platforms.node import Node
from discovery.platforms.ports import Exhausted
from discovery.platforms.revision import Revision

log = logging.getLogger("weft.replica")

_HOSTNAME_LIMIT = 63


class LocalReplica:
    """Runs the containers of one replica.  Whoever makes one awaits `run`."""

    def __init__(
        self, node: Node, workload: WorkloadRef, revision: Revision, replica_id: str, changed: Callable[[], None]
    ) -> None:
        """Takes an address and ports of the node; `changed` is called when `published` differs.

        Raises Exhausted when the node has none left.
        """
        self.id = replica_id
        self.revision = revision
        self.terminating = False
        self._node = node
        self._workload = workload
        self._changed = changed
        self._labels = revision.labels
        self._serving = False
        self._started = self._since = node.wall_clock()
        self._terminate = asyncio.Event()
        self._grace = float(revision.template.spec.termination_grace_period_seconds)
        self._addresses = node.addresses
        self.address = self._addresses.take()
        self._taken: list[int] = []
        try:
            self._ports = tuple(self._take_ports())
        except Exhausted:
            self._release()
            raise
        self._containers = tuple(self._make_containers())
        self.published = self._publish()
        """What everyone else sees of it; the same object until it differs."""

    @property
    def digest(self) -> str:
        return self.revision.digest

    @property
    def ready(self) -> bool:
        return self._serving and not self.terminating

    @property
    def since(self) -> float:
        """Unix time at which `ready` last changed; at first that at which the replica was made."""
        return self._since

    async def run(self) -> None:
        """Run the containers until `terminate`, drain, stop them; then address and ports are free again."""
        try:
            async with asyncio.TaskGroup() as group:
                for container in self._containers:
                    group.create_task(container.run())
                await self._terminate.wait()
                for container in self._containers:
                    container.retire()
                await self._drain()
                for container in self._containers:
                    container.stop()
        finally:
            self._release()

    def terminate(self) -> None:
        """Have `run` drain and stop the replica; not ready from this moment on."""
        if not self.terminating:
            self.terminating = True
            self._since = self._node.wall_clock()
            self.published = self._publish()
            self._terminate.set()

    def reconfigure(self) -> None:
        for container in self._containers:
            container.observe()

    def status(self) -> ReplicaStatus:
        ended = [(container.spec.name, container.last_end) for container in self._containers if container.last_end]
        said = [(container.spec.name, container.message) for container in self._containers if container.message]
        return ReplicaStatus(
            id=self.id,
            ready=self.ready,
            running=all(container.running for container in self._containers),
            terminating=self.terminating,
            restarts=sum(container.restarts for container in self._containers),
            last_end="; ".join(f"{name}: {why}" for name, why in ended),
            pending=any(container.pending for container in self._containers),
            started=self._started,
            since=self._since,
            message="; ".join(f"{name}: {message}" for name, message in said),
            logs=tuple(str(container.log_file) for container in self._containers),
        )

    def usage(self) -> tuple[ContainerUsage, ...]:
        return tuple(container.usage() for container in self._containers)

    async def _drain(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._grace
        try:
            async with asyncio.timeout_at(deadline):
                await self._node.drained(self.id, deadline)
        except TimeoutError:
            log.warning("replica is stopped with requests in flight", extra={"replica": self.id})

    def _publish(self) -> Replica:
        return Replica(
            id=self.id,
            workload=self._workload,
            labels=self._labels,
            node=self._node.name,
            address=self.address,
            ports=tuple(port for ports in self._ports for port in ports),
            ready=self.ready,
            serving=self._serving,
            terminating=self.terminating,
            since=self._since,
        )

    def _on_change(self) -> None:
        serving = all(container.ready for container in self._containers)
        if serving != self._serving:
            self._serving = serving
            if not self.terminating:
                self._since = self._node.wall_clock()
            self.published = self._publish()
            self._changed()

    def _take_ports(self) -> Iterable[tuple[ReplicaPort, ...]]:
        for ports in self.revision.ports:
            yield tuple(self._take_port(port) for port in ports)

    def _take_port(self, port: ContainerPort) -> ReplicaPort:
        real = self._node.ports.take(self._node.reserved)
        self._taken.append(real)
        return ReplicaPort(port.container_port, real, port.name, port.protocol)

    def _make_containers(self) -> Iterable[Container]:
        template = self.revision.template
        pod = PodFacts(
            name=self.id,
            namespace=self._workload.namespace,
            address=self.address,
            node=self._node.name,
            node_address=self._node.config.node.node_addresses[0] if self._node.config.node.node_addresses else "",
            hostname=(template.spec.hostname or self.id)[:_HOSTNAME_LIMIT],
            labels=self._labels,
            annotations=template.metadata.annotations,
        )
        for index, spec in enumerate(template.spec.containers):
            own = self._ports[index]
            others = tuple(port for ports in (*self._ports[:index], *self._ports[index + 1 :]) for port in ports)
            yield Container(
                self._node,
                pod,
                spec,
                self.revision.commands[index],
                ports=own,
                others=others,
                accept_ports=tuple(port.port for port in own if self._is_target(port)),
                grace=self._grace,
                changed=self._on_change,
            )

    def _is_target(self, port: ReplicaPort) -> bool:
        targets = {target.port for target in self.revision.targets if target.protocol == "TCP"}
        return port.protocol == "TCP" and not targets.isdisjoint({port.container_port, port.name})

    def _release(self) -> None:
        self._addresses.release(self.address)
        for port in self._taken:
            self._node.ports.release(port)
