"""One local replica: the containers of a pod as processes, on an address and ports of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config.resources.workloads import ContainerPort
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.base import ContainerUsage
from discovery.platforms.container import Container
from discovery.platforms.node import Node
from discovery.platforms.pod import Pod
from discovery.platforms.ports import Exhausted
from discovery.platforms.revision import Revision


class LocalReplica(Pod[Container]):
    """See `Pod`."""

    def __init__(
        self, node: Node, workload: WorkloadRef, revision: Revision, replica_id: str, changed: Callable[[], None]
    ) -> None:
        """Takes an address and ports of the node; `changed` is called when `published` differs.

        Raises Exhausted when the node has none left.
        """
        super().__init__(
            node, workload, replica_id, template=revision.template, labels=revision.labels,
            created=node.wall_clock(), changed=changed,
        )  # fmt: skip
        self.revision = revision
        self._node = node
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

    @property
    def digest(self) -> str:
        return self.revision.digest

    async def run(self) -> None:
        """See `Pod.run`; then address and ports are free again."""
        try:
            await super().run()
        finally:
            self._release()

    def reconfigure(self) -> None:
        for container in self._containers:
            container.observe()

    def usage(self) -> tuple[ContainerUsage, ...]:
        return tuple(container.usage() for container in self._containers)

    @property
    def _serving(self) -> bool:
        return all(container.ready for container in self._containers)

    def _logs(self) -> Iterator[str]:
        return (str(container.log_file) for container in self._containers)

    def _publish(self) -> Replica:
        return self._replica(self.address, tuple(port for ports in self._ports for port in ports))

    def _take_ports(self) -> Iterator[tuple[ReplicaPort, ...]]:
        for ports in self.revision.ports:
            yield tuple(self._take_port(port) for port in ports)

    def _take_port(self, port: ContainerPort) -> ReplicaPort:
        real = self._node.ports.take(self._node.reserved)
        self._taken.append(real)
        return ReplicaPort(port.container_port, real, port.name, port.protocol)

    def _make_containers(self) -> Iterator[Container]:
        pod = self._facts(self.address)
        for index, spec in enumerate(self._template.spec.containers):
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
                grace=self.grace,
                changed=self._follow,
            )

    def _is_target(self, port: ReplicaPort) -> bool:
        targets = {target.port for target in self.revision.targets if target.protocol == "TCP"}
        return port.protocol == "TCP" and not targets.isdisjoint({port.container_port, port.name})

    def _release(self) -> None:
        self._addresses.release(self.address)
        for port in self._taken:
            self._node.ports.release(port)
