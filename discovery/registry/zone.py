"""The zone: all names of the cluster, as a `View` made from what was written and what exists.

Names are kept Service by Service, so that a change of one makes only its own names anew, and says which these are;
what is the same for all (the apex, namespaces, reverse zones) is computed when asked for.  Views share what they know
of Services, so that a change costs the same however many there are: the newest one is the one to be asked.  A name that
has others beneath it exists, with or without records of its own (RFC 8020).
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import msgspec
from msgspec.structs import replace

from config.addresses import Network, parse_host_port, parse_network
from config.configset import ConfigSet
from config.meta import Named
from discovery.catalog import PortEndpoints, Snapshot
from discovery.registry import rdata, reverse, wire
from discovery.registry.content import Node
from discovery.registry.found import Found
from discovery.registry.names import (
    SCHEMA_VERSION,
    Desired,
    as_written,
    undashed,
)
from discovery.registry.render import Reason
from discovery.registry.reverse import Reverse
from discovery.registry.service_names import (
    NOTHING,
    Key,
    ServiceNames,
    address_set,
    moved,
    names_of,
    pod_name,
    rrset,
    spelled,
)
from discovery.registry.wire import Labels, from_text, to_wire

NEGATIVE_TTL: Final = 1
"""Shorter, so that an endpoint that has just become ready is soon seen by who asked before."""
NAMES_PER_STEP: Final = 200
"""That are compared at a time."""

_EMPTY: Node = ()
_NO_ENDPOINTS: PortEndpoints = {}


class View(msgspec.Struct, frozen=True):
    """All names, until there is a newer view."""

    domain: Labels
    apex: bytes
    soa: bytes
    """Data of the SOA record, which is the same for all zones but for their names."""
    apex_node: Node
    own: dict[Labels, Node]
    """Names of the zone itself, without the domain."""
    networks: tuple[Network, ...]
    """Whose reverse zones are ours as a whole."""
    services: dict[Key, ServiceNames]
    namespaces: frozenset[bytes]
    owners: dict[bytes, tuple[Key, ...]]
    """The Services that have a PTR record for an address."""
    pods: dict[bytes, dict[str, int]]
    """How many Services of a namespace have an endpoint with an address."""
    moved: frozenset[bytes] | None = None
    """The names that differ from the view before, but for SOA records; None: any may."""

    def find(self, labels: Labels) -> Found | None:
        """What is known of a name; None: it is not ours to know."""
        depth = len(labels) - len(self.domain)
        if depth >= 0 and labels[depth:] == self.domain:
            return self._in_domain(labels[:depth])
        name = reverse.read(labels)
        return self._in_reverse(name) if name else None

    def _in_domain(self, labels: Labels) -> Found:
        if not labels:
            return self._found(self.apex_node)
        if labels in self.own:
            return self._found(self.own[labels])
        if len(labels) == 2 and labels[1] in {b"svc", b"pod"}:
            return self._found(_EMPTY if labels[0] in self.namespaces else None)
        if len(labels) >= 3 and labels[-1] == b"svc":
            return self._of_service(labels)
        if len(labels) == 3 and labels[-1] == b"pod":
            return self._of_pod(labels)
        return self._found(None)

    def _found(self, node: Node | None, reason: Reason | None = None) -> Found:
        return Found(node, self.apex, self.soa, reason)

    def _of_service(self, labels: Labels) -> Found:
        names = self.services.get((labels[-2], labels[-3]))
        if names is None:
            return self._found(None)
        owner = to_wire((*labels[-3:], *self.domain)) if names.reason else b""
        return Found(names.made.nodes.get(labels[:-3]), self.apex, self.soa, names.reason, owner)

    def _of_pod(self, labels: Labels) -> Found:
        """An address may be written in several ways: what is said of all of them depends on the one."""
        address = undashed(labels[0])
        if address is None:
            return self._found(None)
        text = spelled(address)
        node = (address_set(address),) if text in self.pods.get(labels[1], ()) else None
        return Found(node, self.apex, self.soa, None, pod_name(text, labels[1], self.domain))

    def _in_reverse(self, name: Reverse) -> Found | None:
        zone = name.zone(self.networks)
        address = name.address
        if address is not None and address in self.owners:
            pointers = dict.fromkeys(
                data for key in self.owners[address] for data in self.services[key].reverse[address]
            )
            return Found((rrset(wire.PTR, *pointers),), to_wire(zone or name.labels), self.soa)
        if zone is None:
            return None
        if zone == name.labels:
            return Found(self.apex_node, to_wire(zone), self.soa)
        # What is beneath the beginning of an address is not looked through: it may exist, so it is not denied.
        exists = name.number is not None and not name.is_whole
        return Found(_EMPTY if exists else None, to_wire(zone), self.soa)


class Zone:
    """Makes the next view from the one before it."""

    def __init__(self, serial: int) -> None:
        """`serial`: where the serial numbers of the zone begin; larger than those of an earlier process."""
        self._serial = serial
        self._config_set: ConfigSet | None = None
        self._snapshot = Snapshot()
        self._services: dict[Key, ServiceNames] = {}
        self._owners: dict[bytes, tuple[Key, ...]] = {}
        self._pods: dict[bytes, dict[str, int]] = {}
        self.view: View | None = None
        """None: nothing is known yet."""
        self.desired: Desired = as_written
        """Asked whenever the endpoints of a Service change."""

    def steps(self, config_set: ConfigSet, snapshot: Snapshot) -> Generator[None, None, View]:
        """Make the view of what was written and what exists now, in steps; it is in `view` after the last one.

        The serial is another one if anything differs from the view before, which must not be asked any more.
        """
        touched = yield from self._touched(config_set, snapshot)
        fresh: dict[Key, ServiceNames] = {}
        for named in touched:
            if named in config_set.services:
                endpoints = snapshot.services.get(named, _NO_ENDPOINTS)
                was = self._services.get(_key(named)) if config_set is self._config_set else None
                fresh[_key(named)] = names_of(named, config_set, endpoints, self.desired, was)
                yield
        keys = list(dict.fromkeys(map(_key, touched)))
        domain = from_text(config_set.node.cluster_domain)
        differs: set[bytes] = set()
        came_or_went = False
        for key in keys:
            was, now = self._services.get(key), fresh.get(key)
            came_or_went |= (was is None) != (now is None)
            if self._config_set is config_set:
                differs.update(moved(key, was, now, domain))
            self._replace(key, was, now)
            yield
        before, self._config_set, self._snapshot = self._config_set, config_set, snapshot
        if before is config_set and not differs and self.view is not None:
            self.view = replace(self.view, moved=frozenset())
            return self.view
        self._serial += 1
        is_other = came_or_went or before is None or before.namespaces is not config_set.namespaces
        namespaces = self._namespaces(config_set) if is_other or self.view is None else self.view.namespaces
        self.view = self._view(config_set, namespaces, frozenset(differs) if before is config_set else None)
        return self.view

    def _replace(self, key: Key, was: ServiceNames | None, now: ServiceNames | None) -> None:
        """A Service has other names now, or none any more."""
        if now is None:
            self._services.pop(key, None)
        else:
            self._services[key] = now
        was, now = was or NOTHING, now or NOTHING
        had, has = was.reverse, now.reverse
        for address in had.keys() - has.keys():
            left = tuple(each for each in self._owners[address] if each != key)
            if left:
                self._owners[address] = left
            else:
                del self._owners[address]
        for address in has.keys() - had.keys():
            self._owners[address] = (*self._owners.get(address, ()), key)
        pods = self._pods.setdefault(key[0], {})
        for text in now.pods - was.pods:
            pods[text] = pods.get(text, 0) + 1
        for text in was.pods - now.pods:
            pods[text] -= 1
            if not pods[text]:
                del pods[text]
        if not pods:
            del self._pods[key[0]]

    def update(self, config_set: ConfigSet, snapshot: Snapshot) -> View:
        """All steps at once."""
        for _ in self.steps(config_set, snapshot):
            pass
        assert self.view is not None
        return self.view

    def _touched(self, config_set: ConfigSet, snapshot: Snapshot) -> Generator[None, None, Collection[Named]]:
        """The Services whose names may differ from those of the last view."""
        before = self._config_set
        if before is None or before.node is not config_set.node or before.deployments is not config_set.deployments:
            return config_set.services.keys() | (before.services.keys() if before else set())
        if before.services is config_set.services and snapshot.generation == self._snapshot.generation + 1:
            return snapshot.changed
        was, has = self._snapshot.services, snapshot.services
        touched = []
        for number, named in enumerate(before.services.keys() | config_set.services.keys()):
            same = before.services.get(named) is config_set.services.get(named) and was.get(named) is has.get(named)
            if not same:
                touched.append(named)
            if not number % NAMES_PER_STEP:
                yield
        return touched

    def _view(self, config_set: ConfigSet, namespaces: frozenset[bytes], moved: frozenset[bytes] | None) -> View:
        node = config_set.node
        domain, server = node.cluster_domain, f"ns.dns.{node.cluster_domain}"
        soa = rdata.soa(server, f"hostmaster.{domain}", self._serial, NEGATIVE_TTL)
        own: dict[Labels, Node] = {
            (b"dns-version",): (rrset(wire.TXT, rdata.txt(SCHEMA_VERSION)),),
            (b"ns", b"dns"): _addresses_of_server(config_set),
            **{(label,): _EMPTY for label in (b"dns", b"svc", b"pod")},
        }
        return View(
            domain=from_text(domain),
            apex=rdata.name(domain),
            soa=soa,
            apex_node=(rrset(wire.SOA, soa), rrset(wire.NS, rdata.name(server))),
            own=own,
            networks=tuple(parse_network(text) for text in (node.service_range.cidr, node.pod_cidr)),
            services=self._services,
            namespaces=namespaces,
            owners=self._owners,
            pods=self._pods,
            moved=moved,
        )

    def _namespaces(self, config_set: ConfigSet) -> frozenset[bytes]:
        return frozenset({key[0] for key in self._services} | {named.name.encode() for named in config_set.namespaces})


def _addresses_of_server(config_set: ConfigSet) -> Node:
    """Where the zone's name server is reached."""
    address: IPv4Address | IPv6Address = ip_address(parse_host_port(config_set.node.dns)[0])
    if address.is_unspecified and config_set.node.node_addresses:
        address = ip_address(config_set.node.node_addresses[0])
    return (address_set(address.packed),)


def _key(named: Named) -> Key:
    return named.namespace.encode(), named.name.encode()
