"""The parts of a sidecar: those of a node, for one application, and for no more Services than that uses.

What it registers is the application, as a port of an inbound listener of its own: so everything that comes in is
known here, and the end waits for it.  Of the registry's zone it asks for the Services that it uses; what is sent to
another one waits, as if that were asleep, until its endpoints are here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.meta import Named
from discovery.catalog import Catalog, PortEndpoints
from discovery.endpoint import Endpoint, Replica, ReplicaPort, WorkloadRef
from discovery.membership import ports_of
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.parts import Parts
from discovery.registry.registrations import service_of
from discovery.registry.responder import Responder
from mesh.inbound_listener import InboundListeners
from mesh.plan import BackendKey
from sidecar.application import Application
from sidecar.assembly import Assembly
from sidecar.beside import ADDRESS, Beside
from sidecar.enrolment import Registering, node_name
from sidecar.errors import UserError
from sidecar.follower import Follower, Shelf
from sidecar.inbound import Inbound
from sidecar.inquiries import Inquiries
from sidecar.state import StateFolder
from sidecar.uses import Uses
from sidecar.waking import Waker
from sidecar.written import Written

SOURCE = "application"
"""The catalog's source of the application."""
SERVICE = "Service"
"""What is woken that is known to nobody here yet."""


class SidecarFollower(Follower):
    """Follows those parts of the zone that tell of Services in use."""

    def __init__(
        self,
        config_set: ConfigSet,
        catalog: Catalog,
        folder: Path,
        random: Random,
        *,
        replica_id: str,
        named: Iterable[Named],
    ) -> None:
        """`named`: the Services that are followed from the start."""
        who = Registering(replica_id, node_name(config_set.node), replica_id)
        super().__init__(config_set, catalog, folder, random, who=who)
        self._clock = asyncio.get_running_loop().time
        self._uses = Uses(named, self._clock())
        self._uses.define(config_set.services.keys(), self._clock())
        self._met = asyncio.Event()
        self._more = asyncio.Event()
        """Set when more may be answered than before."""
        self._coming: tuple[int, Parts] | None = None
        """A generation of the catalog that is not in force, and what of the zone it is made of."""
        self._generation = -1
        """That is in force."""
        self._shelf: Shelf | None = None
        self._asked = -1
        """The number of what was asked of it last."""
        self._secondary.want(self._tell_parts())

    def publish_at(self, listeners: InboundListeners) -> Inbound:
        inbound = Inbound(self._config_set, listeners, self._folder, on_one_machine=False)
        self._enrolment.publish_by(inbound.publish)
        inbound.again = self._enrolment.register
        return inbound

    async def open(self) -> None:
        """What was in use in an earlier run still is."""
        await super().open()
        zone = self._enrolment.zone
        for service in {service_of(name, zone) for name in self._copy.content.nodes}:
            if service is not None:
                self.use(service)

    partial = True

    def learn_by(self, shelf: Shelf) -> None:
        """What is not written here is asked for there."""
        self._shelf = shelf
        shelf.answered = self._answered
        self._ask()

    def _ask(self) -> None:
        if self._shelf is not None:
            self._asked = self._shelf.use(self._uses.wanted)

    def _answered(self, number: int) -> None:
        """What is in force is made of what was asked for with that number."""
        if number >= self._asked:
            self._uses.answered()
            self._more.set()

    def define(self, config_set: ConfigSet) -> None:
        super().define(config_set)
        if self._uses.define(config_set.services.keys(), self._clock()):
            self._met.set()

    def lacks(self, service: Named) -> bool:
        """Whether its endpoints are not known, and worth waiting for."""
        can_ask = self._shelf is not None and self._shelf.connected
        return self._uses.lacks(service, self._clock(), can_ask=can_ask)

    def use(self, service: Named) -> None:
        """Something is sent to it."""
        if self._uses.use(service, self._clock(), can_ask=self._shelf is not None):
            self._met.set()
            self._ask()

    def in_force(self, generation: int) -> None:
        super().in_force(generation)
        self._generation = generation
        self._learn()

    def answered(self) -> None:
        self._more.set()

    async def answerable(self, service: Named) -> None:
        """Wait until answers are made of what is known of it."""
        while self.lacks(service):
            self._more.clear()
            await self._more.wait()

    def _authority(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        return Inquiries(responder, elsewhere, self, lambda: self._config_set)

    async def run(self) -> None:
        """Follow, as every follower, and what comes into use as well, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(super().run())
            while True:
                await self._met.wait()
                self._met.clear()
                # Known first, then asked for: who waits for all that follow a Service must not miss this one.
                parts = self._tell_parts()
                await self._enrolment.noted()
                self._secondary.want(parts)

    def _tell_parts(self) -> Parts:
        parts = self._uses.parts
        self._enrolment.follow(part + self._enrolment.zone for part in parts)
        return parts

    def _told(self) -> None:
        super()._told()
        generation = self._catalog.snapshot.generation
        self._coming = generation, self._secondary.parts or frozenset()
        self._learn()
        if generation <= self._generation:  # no table comes of it, and no names
            self.answered()

    def _learn(self) -> None:
        """What is in force by now is known."""
        if self._coming is not None and self._coming[0] <= self._generation:
            self._uses.known(self._coming[1])
            self._coming = None


class SidecarAssembly(Assembly):
    """All parts of one sidecar."""

    def __init__(self, written: Written, state: StateFolder, beside: Beside, ended: Callable[[int], None]) -> None:
        """`ended` is called with the exit code of an application that ends.  Raises UserError."""
        _check(beside, written.config_set)
        self._beside = beside
        self._ended = ended
        made_up = replica_id(beside.service, node_name(written.config_set.node), state.path)
        self._replica_id = beside.name or made_up
        named = (beside.service, *beside.uses)
        make = partial(SidecarFollower, replica_id=self._replica_id, named=dict.fromkeys(named))
        super().__init__(written, state, make)
        self._learn_by_use()

    def _make_platform(self, state: StateFolder) -> Application:
        node = self._config_set.node
        replica = replica_of(self._beside, self._replica_id, node_name(node), node.zone)
        self._application = Application(
            self._beside, replica, prober=self.prober, drained=self._drained, seconds=node.drain_timeout,
            ended=self._ended,
        )  # fmt: skip
        return self._application

    def wake_by(self, waker: Waker) -> None:
        super().wake_by(waker)
        self._learn_by_use()

    def _learn_by_use(self) -> None:
        """Have what is sent to a Service that is not followed wait until it is, as for one that sleeps."""
        room, follower = self.proxy.live.room, self._zones
        assert isinstance(follower, SidecarFollower)
        wakeable, wake = room.wakeable, room.wake

        def learnable(key: BackendKey) -> WorkloadRef | None:
            service = Named(key.namespace, key.service)
            return WorkloadRef(SERVICE, *service) if follower.lacks(service) else wakeable(key)

        def learn(workload: WorkloadRef) -> bool:
            if workload.kind != SERVICE:
                return wake(workload)
            follower.use(Named(workload.namespace, workload.name))
            return True

        room.wakeable, room.wake = learnable, learn

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
        raise UserError(f"--service {beside.service}: the manifests in PATH have no such Service: write it there")
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
