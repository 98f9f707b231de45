"""The parts of a sidecar: those of a node, for one application, and for no more Services than the manifests name.

What it registers is the application, as a port of an inbound listener of its own: so everything that comes in is
known here, and the end waits for it.  Of the registry's zone it keeps what its Services need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.meta import Named
from discovery.catalog import Catalog, PortEndpoints
from discovery.endpoint import Endpoint, Replica, ReplicaPort, WorkloadRef
from discovery.membership import ports_of
from discovery.registry.registrations import service_of
from mesh.inbound_listener import InboundListeners
from sidecar.application import Application
from sidecar.assembly import Assembly
from sidecar.beside import ADDRESS, Beside
from sidecar.enrolment import Registering, node_name
from sidecar.errors import UserError
from sidecar.follower import Follower
from sidecar.inbound import Inbound
from sidecar.state import StateFolder
from sidecar.written import Written

SOURCE = "application"
"""The catalog's source of the application."""


class SidecarFollower(Follower):
    """Follows those names of the zone that belong to the Services of the manifests."""

    def __init__(
        self, config_set: ConfigSet, catalog: Catalog, folder: Path, random: Random, *, replica_id: str
    ) -> None:
        who = Registering(replica_id, node_name(config_set.node), replica_id)
        super().__init__(config_set, catalog, folder, random, who=who)
        self._want()

    def publish_at(self, listeners: InboundListeners) -> Inbound:
        inbound = Inbound(self._config_set, listeners, self._folder, on_one_machine=False)
        self._enrolment.publish_by(inbound.publish)
        inbound.again = self._enrolment.register
        return inbound

    def define(self, config_set: ConfigSet) -> None:
        before = self._config_set.services.keys()
        super().define(config_set)
        if config_set.services.keys() != before:
            self._want()

    def _want(self) -> None:
        zone, used = self._enrolment.zone, frozenset(self._config_set.services)
        self._secondary.want(lambda name: service_of(name, zone) in used)


class SidecarAssembly(Assembly):
    """All parts of one sidecar."""

    def __init__(self, written: Written, state: StateFolder, beside: Beside, ended: Callable[[int], None]) -> None:
        """`ended` is called with the exit code of an application that ends.  Raises UserError."""
        _check(beside, written.config_set)
        self._beside = beside
        self._ended = ended
        made_up = replica_id(beside.service, node_name(written.config_set.node), state.path)
        self._replica_id = beside.name or made_up
        super().__init__(written, state, partial(SidecarFollower, replica_id=self._replica_id))

    def _make_platform(self, state: StateFolder) -> Application:
        node = self._config_set.node
        replica = replica_of(self._beside, self._replica_id, node_name(node), node.zone)
        self._application = Application(
            self._beside, replica, prober=self.prober, drained=self._drained, seconds=node.drain_timeout,
            ended=self._ended,
        )  # fmt: skip
        return self._application

    async def drain(self, delay: float) -> None:
        """Let the application go while all else goes on: it may need others to finish what is in flight."""
        self.running.draining = True
        await super().drain(delay)
        await self.platform.close()

    def kill(self) -> None:
        """End the application at once."""
        self._application.kill()

    def _replicas_changed(self, replicas: tuple[Replica, ...]) -> None:
        there = {self._beside.service: _endpoints(self._beside, replicas)}
        self._zones.replicas.change_endpoints(SOURCE, there)


def replica_id(service: Named, node: str, folder: Path) -> str:
    """Of the application: the same after a restart, and no other one's with a state folder of its own."""
    digest = blake2b(f"{node}\0{folder.absolute()}".encode(), digest_size=5).hexdigest()
    return f"{service.name[:40].rstrip('-')}-{digest}"


def replica_of(beside: Beside, name: str, node: str, zone: str) -> Replica:
    """The application as it is before anything is known of it."""
    ports = tuple(ReplicaPort(number, number, name) for name, number in beside.ports)
    workload = WorkloadRef("Application", *beside.service)
    return Replica(name, workload, labels={}, node=node, address=ADDRESS, ports=ports, since=time.time(), zone=zone)


def _check(beside: Beside, config_set: ConfigSet) -> None:
    """Raises UserError if the Service, or one of the ports, is not there."""
    service = config_set.services.get(beside.service)
    if service is None:
        raise UserError(f"--service {beside.service}: the manifests have no such Service")
    names = [port.key for port in ports_of(service)]
    for name, _ in beside.ports:
        if name not in names:
            raise UserError(f"--port {name}=: Service {beside.service} has no such port, but {', '.join(names)}")


def _endpoints(beside: Beside, replicas: tuple[Replica, ...]) -> PortEndpoints:
    found: dict[str, tuple[Endpoint, ...]] = {}
    ports: Mapping[str, int] = dict(beside.ports)
    for replica in replicas:
        for name, number in ports.items():
            found[name] = (
                Endpoint(
                    replica.address, number, ready=replica.ready, serving=replica.serving,
                    terminating=replica.terminating, replica_id=replica.id, node=replica.node, zone=replica.zone,
                ),
            )  # fmt: skip
    return found
