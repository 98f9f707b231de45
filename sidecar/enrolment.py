"""What this node registers: itself, so that it is told of changes, and the endpoints of the replicas that run here.

Its replicas are told to a catalog of its own, which selects them by the same Services and knows nothing of others: so
what this node knows of itself does not depend on the registry.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from itertools import chain
from random import Random
from socket import gethostname
from typing import NamedTuple

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec
from discovery.catalog import Catalog, PortEndpoints, Snapshot
from discovery.endpoint import Endpoint
from discovery.membership import ports_of
from discovery.registry.content import Content, Node, records
from discovery.registry.keys import Key
from discovery.registry.registrant import Registrant
from discovery.registry.registrations import origin, read_text, registered
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import node_records
from discovery.registry.wire import SRV, TXT, Record, from_text, to_wire
from mesh.table import ListenerKey

NODES = "nodes"
"""The zone of those that are told of changes, beneath the cluster's domain."""
SOURCE = "local"
"""The catalog's source of what runs here."""
NAMES_AT_A_TIME = 500
FAREWELL_SECONDS = 2.0
"""That the registry has, at the end, to take note."""

NOTED_SECONDS = 1.0
"""That the registry has to take note of what is followed."""

Published = Callable[[Named, Sequence[ServicePort], PortEndpoints], PortEndpoints]
"""Where others reach the endpoints that a Service has on this node; it is told of every change, the last one too."""

log = logging.getLogger(__name__)


class Registering(NamedTuple):
    """Who registers, and which registered endpoints are its own, now or from an earlier run."""

    name: str
    """In the zone of those that are told of changes."""
    node: str
    """The node on which it is."""
    replica: str = ""
    """The only one that is its own; empty: every replica of the node is."""

    def owns(self, node: str, replica: str, workload: bool) -> bool:
        """Whether an endpoint that says this is its own.

        Sidecars on the machine of a node register endpoints of their own, which say no workload.
        """
        return replica == self.replica if self.replica else node == self.node and workload


def as_they_are(name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints) -> PortEndpoints:
    """All addresses and ports can be dialled from every node."""
    return endpoints


def registries(node: NodeConfigSpec) -> tuple[Resolver, ...]:
    """Who has the written zones, in the order in which they are asked."""
    return tuple(Resolver(*parse_host_port(text)) for text in node.registry.servers)


def node_name(node: NodeConfigSpec) -> str:
    """The name of this node, as its replicas say it."""
    return node.node_name or gethostname()


class Enrolment:
    """One registrant of endpoints and one of the node itself.  Needs a running event loop."""

    def __init__(
        self,
        config_set: ConfigSet,
        catalog: Catalog,
        key: Key | None,
        random: Random,
        who: Registering | None = None,
    ) -> None:
        """`catalog`: is told of the endpoints that are here; `who`: None: the node."""
        node = config_set.node
        servers = registries(node)
        self.zone = origin(node.cluster_domain)
        self.replicas = Catalog()
        self._node = node
        self._where: Resolver | None = None
        self._parts: tuple[bytes, ...] = ()
        self._who = who or Registering(node_name(node), node_name(node))
        self._name = to_wire(from_text(f"{self._who.name.lower()}.{NODES}.{node.cluster_domain}"))
        self._catalog = catalog
        self._published: Published = as_they_are
        self._config_set = config_set
        self._wanted: dict[Named, tuple[Record, ...]] = {}
        self._by_name: dict[bytes, list[Record]] = {}
        self._seen: set[Record] = set()
        """Of what is wanted, what the copy of the zone has had."""
        lease = int(node.registry.lease)
        nodes = to_wire(from_text(f"{NODES}.{node.cluster_domain}"))
        self.endpoints = Registrant(self.zone, servers, key=key, lease=lease, random=random, wall=time.time)
        self.itself = Registrant(nodes, servers, key=key, lease=lease, random=random, wall=time.time)
        self.replicas.define(config_set.services)
        self.replicas.subscribe(self._changed)

    @property
    def name(self) -> str:
        """In the zone of those that are told of changes."""
        return self._who.name.lower()

    def define(self, config_set: ConfigSet) -> None:
        """These are the Services now."""
        before, self._config_set = self._config_set.services, config_set
        self.replicas.define(config_set.services)
        differ = {name for name, service in config_set.services.items() if before.get(name) is not service}
        self.register(differ | (before.keys() - config_set.services.keys()))

    def publish_by(self, published: Published) -> None:
        """This says where others reach the endpoints, from now on."""
        self._published = published

    def reachable_at(self, key: ListenerKey) -> None:
        """Here this node is told of changes."""
        address = key.address
        if ip_address(address).is_unspecified and self._node.node_addresses:
            address = self._node.node_addresses[0]
        self._where = Resolver(address, key.port)
        self._tell()

    def follow(self, parts: Iterable[bytes]) -> None:
        """This node is told only of changes at and beneath these names from now on."""
        self._parts = tuple(sorted(parts))
        self._tell()

    async def noted(self) -> None:
        """Wait a bit, until a registry knows whom to tell of what, and not at all while none answers."""
        if not self.itself.failure:
            await self.itself.settled(NOTED_SECONDS)

    def _tell(self) -> None:
        if self._where is not None:
            self.itself.want(node_records(self._name, self._where, self._parts))

    def answering(self, server: Resolver) -> None:
        """The zone is followed there from now on."""
        for registrant in (self.endpoints, self.itself):
            registrant.answering(server)

    async def run(self) -> None:
        """Keep both registered, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self.endpoints.run())
            beside.create_task(self.itself.run())

    async def close(self) -> None:
        """Take everything back; `run` must be running."""
        self._wanted.clear()
        both = (self.endpoints, self.itself)
        for registrant in both:
            registrant.want(())
        await asyncio.gather(*(registrant.settled(FAREWELL_SECONDS) for registrant in both))

    async def told(self, seconds: float) -> None:
        """Wait until a registry has acknowledged all, at most so long, and not at all while none answers."""
        if not self.endpoints.failure:
            await self.endpoints.settled(seconds)

    def document(self) -> dict[str, object]:
        """What the admin API says of what is registered."""
        return {
            "registered": sum(map(len, self._wanted.values())),
            "registering": self.endpoints.failure or self.itself.failure,
        }

    def is_ours(self, endpoint: Endpoint) -> bool:
        """Whether a registered endpoint is one of this node's replicas, now or in an earlier run."""
        return self._who.owns(endpoint.node, endpoint.replica_id, endpoint.workload is not None)

    async def find(self, content: Content) -> None:
        """What of `content` an earlier run registered here goes, unless it is still wanted."""
        hosts: set[bytes] = set()
        found: list[Record] = []
        for number, (name, node) in enumerate(tuple(content.nodes.items())):
            if any(rrset.type == TXT and self._is_said_of_ours(rrset.datas[0]) for rrset in node):
                hosts.add(name)
                found += records(name, node)
            if not number % NAMES_AT_A_TIME:
                await asyncio.sleep(0)
        for name, node in content.nodes.items() if hosts else ():
            found += (record for record in records(name, node) if record.type == SRV and record.data[6:] in hosts)
        if found:
            self.endpoints.found(found)

    def lacks(self, nodes: Mapping[bytes, Node]) -> bool:
        """Whether a registry that has these `nodes` lacks what it had of ours, which is registered again."""
        there = {name: set(records(name, nodes.get(name, ()))) for name in {record.name for record in self._seen}}
        gone = [record for record in self._seen if record not in there[record.name]]
        if gone:
            log.warning("%d records of this node are gone from the registry, and registered again", len(gone))
            self.endpoints.lost(gone)
            if self._where is not None:  # most likely with that, and nobody would say so
                self.itself.lost(node_records(self._name, self._where, self._parts))
        return bool(gone)

    def watch(self, content: Content, names: Iterable[bytes]) -> None:
        """These names of the zone changed: what was there of ours, and is not any more, is registered again."""
        gone = []
        for name in filter(self._by_name.__contains__, names):
            there = set(records(name, content.nodes.get(name, ())))
            for record in self._by_name[name]:
                if record in there:
                    self._seen.add(record)
                elif record in self._seen:
                    self._seen.discard(record)
                    gone.append(record)
        if gone:
            log.warning("%d records of this node are gone from the registry, and registered again", len(gone))
            self.endpoints.lost(gone)

    def _changed(self, snapshot: Snapshot) -> None:
        there: dict[Named, PortEndpoints] = {}
        for name in snapshot.changed:
            ports = snapshot.services.get(name, {})
            there[name] = ports if any(ports.values()) else {}
        self._catalog.change_endpoints(SOURCE, there)
        self.register(snapshot.changed)

    def register(self, names: Iterable[Named]) -> None:
        """Have the records of these Services registered as they are now."""
        changed = False
        for name in names:
            made = self._records(name)
            if made != self._wanted.pop(name, ()):
                changed = True
            if made:
                self._wanted[name] = made
        if changed:
            self._by_name = {}
            for record in chain.from_iterable(self._wanted.values()):
                self._by_name.setdefault(record.name, []).append(record)
            self._seen = {record for record in self._seen if record in self._by_name.get(record.name, ())}
            self.endpoints.want(chain.from_iterable(self._wanted.values()))

    def _records(self, name: Named) -> tuple[Record, ...]:
        service = self._config_set.services.get(name)
        if service is None:
            self._published(name, (), {})
            return ()
        here = self.replicas.snapshot.services.get(name, {})
        try:
            return tuple(registered(name, service, self._published(name, ports_of(service), here), self.zone))
        except ValueError as problem:
            log.error("endpoints of Service %s cannot be registered: %s", name, problem)
            return ()

    def _is_said_of_ours(self, text: bytes) -> bool:
        """Whether a TXT record tells of an endpoint of ours."""
        said = read_text(text)
        return self._who.owns(said.get("node", ""), said.get("id", ""), bool(said.get("workload")))
