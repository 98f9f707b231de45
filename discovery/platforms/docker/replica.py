"""One replica of a Deployment: the containers of a pod, which share the first one's network.

They outlive this weft: when `run` is cancelled, they run on, and the next one finds them by their labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import is_

import msgspec

from discovery.endpoint import Replica
from discovery.platforms.base import ContainerUsage
from discovery.platforms.docker.body import ports_of
from discovery.platforms.docker.container import DockerContainer
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.mark import Mark
from discovery.platforms.docker.usage import Usage
from discovery.platforms.pod import Pod
from discovery.platforms.revision import targets_of
from discovery.workloads.names import HASH_LABEL

ANYWHERE = "0.0.0.0"
"""Where the programs of a container are to listen: it has a network of its own."""


class DockerReplica(Pod[DockerContainer]):
    """Runs the containers of one replica, or finds them running.  See `Pod`."""

    def __init__(
        self, host: Host, mark: Mark, found: Mapping[str, str], usage: Usage, changed: Callable[[], None]
    ) -> None:
        """`mark`: of any of its containers; `found`: ids of those that there are, by container.

        `changed` is called when `published` differs.
        """
        labels = {**mark.template.metadata.labels, HASH_LABEL: mark.digest}
        super().__init__(
            host, mark.workload, mark.replica, template=mark.template, labels=labels, created=mark.created,
            changed=changed,
        )  # fmt: skip
        self.digest = mark.digest
        self._host = host
        self._usage = usage
        self._address = ""
        """The last that it had."""
        self._containers = tuple(self._make(mark, found))
        self.published = self._publish()
        self._seen: tuple[object, ...] = (None,)
        """What was there when it was looked at last."""

    def observe(self) -> None:
        """Something about the containers of this engine, or the configuration, changed: of a thousand mostly one's."""
        seen = (self._host.config, *(self._host.conditions.get(each.id) for each in self._containers))
        if all(map(is_, seen, self._seen)):
            return
        self._seen = seen
        for container in self._containers:
            container.observe()
        self._follow()

    def usage(self) -> tuple[ContainerUsage, ...]:
        return tuple(self._usage.of(each.id, each.spec) for each in self._containers)

    @property
    def _serving(self) -> bool:
        return bool(self._containers[0].address) and all(each.serving for each in self._containers)

    def _logs(self) -> Iterator[str]:
        return (f"docker logs {each.id[:12]}" for each in self._containers if each.id)

    def _publish(self) -> Replica:
        self._address = self._containers[0].address or self._address
        ports = tuple(port for each in self._containers for port in ports_of(each.spec))
        return self._replica(self._address, ports, zone=self._host.config.node.zone, inside=True)

    def _make(self, mark: Mark, found: Mapping[str, str]) -> Iterator[DockerContainer]:
        pod = self._facts("", listens=ANYWHERE)  # its address is not known before it runs
        first: DockerContainer | None = None
        for spec, accept_ports in zip(self._template.spec.containers, self._accept_ports(), strict=True):
            made = DockerContainer(
                self._host,
                msgspec.structs.replace(mark, container=spec.name),
                pod,
                accept_ports=accept_ports,
                changed=self._follow,
                beside=first,
                found=found.get(spec.name, ""),
            )
            first = first or made
            yield made

    def _accept_ports(self) -> Iterator[tuple[int, ...]]:
        """Ports that Services send to, for each container; what none of them declares is the first one's."""
        labels, containers = self._template.metadata.labels, self._template.spec.containers
        targets = targets_of(self.workload.namespace, labels, self._host.config)
        wanted = {target.port for target in targets if target.protocol == "TCP"}
        every = {port.container_port for each in containers for port in each.ports}
        implied = sorted(port for port in wanted if isinstance(port, int) and port not in every)
        for index, each in enumerate(containers):
            own = [port for port in each.ports if port.protocol == "TCP"]
            targeted = [port.container_port for port in own if not wanted.isdisjoint({port.container_port, port.name})]
            yield tuple(targeted if index else (*targeted, *implied))
