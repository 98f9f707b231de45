"""The zone: all names of the cluster, as a `View` made from what was written and what exists.

Names are kept Service by Service, so that a change of one makes only its own names anew, and says which these are;
what is the same for all (the apex, namespaces, reverse zones) is computed when asked for.  Views share what they know
of Services, so that a change costs the same however many there are: the newest one is the one to be asked.  A name that
has others beneath it exists, with or without records of its own (RFC 8020).  Each zone has a serial of its own, which
rises when other records are in it, and only then.
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
from discovery.registry.differences import Differences, zone_of
from discovery.registry.found import Found
from discovery.registry.names import (
    SCHEMA_VERSION,
    Asleep,
    lack_now,
    never,
    undashed,
)
from discovery.registry.render import Reason
from discovery.registry.reverse import Reverse
from discovery.registry.serials import Serials
from discovery.registry.service_names import (
    NOTHING,
    Key,
    ServiceNames,
    address_set,
    names_of,
    pod_name,
    rrset,
    spelled,
)
from discovery.registry.wire import Labels, from_text, to_labels, to_wire

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
    server: bytes
    mailbox: bytes
    serials: Serials
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
    asleep: Asleep = never

    def find(self, labels: Labels) -> Found | None:
        """What is known of a name; None: it is not ours to know."""
        depth = len(labels) - len(self.domain)
        if depth >= 0 and labels[depth:] == self.domain:
            return self._in_domain(labels[:depth])
        name = reverse.read(labels)
        return self._in_reverse(name) if name else None

    def _in_domain(self, labels: Labels) -> Found:
        if not labels:
            return self._found(self._apex_node(self.apex))
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
        return Found(node, self.apex, self.soa(self.apex), reason)

    def soa(self, zone: bytes) -> bytes:
        """Data of the SOA record of a zone, which are all alike but for their serials."""
        return rdata.soa(self.server, self.mailbox, self.serials.of(zone), NEGATIVE_TTL)

    def _apex_node(self, zone: bytes) -> Node:
        return rrset(wire.SOA, self.soa(zone)), rrset(wire.NS, self.server)

    def _of_service(self, labels: Labels) -> Found:
        names = self.services.get((labels[-2], labels[-3]))
        if names is None:
            return self._found(None)
        node = names.made.nodes.get(labels[:-3])
        # Why there is nothing comes and goes with the Service, also for names that it does not have.
        owner = to_wire((*labels[-3:], *self.domain)) if names.reason or node is None else b""
        reason = lack_now(Named(labels[-2].decode(), labels[-3].decode()), names.reason, self.asleep)
        return Found(node, self.apex, self.soa(self.apex), reason, owner)

    def _of_pod(self, labels: Labels) -> Found:
        """An address may be written in several ways: what is said of all of them depends on the one."""
        address = undashed(labels[0])
        if address is None:
            return self._found(None)
        text = spelled(address)
        node = (address_set(address),) if text in self.pods.get(labels[1], ()) else None
        return Found(node, self.apex, self.soa(self.apex), None, pod_name(text, labels[1], self.domain))

    def _in_reverse(self, name: Reverse) -> Found | None:
        zone = name.zone(self.networks)
        address = name.address
        if address is not None and address in self.owners:
            pointers = dict.fromkeys(
                data for key in self.owners[address] for data in self.services[key].reverse[address]
            )
            apex = to_wire(zone or name.labels)
            beside = self._apex_node(apex) if zone is None or zone == name.labels else ()
            return Found((rrset(wire.PTR, *pointers), *beside), apex, self.soa(apex))
        if zone is None:
            return None
        apex = to_wire(zone)
        if zone == name.labels:
            return Found(self._apex_node(apex), apex, self.soa(apex))
        # What is beneath the beginning of an address is not looked through: it may exist, so it is not denied.
        exists = name.number is not None and not name.is_whole
        return Found(_EMPTY if exists else None, apex, self.soa(apex))


class Zone:
    """Makes the next view from the one before it."""

    def __init__(self, serials: Serials) -> None:
        self._serials = serials
        self._config_set: ConfigSet | None = None
        self._snapshot = Snapshot()
        self._services: dict[Key, ServiceNames] = {}
        self._owners: dict[bytes, tuple[Key, ...]] = {}
        self._pods: dict[bytes, dict[str, int]] = {}
        self.view: View | None = None
        """None: nothing is known yet."""
        self.asleep: Asleep = never
        """Asked of a Service that has no endpoints; set before there is a view."""

    def steps(self, config_set: ConfigSet, snapshot: Snapshot) -> Generator[None, None, View]:
        """Make the view of what was written and what exists now, in steps; it is in `view` after the last one.

        The serials of the zones that differ from the view before are others, and that must not be asked any more.
        """
        touched = yield from self._touched(config_set, snapshot)
        before, domain = self._config_set, from_text(config_set.node.cluster_domain)
        is_comparable = before is not None and before.node.cluster_domain == config_set.node.cluster_domain
        fresh: dict[Key, ServiceNames] = {}
        for named in touched:
            if named in config_set.services:
                endpoints = snapshot.services.get(named, _NO_ENDPOINTS)
                was = None
                if before is not None and is_comparable and before.services.get(named) == config_set.services[named]:
                    was = self._services.get(_key(named))
                fresh[_key(named)] = names_of(named, config_set, endpoints, was)
                yield
        keys = list(dict.fromkeys(map(_key, touched)))
        differences = Differences(domain)
        came_or_went = False
        for key in keys:
            was, now = self._services.get(key), fresh.get(key)
            came_or_went |= (was is None) != (now is None)
            if is_comparable:
                differences.compare(key, was or NOTHING, now or NOTHING)
            differences.flip(self._replace(key, was, now), key[0])
            yield
        self._config_set, self._snapshot = config_set, snapshot
        names = differences.names() if before is config_set else None
        if self.view is not None and names == frozenset():
            self.view = replace(self.view, moved=names)
            return self.view
        is_other = came_or_went or before is None or before.namespaces is not config_set.namespaces
        namespaces = self._namespaces(config_set) if is_other or self.view is None else self.view.namespaces
        last, self.view = self.view, self._view(config_set, namespaces, names)
        self._count(last, self.view, differences)
        return self.view

    def _count(self, last: View | None, view: View, differences: Differences) -> None:
        """Give the zones that differ other serials."""
        if last is None or (last.domain, last.networks) != (view.domain, view.networks):
            self._serials.all_changed()
            return
        zones = differences.zones(view.networks)
        if (last.own, last.namespaces) != (view.own, view.namespaces):
            zones.add(view.apex)
        self._serials.changed(zones)
        for address in differences.addresses - self._owners.keys():
            zone = zone_of(address, view.networks)
            if view.find(to_labels(zone)) is None:
                self._serials.gone(zone)

    def _replace(self, key: Key, was: ServiceNames | None, now: ServiceNames | None) -> set[str]:
        """A Service has other names now, or none any more: the addresses that came to its namespace, or left it."""
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
        flipped = set()
        for text in now.pods - was.pods:
            pods[text] = pods.get(text, 0) + 1
            if pods[text] == 1:
                flipped.add(text)
        for text in was.pods - now.pods:
            pods[text] -= 1
            if not pods[text]:
                del pods[text]
                flipped.add(text)
        if not pods:
            del self._pods[key[0]]
        return flipped

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
        own: dict[Labels, Node] = {
            (b"dns-version",): (rrset(wire.TXT, rdata.txt(SCHEMA_VERSION)),),
            (b"ns", b"dns"): _addresses_of_server(config_set),
            **{(label,): _EMPTY for label in (b"dns", b"svc", b"pod")},
        }
        return View(
            domain=from_text(domain),
            apex=rdata.name(domain),
            server=rdata.name(server),
            mailbox=rdata.name(f"hostmaster.{domain}"),
            serials=self._serials,
            own=own,
            networks=tuple(parse_network(text) for text in (node.service_range.cidr, node.pod_cidr)),
            services=self._services,
            namespaces=namespaces,
            owners=self._owners,
            pods=self._pods,
            moved=moved,
            asleep=self.asleep,
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
