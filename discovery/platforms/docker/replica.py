"""One replica of a Deployment: the containers of a pod, which share the first one's network.

The order of its end is that of every replica: it is said to be terminating, so that no proxy picks it any more; then
nothing is in flight on it (`Drained`); only then comes the stop signal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from operator import is_

import msgspec

from discovery.endpoint import Replica
from discovery.platforms.base import ContainerUsage, ReplicaStatus
from discovery.platforms.docker.body import ports_of
from discovery.platforms.docker.container import DockerContainer
from discovery.platforms.docker.host import Host
from discovery.platforms.docker.mark import Mark
from discovery.platforms.docker.usage import Usage
from discovery.platforms.environment import PodFacts
from discovery.platforms.revision import targets_of
from discovery.workloads.names import HASH_LABEL

log = logging.getLogger("weft.replica")

ANYWHERE = "0.0.0.0"
"""Where the programs of a container are to listen: it has a network of its own."""

_HOSTNAME_LIMIT = 63


class DockerReplica:
    """Runs the containers of one replica, or finds them running.  Whoever makes one awaits `run`."""

    def __init__(
        self, host: Host, mark: Mark, found: Mapping[str, str], usage: Usage, changed: Callable[[], None]
    ) -> None:
        """`mark`: of any of its containers; `found`: ids of those that there are, by container.

        `changed` is called when `published` differs.
        """
        self.id = mark.replica
        self.digest = mark.digest
        self.workload = mark.workload
        self.created = self.since = mark.created
        self.terminating = False
        self._host = host
        self._template = mark.template
        self._usage = usage
        self._changed = changed
        self._labels = {**mark.template.metadata.labels, HASH_LABEL: mark.digest}
        self._terminate = asyncio.Event()
        self.grace = float(mark.template.spec.termination_grace_period_seconds)
        self._address = ""
        """The last that it had."""
        self._containers = tuple(self._make(mark, found))
        self.published = self._publish()
        self._seen: tuple[object, ...] = (None,)
        """What was there when it was looked at last."""

    @property
    def ready(self) -> bool:
        return not self.terminating and self._serving and all(each.ready for each in self._containers)

    async def run(self) -> None:
        """Run the containers until `terminate`, drain, stop and remove them; when cancelled they run on."""
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
            self.since = self._host.wall_clock()
            self.published = self._publish()
            self._terminate.set()

    def observe(self) -> None:
        """Something about the containers of this engine, or the configuration, changed: of a thousand mostly one's."""
        seen = (self._host.config, *(self._host.conditions.get(each.id) for each in self._containers))
        if all(map(is_, seen, self._seen)):
            return
        self._seen = seen
        for container in self._containers:
            container.observe()
        self._follow()

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
            logs=tuple(f"docker logs {each.id[:12]}" for each in self._containers if each.id),
        )

    def usage(self) -> tuple[ContainerUsage, ...]:
        return tuple(self._usage.of(each.id, each.spec) for each in self._containers)

    @property
    def _serving(self) -> bool:
        return bool(self._containers[0].address) and all(each.serving for each in self._containers)

    def _follow(self) -> None:
        """Publish what differs."""
        was, now = self.published, self._publish()
        if now != was:
            if now.ready != was.ready and not self.terminating:
                self.since = self._host.wall_clock()
                now = self._publish()
            self.published = now
            self._changed()

    async def _drain(self) -> None:
        deadline = asyncio.get_running_loop().time() + self.grace
        try:
            async with asyncio.timeout_at(deadline):
                await self._host.drained(self.id, deadline)
        except TimeoutError:
            log.warning("replica is stopped with requests in flight", extra={"replica": self.id})

    def _publish(self) -> Replica:
        self._address = self._containers[0].address or self._address
        return Replica(
            id=self.id,
            workload=self.workload,
            labels=self._labels,
            node=self._host.name,
            address=self._address,
            ports=tuple(port for each in self._containers for port in ports_of(each.spec)),
            ready=self.ready,
            serving=self._serving,
            terminating=self.terminating,
            since=self.since,
            zone=self._host.config.node.zone,
            inside=True,
        )

    def _make(self, mark: Mark, found: Mapping[str, str]) -> Iterator[DockerContainer]:
        template = mark.template
        node = self._host.config.node
        pod = PodFacts(
            name=self.id,
            namespace=self.workload.namespace,
            address="",  # not known before it runs
            listens=ANYWHERE,
            node=self._host.name,
            node_address=node.node_addresses[0] if node.node_addresses else "",
            hostname=(template.spec.hostname or self.id)[:_HOSTNAME_LIMIT],
            labels=self._labels,
            annotations=template.metadata.annotations,
        )
        first: DockerContainer | None = None
        for spec, accept_ports in zip(template.spec.containers, self._accept_ports(), strict=True):
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
