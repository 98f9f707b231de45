"""The registry in this process: the written zones, from the store to the catalog, and whom their changes are told.

``endpoints.Z`` holds endpoints, ``nodes.Z`` the nodes that are told of each change: the address and, in an SRV record,
the port of each node's DNS server.  Both live in the state folder, or in etcd.
"""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Final

from config.addresses import parse_host_port, parse_network
from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Secret
from config.settings import RegistryKey, RegistrySettings
from config.tsig import read_key
from discovery.catalog import Catalog
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.documents import Documents
from discovery.registry.found import Written
from discovery.registry.keys import ALGORITHMS, Key, KeyRing, Scope
from discovery.registry.lease import Leases
from discovery.registry.meaning import Meaning
from discovery.registry.notifier import Notifier
from discovery.registry.primary import Primary
from discovery.registry.registrations import origin
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.store import StoreError
from discovery.registry.targets import node_names, notified
from discovery.registry.touched import Touched
from discovery.registry.transfer import Apex
from discovery.registry.wire import from_text, to_wire
from discovery.sources.registry import RegistrySource
from mesh.exposition import Family, Sample
from mesh.inbound_listener import InboundListeners
from mesh.steps import run_in_slices
from mesh.table import ListenerKey
from sidecar.documents import Document
from sidecar.errors import UserError
from sidecar.stores import RegistryStore, store_of

NODES: Final = "nodes"
DEFAULT_NAMESPACE: Final = "default"
GAP: Final = (1 << 12, 1 << 16)
"""Serials that are left out at each start: more than are given out before secondaries that have others are heard."""
GROWTH: Final = 2000
"""Names that the zone has more than ever before, after which `grown` is told."""

log = logging.getLogger(__name__)


class Registry:
    """The zones from `open` to `close`, which carry out what is asked of them.  Needs a running event loop."""

    def __init__(self, config_set: ConfigSet, catalog: Catalog, folder: Path, random: Random) -> None:
        self._config_set = config_set
        self._catalog = self.replicas = catalog
        self._folder = folder
        self._store: RegistryStore | None = None
        self._random = random
        self._primaries: dict[str, Primary] = {}
        self._source: RegistrySource | None = None
        self._meaning: Meaning | None = None
        self._touched: Touched | None = None
        self._writing: asyncio.Task[None] | None = None
        """Carries out updates from `open` to `close`."""
        self._authority: Authority | None = None
        self._is_open = False
        """Whether updates are taken unsigned, which was told."""
        self._notifier = Notifier(self._targets, random)
        self._fresh: set[bytes] = set()
        """Names that changed, and that the catalog is told of in a moment."""
        self.grown: list[Callable[[], None]] = []
        """Called when there is much more than ever before, which mostly will stay."""
        self._most_names = 0
        self.copies: list[Callable[[int, int], None]] = []
        """Told of each change: the serial of the endpoints, and the generation of the catalog that has them."""

    def publish_at(self, listeners: InboundListeners) -> None:
        """What runs beside the registry is not published."""

    async def open(self) -> None:
        """Read what is stored.  Raises UserError for a store that cannot be used."""
        domain = self._config_set.node.cluster_domain
        server, mailbox = to_wire(from_text(f"ns.dns.{domain}")), to_wire(from_text(f"hostmaster.{domain}"))
        origins = {"endpoints": origin(domain), NODES: to_wire(from_text(f"{NODES}.{domain}"))}
        store = store_of(self._settings.etcd, self._config_set.secrets, self._folder, self._random)
        self._store = store
        try:
            stored = await store.open(tuple(origins.values()))
        except StoreError as error:
            raise UserError(str(error)) from None
        for name, zone in origins.items():
            there = stored[zone]
            if not there.serial:  # a store that was lost must not go back to serials that secondaries have seen
                there = there._replace(serial=int(time.time()))
            apex = Apex(zone, server, mailbox)
            gap = 0 if store.keeper else self._random.randrange(*GAP)
            self._primaries[name] = Primary(apex, store, there, leases=Leases(), clock=time.monotonic, gap=gap)
        endpoints = self._primaries["endpoints"]
        self._source = RegistrySource(self._catalog, endpoints.content)
        self._source.settled.append(self._told)
        self._meaning = Meaning(endpoints.content)
        self._touched = Touched(endpoints.content, self._primaries[NODES].content)
        self._most_names = len(endpoints.content.nodes)
        endpoints.followers += [
            self._touched.changed, self._notify, self._hand_on, self._meaning.changed, self._grow,
        ]  # fmt: skip
        self._source.define(self._config_set.services)
        self._meaning.define(self._config_set.services)
        self._writing = asyncio.create_task(self._write())

    async def fill(self) -> None:
        """Tell the catalog what is stored."""
        if self._source is not None:
            await run_in_slices(self._source.steps())

    @property
    def documents(self) -> Documents | None:
        """Where manifests are kept, from `open` on."""
        return self._store

    def serial(self) -> int:
        """Of the endpoints, as they are stored."""
        return self._primaries["endpoints"].content.serial

    def node_names(self) -> list[str]:
        """Who is registered in the zone of those that are told of changes."""
        return list(node_names(self._primaries[NODES].content))

    def last_for(self, name: str) -> int | None:
        """The last serial that brought the node `name` anything, of which it is told; None: each does."""
        return None if self._touched is None else self._touched.last_for(name)

    def standby(self) -> str:
        """Why another registry does what only one is to do; empty: this one does."""
        return self._store.standby() if self._store is not None else "the registry is not open yet"

    @property
    def lack(self) -> str:
        """What is written is known from `open` on."""
        return ""

    async def known(self) -> None:
        """It is."""

    def served_at(self, key: ListenerKey) -> None:
        """Send what secondaries are told from the address at which they ask."""
        self._notifier.source = key.address

    def attach(self, responder: Responder, elsewhere: Elsewhere) -> Authority:
        """Have what is asked at the DNS server answered."""
        authority = Authority(
            responder, elsewhere, KeyRing(), least_lease=int(self._settings.least_lease),
            clock=time.monotonic, wall=time.time,
        )  # fmt: skip
        for primary in self._primaries.values():
            primary.followers.append(responder.changed)
            authority.serve(primary)
        self._authority = authority
        self._admit()
        return authority

    def names(self) -> Iterator[Written]:
        """What the zones say, for answers."""
        return (Written(primary.apex, primary.content) for primary in self._primaries.values())

    def in_force(self, generation: int) -> None:
        """What is written here was in force first."""

    def answered(self) -> None:
        """What is asked here waits for nothing."""

    def define(self, config_set: ConfigSet) -> None:
        """These are the Services and the settings now."""
        if config_set is self._config_set or self._source is None or self._meaning is None:
            return
        self._config_set = config_set
        self._source.define(config_set.services)
        self._meaning.define(config_set.services)
        self._admit()

    async def told(self, seconds: float) -> None:
        """What runs beside the registry is told to nobody."""

    async def run(self) -> None:
        """Carry out updates and let leases expire, as is done since `open`, until cancelled."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        async with asyncio.TaskGroup() as beside:
            for primary in self._primaries.values():
                beside.create_task(primary.run())
            beside.create_task(self._follow())

    async def _follow(self) -> None:
        """Tell the catalog of what is too much to be told at once."""
        while self._source is not None:
            await self._source.due()
            await self.fill()

    async def close(self) -> None:
        """Close the store."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        self._notifier.close()
        if self._store is not None:
            await self._store.close()

    def document(self) -> dict[str, Document]:
        """What the admin API says of the zones."""
        return {name: _zone(primary) for name, primary in self._primaries.items()}

    def families(self) -> Iterator[Family]:
        """Metrics of the zones."""
        if not self._primaries:
            return
        zones = self._primaries.items()
        yield Family(
            "weft_registry_serial", "gauge", "Serial of a written zone.",
            [Sample("weft_registry_serial", {"zone": name}, primary.content.serial) for name, primary in zones],
        )  # fmt: skip
        yield Family(
            "weft_registry_leases", "gauge", "Leases in force.",
            [Sample("weft_registry_leases", {"zone": name}, primary.leases.leases) for name, primary in zones],
        )  # fmt: skip
        yield Family(
            "weft_registry_expiry_suspended", "gauge", "1 while so many leases are not refreshed that none expires.",
            [
                Sample("weft_registry_expiry_suspended", {"zone": name}, int(primary.leases.is_suspended))
                for name, primary in zones
            ],
        )  # fmt: skip

    @property
    def _settings(self) -> RegistrySettings:
        return self._config_set.node.registry

    def _admit(self) -> None:
        """Let those in whom the settings name."""
        if self._authority is not None:
            keys = key_ring(self._settings.keys, self._config_set.secrets)
            self._authority.admit(keys, map(parse_network, self._settings.transfer_to))
            if keys.is_open and not self._is_open:
                host, _ = parse_host_port(self._config_set.node.dns)
                log.log(
                    logging.INFO if ip_address(host).is_loopback else logging.WARNING,
                    "updates are taken without a signature, from this machine only: spec.registry.keys names no key",
                )
            self._is_open = keys.is_open

    def _told(self) -> None:
        """The catalog has all that it was told; this is called again after what it is told in a moment."""
        for tell in self.copies if not self._fresh else ():
            tell(self.serial(), self._catalog.snapshot.generation)

    def _notify(self, names: Iterable[bytes]) -> None:
        primary = self._primaries["endpoints"]
        self._notifier.changed(primary.apex, primary.content.serial, names)

    def _grow(self, names: Iterable[bytes]) -> None:
        count = len(self._primaries["endpoints"].content.nodes)
        if count >= self._most_names + GROWTH:
            self._most_names = count
            for tell in self.grown:
                tell()

    def _hand_on(self, names: Iterable[bytes]) -> None:
        """Tell the catalog as soon as others are told: they learn of it while it is compiled here."""
        if not self._fresh:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._tell_catalog)
        self._fresh.update(names)

    def _tell_catalog(self) -> None:
        names, self._fresh = self._fresh, set()
        if self._source is not None:
            self._source.changed(names)

    def _targets(self, names: Collection[bytes]) -> set[Resolver]:
        written = (Resolver(*parse_host_port(text)) for text in self._settings.also_notify)
        return {*written, *notified(self._primaries[NODES].content, names)}


def key_ring(written: Collection[RegistryKey], secrets: Mapping[Named, Secret]) -> KeyRing:
    """The keys that the settings name."""
    return KeyRing(key_scopes(written, secrets), closed=bool(written))


def key_scopes(written: Iterable[RegistryKey], secrets: Mapping[Named, Secret]) -> Iterator[tuple[Key, Scope]]:
    """The keys that the settings name, each with what it may do; one that cannot be had is told of and left out."""
    for each in written:
        try:
            key = key_in(each.secret, secrets)
        except ValueError as error:
            log.error("registry.keys: a key is left out: %s", error)
            continue
        suffixes = tuple(to_wire(from_text("" if name == "*" else name)) for name in each.writes)
        yield key, Scope(suffixes, each.transfers)


def key_in(secret: str, secrets: Mapping[Named, Secret]) -> Key:
    """The key in the Secret ``NAME`` or ``NAMESPACE/NAME``.  Raises ValueError."""
    namespace, _, name = secret.rpartition("/")
    key = read_key(Named(namespace or DEFAULT_NAMESPACE, name), secrets)
    if key.algorithm not in ALGORITHMS:
        raise ValueError(f"the algorithm in Secret {secret} is none of {', '.join(ALGORITHMS)}")
    return Key(from_text(key.name), key.algorithm, b64decode(key.secret))


def _zone(primary: Primary) -> Document:
    return {
        "serial": primary.content.serial,
        "names": len(primary.content.nodes),
        "leases": primary.leases.leases,
        "expirySuspended": primary.leases.is_suspended,
        "silentRecords": primary.leases.silent,
    }
