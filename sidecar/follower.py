"""The written zone of another process's registry, followed: a copy of it, and what this node registers there.

The copy feeds the catalog, and answers for the zone's names at this node's DNS server.  What that server hears by
NOTIFY has the copy brought up to date at once.  When no registry answers, all stays as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Final, Protocol

from config.configset import ConfigSet
from config.meta import Named
from discovery.catalog import Catalog
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.content import later
from discovery.registry.found import Written
from discovery.registry.keys import KeyRing
from discovery.registry.render import Reason
from discovery.registry.responder import Responder
from discovery.registry.transfer import Apex
from discovery.registry.wire import from_text, to_wire
from discovery.sources.registry import RegistrySource
from mesh.exposition import Family
from mesh.inbound_listener import InboundListeners
from mesh.steps import run_in_slices
from mesh.table import ListenerKey
from sidecar.agency import Agency, SharedCopy
from sidecar.documents import Document
from sidecar.enrolment import NODES, Enrolment, Registering, registries
from sidecar.errors import UserError
from sidecar.inbound import Inbound
from sidecar.propagation import Propagation
from sidecar.registry import key_in
from sidecar.zone_copy import ZoneCopy

STALE: Final = Reason(3, "no registry answers: this is of the last copy")
LOOK_SECONDS: Final = 1.0
"""From one look at how old the copy is to the next."""
TOLD_SECONDS: Final = 2.0
"""That the registry has to take note of a replica that goes."""


class Shelf(Protocol):
    """Where the manifests of Services can be had that are not known here."""

    answered: Callable[[int], None]
    """Is told of the number of the last `use` that what is in force is made of."""

    @property
    def connected(self) -> bool:
        """Whether it can be asked."""

    def use(self, services: Iterable[Named]) -> int:
        """These are wanted from now on, there or not; the number of that."""


class Follower:
    """The zones of a node that follows a registry.  Needs a running event loop."""

    def __init__(
        self, config_set: ConfigSet, catalog: Catalog, folder: Path, random: Random, *, who: Registering | None = None
    ) -> None:
        """`who`: registers here; None: the node, which serves the sidecars on it, too.

        Raises UserError for settings that cannot be followed.
        """
        node = config_set.node
        servers = registries(node)
        if not servers:
            raise UserError(f"weft node needs spec.registry.servers, HOST:PORT of a registry, in {_where(config_set)}")
        try:
            key = key_in(node.registry.key, config_set.secrets) if node.registry.key else None
        except ValueError as problem:
            raise UserError(f"spec.registry.key in {_where(config_set)}: {problem}") from None
        self._config_set = config_set
        self._folder = folder
        self._enrolment = Enrolment(config_set, catalog, key, random, who)
        self.replicas = self._enrolment.replicas
        zone = self._enrolment.zone
        domain = node.cluster_domain
        self._apex = Apex(zone, to_wire(from_text(f"ns.dns.{domain}")), to_wire(from_text(f"hostmaster.{domain}")))
        self._copy = ZoneCopy(zone, servers, key, folder, random)
        self._secondary = self._copy.secondary
        self._agency: Agency | None = None
        if who is None:
            nodes, shared = to_wire(from_text(f"{NODES}.{domain}")), SharedCopy(self._apex, self._secondary)
            self._agency = Agency(shared, nodes, servers, key, random)
        self._source = RegistrySource(catalog, self._copy.content, lambda each: not self._enrolment.is_ours(each))
        self._source.settled.append(self._told)
        self._secondary.followers += [self._source.changed, self._copied]
        self._secondary.returned.append(self._enrolment.answering)
        self._secondary.doubt.lacks.append(self._enrolment.lacks)
        self._catalog = catalog
        self._known = asyncio.Event()
        self._propagation = Propagation()
        self._responder: Responder | None = None
        self.copies: list[Callable[[int, int], None]] = []
        """Told of each copy: its serial, and the generation of the catalog that has it."""
        self._source.define(config_set.services)

    def publish_at(self, listeners: InboundListeners) -> Inbound:
        """Have endpoints that others cannot dial published as listeners here.  Raises UserError."""
        inbound = Inbound(self._config_set, listeners, self._folder)
        inbound.again = self._enrolment.register
        self._enrolment.publish_by(inbound.publish)
        return inbound

    partial = False
    """Whether it wants the manifests of some Services only."""

    def learn_by(self, shelf: Shelf) -> None:
        """All manifests come here anyway."""

    @property
    def name(self) -> str:
        """Under which this process registers itself."""
        return self._enrolment.name

    @property
    def lack(self) -> str:
        """Why the names are not known yet."""
        if self._known.is_set():
            return ""
        return f"the zone is not there yet: {self._secondary.failure or 'no registry has answered'}"

    async def known(self) -> None:
        """Wait for the first copy, until the catalog has all of it."""
        await self._known.wait()

    async def open(self) -> None:
        """Have the copy of an earlier run."""
        self._copy.restore()
        self._source.changed(self._copy.content.nodes)

    async def fill(self) -> None:
        """Tell the catalog what the copy says."""
        await run_in_slices(self._source.steps())
        if self._secondary.synced.is_set():
            self._known.set()

    def attach(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        """Hear of changes, and have answers known that are made of the copy."""
        authority = self._authority(responder, elsewhere)
        authority.follow(self._enrolment.zone, self._heard)
        self._secondary.followers.append(responder.changed)
        if self._agency is not None:
            self._agency.attach(authority, self._config_set)
            self._secondary.followers.append(self._agency.changed)
        self._responder = responder
        return authority

    def _authority(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        return Authority(responder, elsewhere, KeyRing(), clock=time.monotonic, wall=time.time)

    def served_at(self, key: ListenerKey) -> None:
        """Have this node told there."""
        self._enrolment.reachable_at(key)
        if self._agency is not None:
            self._agency.served_from(key.address)

    def names(self) -> Iterator[Written]:
        """What the copy says, for answers."""
        if self._secondary.synced.is_set():
            yield Written(self._apex, self._copy.content)

    def in_force(self, generation: int) -> None:
        """This generation of the catalog is in force: as long it took."""
        self._propagation.in_force(generation, time.monotonic())

    def answered(self) -> None:
        """What is asked here waits for nothing."""

    def define(self, config_set: ConfigSet) -> None:
        """These are the Services now."""
        if config_set is self._config_set:
            return
        self._config_set = config_set
        self._source.define(config_set.services)
        self._enrolment.define(config_set)
        if self._agency is not None:
            self._agency.define(config_set)

    async def run(self) -> None:
        """Follow, and keep registered what is here, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._copy.run())
            beside.create_task(self._enrolment.run())
            beside.create_task(self._date())
            beside.create_task(self._follow())
            await self._secondary.synced.wait()
            if self._agency is not None:
                self._agency.share()
            await self.fill()
            await self._enrolment.find(self._copy.content)

    async def close(self) -> None:
        """Take back what is registered, and keep the copy."""
        await self._enrolment.close()
        if self._agency is not None:
            await self._agency.close()
        await self._copy.keep()

    def document(self) -> dict[str, Document]:
        """What the admin API says of the copy."""
        return {"endpoints": {**self._copy.document(), **self._enrolment.document()}}

    def families(self) -> Iterator[Family]:
        """Metrics of the copy."""
        yield from self._copy.families()
        yield from self._propagation.families()

    async def told(self, seconds: float) -> None:
        """Wait until a registry knows what is registered here, as long as one answers."""
        await self._enrolment.told(min(seconds, TOLD_SECONDS))

    async def _follow(self) -> None:
        """Tell the catalog of what is too much to be told at once."""
        while True:
            await self._source.due()
            await self.fill()

    async def _date(self) -> None:
        """Have answers say whether they are of a stale copy."""
        while True:
            if self._responder is not None:
                self._responder.date(STALE if self._copy.is_stale else None)
            await asyncio.sleep(LOOK_SECONDS)

    def _heard(self, serial: int | None, client: str) -> bool:
        """A NOTIFY came."""
        if not self._secondary.heard(serial, client):
            return False
        if serial is not None and later(serial, self._copy.content.serial):
            self._propagation.heard(serial, time.monotonic())
        return True

    def _copied(self, names: Iterable[bytes]) -> None:
        self._enrolment.watch(self._copy.content, names)

    def _told(self) -> None:
        """The catalog has all that the copy says."""
        serial, generation = self._copy.content.serial, self._catalog.snapshot.generation
        self._propagation.copied(serial, generation)
        for tell in self.copies if serial else ():
            tell(serial, generation)


def _where(config_set: ConfigSet) -> str:
    places = [source for key, source in config_set.sources.items() if key.kind == "NodeConfig"]
    return f"the NodeConfig ({places[0]})" if places else "a NodeConfig"
