"""DNS on the node: the zone kept in step with the table in force, its server kept open, and DNS as a source.

The names are made of what the table was made of, after it, so that nobody is told an address which is not
served yet.  An address that cannot be bound is tried again with back-off, and stops nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from logging import INFO, WARNING
from pathlib import Path
from random import Random, SystemRandom
from typing import Final, Protocol

from config.addresses import parse_host_port, parse_network
from config.configset import ConfigSet
from config.settings import ResolverSettings
from discovery.backoff import Backoff, BackoffPolicy
from discovery.catalog import Catalog, Snapshot
from discovery.registry import resolv_conf
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.forward import Forwarder
from discovery.registry.found import Joined, Names
from discovery.registry.gate import Gate, gate_at
from discovery.registry.names import Asleep
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.serials import kept_in
from discovery.registry.server import Server
from discovery.registry.zone import Zone
from discovery.sources.dns import Asked, DNSSources
from discovery.sources.hosts import Hosts
from mesh import sockets
from mesh.exposition import Family, Sample
from mesh.inbound_listener import InboundListeners
from mesh.sockets import BindError
from mesh.steps import run_in_slices
from mesh.table import ListenerKey
from sidecar.documents import Document
from sidecar.inbound import Inbound

SERIALS: Final = "dns.serial"
RETRIES: Final = BackoffPolicy(first=0.5, ceiling=30.0, jitter=0.2)

log = logging.getLogger(__name__)


class Zones(Protocol):
    """Whoever has the written zones in this process, from `open` to `close`; `run` belongs to a task of the caller."""

    replicas: Catalog
    """The catalog that is told which replicas run on this node."""

    def publish_at(self, listeners: InboundListeners) -> Inbound | None:
        """Who publishes endpoints of this node as listeners; None: nobody does.  Raises UserError."""

    async def open(self) -> None:
        """Have what was kept.  Raises UserError for what the user can put right."""

    async def fill(self) -> None:
        """Tell the catalog what the zones say, as far as it does not know; what is asked meanwhile is answered."""

    def attach(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        """Have what is asked at the DNS server answered."""

    def served_at(self, key: ListenerKey) -> None:
        """The DNS server of this process is bound there."""

    @property
    def lack(self) -> str:
        """Why the names are not known yet, so that nothing is answered; empty: they are."""

    async def known(self) -> None:
        """Wait until nothing lacks."""

    def names(self) -> Iterable[Names]:
        """What the zones say, for answers."""

    def define(self, config_set: ConfigSet) -> None:
        """These are the Services and the settings now, which the catalog has already; `fill` is called next."""

    def in_force(self, generation: int) -> None:
        """This generation of the catalog is in force."""

    def answered(self) -> None:
        """Names are answered by what is in force."""

    async def told(self, seconds: float) -> None:
        """Wait until others are told what runs here, at most so long."""

    async def run(self) -> None:
        """Do what is to be done all the time, until cancelled."""

    async def close(self) -> None:
        """End it; `run` goes on until this is done."""

    def document(self) -> dict[str, Document]:
        """What the admin API says of the zones."""

    def families(self) -> Iterator[Family]:
        """Metrics of the zones."""


class NodeDNS:
    """Serves the cluster's names on ``spec.dns`` from `start` to `close`.  Needs a running event loop."""

    def __init__(
        self, config_set: ConfigSet, catalog: Catalog, folder: Path, zones: Zones | None = None,
        random: Random | None = None,
    ) -> None:  # fmt: skip
        """`folder`: of the state; `zones`: the written ones, which are answered for as well, and kept in step."""
        node = config_set.node
        self._config_set = config_set
        self._random = random or SystemRandom()
        self._wanted = ListenerKey(*parse_host_port(node.dns))
        self._settings = node.resolver
        self._zone = Zone(kept_in(folder / SERIALS, time.time()))
        self._responder = Responder(self._random, node.resolver.forward)
        self._sources = DNSSources(catalog, self._random, self._who_knows, Hosts())
        self._forwarder = Forwarder(
            self._responder,
            self._resolvers,
            tuple(map(parse_network, node.resolver.allow_from)),
            self._random,
            time.monotonic,
        )
        self._zones = zones
        self._server: Server | None = None
        self._tried = asyncio.Event()
        """`start` has tried to open."""
        self._closed = False
        self._latest: tuple[ConfigSet, Snapshot] | None = None
        self._changed = asyncio.Event()
        self.served: ListenerKey | None = None
        """Where it is bound; None while it is not."""
        self.note = ""
        """Why it is bound elsewhere or not at all, and the remedy; else empty."""

    @property
    def zones(self) -> Zones | None:
        """Who has the written zones here."""
        return self._zones

    @property
    def lack(self) -> str:
        """Why the names are not known yet; empty: they are."""
        return "" if self._zones is None else self._zones.lack

    def follow_scales(self, asleep: Asleep) -> None:
        """Say that a Service is scaled to zero when it is so now; before `start`."""
        self._zone.asleep = asleep

    def put_in_force(self, config_set: ConfigSet, snapshot: Snapshot) -> None:
        """This is in force now, and its names follow soon."""
        self._latest = config_set, snapshot
        self._changed.set()
        if config_set is not self._config_set:
            self._config_set = config_set
            self._sources.apply(config_set)
        if self._zones is not None:
            self._zones.in_force(snapshot.generation)

    async def start(self) -> None:
        """Try to open, and make the first names: who sees that this weft is ready can ask it at once.

        What is written is answered before that, for it takes a while to make names of many endpoints.
        """
        if self._zones is not None:
            await self._zones.open()
        authority = None if self._zones is None else self._zones.attach(self._responder, self._forwarder)
        self._server = Server(self._responder, self._forwarder, authority, self._gate())
        if self._zones is not None:
            self._responder.put_in_force(Joined(*self._zones.names()), is_partial=True)
        await self._try_to_open(self._server)
        self._tried.set()
        if self._zones is not None:
            await self._zones.fill()
        await self._renew()
        self._sources.apply(self._config_set)

    async def run(self) -> None:
        """Follow what comes in force, and go on trying to open, until cancelled."""
        try:
            async with asyncio.TaskGroup() as beside:
                beside.create_task(self._follow())
                if self._zones is not None:
                    beside.create_task(self._zones.run())
                if self._settings.forward:
                    beside.create_task(self._forwarder.run())
                await self._keep_opening()
        finally:
            await self._sources.close()

    async def close(self) -> None:
        """Serve no more."""
        self._closed = True
        await self._sources.close()
        if self._server is not None:
            await self._server.close()
        if self._zones is not None:
            await self._zones.close()

    def document(self) -> tuple[int, Document]:
        """What the admin API says of it."""
        return 200, {
            "wanted": str(self._wanted),
            "served": str(self.served or ""),
            "note": self.note,
            "sources": (_source(each) for each in self._sources.asked()),
            "zones": {} if self._zones is None else self._zones.document(),
        }

    def families(self) -> Iterator[Family]:
        """Its metrics."""
        name = "weft_dns_queries_total"
        samples = [
            Sample(name, {"type": kind, "rcode": rcode}, count[0])
            for (kind, rcode), count in self._responder.counts.items()
        ]
        yield Family("weft_dns_queries", "counter", "DNS queries that were answered, by type and outcome.", samples)
        if self._zones is not None:
            yield from self._zones.families()

    async def _follow(self) -> None:
        """Make the names anew whenever a table came in force, and once the zones are known."""
        if self.lack and self._zones is not None:
            await self._zones.known()
            self._changed.set()
        while True:
            await self._changed.wait()
            await self._renew()

    async def _renew(self) -> None:
        self._changed.clear()
        if self._latest is not None and not self.lack:
            view = await run_in_slices(self._zone.steps(*self._latest))
            written = () if self._zones is None else self._zones.names()
            self._responder.put_in_force(Joined(*written, view), view.moved)
            if self._zones is not None:
                self._zones.answered()

    async def _keep_opening(self) -> None:
        """Try to open again, as often as it takes."""
        await self._tried.wait()
        backoff = Backoff(RETRIES, self._random)
        while not (self.served or self._closed):
            await asyncio.sleep(backoff.failed(time.monotonic()))
            if self._server is not None and not self._closed:
                await self._try_to_open(self._server)

    async def _try_to_open(self, server: Server) -> None:
        try:
            key, reason, udp, tcp = bind(self._wanted)
        except BindError as error:
            if self.note != str(error):
                log.warning("DNS is not served: %s", error)
            self.note = str(error)
            return
        if self.note or reason:
            log.log(WARNING if reason else INFO, "DNS is served at %s%s", key, f": {reason}" if reason else "")
        self.served, self.note = key, reason
        if self._zones is not None:
            self._zones.served_at(key)
        await server.start(udp, tcp)

    def _gate(self) -> Gate | None:
        registry = self._config_set.node.registry
        return gate_at(self._wanted.address, map(parse_network, registry.allow_from), registry.answers_per_second)

    def _who_knows(self, name: str) -> tuple[Resolver, ...]:
        """Who is asked for a name that an ExternalName Service stands for: of the cluster's, none knows but we."""
        if not f".{name.lower().removesuffix('.')}".endswith(f".{self._config_set.node.cluster_domain}"):
            return resolv_conf.read()
        return (Resolver(self.served.address, self.served.port),) if self.served else ()

    def _resolvers(self) -> tuple[Resolver, ...]:
        return resolvers(self._settings, self.served or self._wanted)


def _source(asked: Asked) -> dict[str, object]:
    return {
        "namespace": asked.service.namespace,
        "service": asked.service.name,
        "name": asked.name,
        "type": asked.type,
        "targets": asked.targets,
        "failure": asked.failure,
    }


def resolvers(settings: ResolverSettings, own: ListenerKey) -> tuple[Resolver, ...]:
    """Who is asked for other names: as it is written, else as the system does."""
    written = tuple(Resolver(*parse_host_port(text)) for text in settings.servers)
    return resolv_conf.without(written or resolv_conf.read(), Resolver(own.address, own.port))


def bind(wanted: ListenerKey) -> tuple[ListenerKey, str, socket.socket, socket.socket]:
    """A UDP and a TCP socket at `wanted` or near it: where, why there, and both.  Raises `BindError`."""
    udp: list[socket.socket] = []

    def open_both(address: str, port: int) -> socket.socket:
        with ExitStack() as opened:
            tcp = sockets.listen(address, port)
            opened.callback(tcp.close)
            udp.append(sockets.receive(address, tcp.getsockname()[1]))
            opened.pop_all()
        return tcp

    bound = sockets.bind(wanted, "DNS", open_both)
    return bound.key, bound.reason, udp[0], bound.socket
