"""The written zone of another process's registry, followed: a copy of it, and what this node registers there.

The copy feeds the catalog, and answers for the zone's names at this node's DNS server.  What that server hears by
NOTIFY has the copy brought up to date at once.  When no registry answers, all stays as it is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Final

from config.configset import ConfigSet
from discovery.catalog import Catalog
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.found import Written
from discovery.registry.keys import KeyRing
from discovery.registry.responder import Responder
from discovery.registry.secondary import Secondary
from discovery.registry.transfer import Apex
from discovery.registry.wire import from_text, to_wire
from discovery.sources.registry import RegistrySource
from mesh.exposition import Family, Sample
from mesh.inbound_listener import InboundListeners
from mesh.table import ListenerKey
from sidecar.documents import Document
from sidecar.enrolment import Enrolment, registries
from sidecar.errors import UserError
from sidecar.inbound import Inbound
from sidecar.registry import key_in

STALE_SECONDS: Final = 30.0
"""Without a word from a registry after which answers say that they are of a stale copy."""
LOOK_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Follower:
    """The zones of a node that follows a registry.  Needs a running event loop."""

    def __init__(self, config_set: ConfigSet, catalog: Catalog, folder: Path, random: Random) -> None:
        """Raises UserError for settings that cannot be followed."""
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
        self._enrolment = Enrolment(config_set, catalog, key, random)
        self.replicas = self._enrolment.replicas
        zone = self._enrolment.zone
        domain = node.cluster_domain
        self._apex = Apex(zone, to_wire(from_text(f"ns.dns.{domain}")), to_wire(from_text(f"hostmaster.{domain}")))
        self._secondary = Secondary(zone, servers, key, random, time.time)
        self._source = RegistrySource(catalog, self._secondary.content, lambda each: not self._enrolment.is_ours(each))
        self._secondary.followers += [self._source.changed, self._seen]
        self._source.define(config_set.services)

    def publish_at(self, listeners: InboundListeners) -> Inbound:
        """Have endpoints that others cannot dial published as listeners here.  Raises UserError."""
        inbound = Inbound(self._config_set, listeners, self._folder)
        inbound.again = self._enrolment.register
        self._enrolment.publish_by(inbound.publish)
        return inbound

    @property
    def lack(self) -> str:
        """Why the names are not known yet."""
        if self._secondary.synced.is_set():
            return ""
        return f"the zone is not there yet: {self._secondary.failure or 'no registry has answered'}"

    async def known(self) -> None:
        """Wait for the first copy."""
        await self._secondary.synced.wait()

    async def open(self) -> None:
        """Have the copy of an earlier run."""

    def attach(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        """Hear of changes, and have answers known that are made of the copy."""
        authority = Authority(responder, elsewhere, KeyRing(), clock=time.monotonic, wall=time.time)
        authority.follow(self._enrolment.zone, self._secondary.heard)
        self._secondary.followers.append(responder.changed)
        self._responder = responder
        return authority

    def served_at(self, key: ListenerKey) -> None:
        """Have this node told there."""
        self._enrolment.reachable_at(key)

    def names(self) -> Iterator[Written]:
        """What the copy says, for answers."""
        yield Written(self._apex, self._secondary.content)

    def put_in_force(self, config_set: ConfigSet, generation: int) -> None:
        """These are the Services now."""
        if config_set is self._config_set:
            return
        self._config_set = config_set
        self._source.define(config_set.services)
        self._enrolment.define(config_set)

    async def run(self) -> None:
        """Follow, and keep registered what is here, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._secondary.run())
            beside.create_task(self._enrolment.run())
            await self._secondary.synced.wait()
            await self._enrolment.find(self._secondary.content)

    async def close(self) -> None:
        """Take back what is registered."""
        await self._enrolment.close()

    def document(self) -> dict[str, Document]:
        """What the admin API says of the copy."""
        return {
            "endpoints": {
                "serial": self._secondary.content.serial,
                "names": len(self._secondary.content.nodes),
                "registry": str(self._secondary.primary),
                "failure": self._secondary.failure,
            }
        }

    def families(self) -> Iterator[Family]:
        """Metrics of the copy."""
        serial = self._secondary.content.serial
        yield Family(
            "weft_registry_serial", "gauge", "Serial of a written zone.",
            [Sample("weft_registry_serial", {"zone": "endpoints"}, serial)],
        )  # fmt: skip

    def _seen(self, names: Iterable[bytes]) -> None:
        self._enrolment.watch(self._secondary.content, names)


def _where(config_set: ConfigSet) -> str:
    places = [source for key, source in config_set.sources.items() if key.kind == "NodeConfig"]
    return f"the NodeConfig ({places[0]})" if places else "a NodeConfig"
