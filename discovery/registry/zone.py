"""The zone: all names of the cluster at one moment, as an immutable `View` made from what was written and what exists.

Names are kept Service by Service, so that a change of one makes only its own names anew; what is the same for
all (the apex, namespaces, reverse zones) is computed when asked for.  A name that has others beneath it exists,
with or without records of its own (RFC 8020).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Set
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import msgspec

from config.addresses import Network, parse_host_port, parse_network
from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Service
from discovery.catalog import PortEndpoints, Snapshot
from discovery.registry import rdata, reverse, wire
from discovery.registry.content import Node, RRset
from discovery.registry.found import Found
from discovery.registry.names import (
    SCHEMA_VERSION,
    Deployments,
    Desired,
    as_written,
    lack,
    records,
    service_name,
    undashed,
)
from discovery.registry.render import Reason
from discovery.registry.reverse import Reverse
from discovery.registry.wire import Labels, from_text, to_wire

POSITIVE_TTL: Final = 5
LONGEST_TEXT: Final = 253
"""Characters of a name without its last dot (RFC 1035 section 3.1)."""
NEGATIVE_TTL: Final = 1
"""Shorter, so that an endpoint that has just become ready is soon seen by who asked before."""
NAMES_PER_STEP: Final = 200
"""That are compared at a time."""

_EMPTY: Node = ()
_NO_ENDPOINTS: PortEndpoints = {}


class ServiceNames(msgspec.Struct, frozen=True):
    """The names of one Service, by what stands before its own name."""

    service: Service
    endpoints: PortEndpoints
    nodes: dict[Labels, Node]
    reverse: dict[bytes, tuple[bytes, ...]]
    """PTR data by address."""
    reason: Reason | None


_Key = tuple[bytes, bytes]
"""Namespace and name of a Service."""


class View(msgspec.Struct, frozen=True):
    """All names at one moment."""

    domain: Labels
    apex: bytes
    soa: bytes
    """Data of the SOA record, which is the same for all zones but for their names."""
    apex_node: Node
    own: dict[Labels, Node]
    """Names of the zone itself, without the domain."""
    networks: tuple[Network, ...]
    """Whose reverse zones are ours as a whole."""
    services: dict[_Key, ServiceNames]
    namespaces: frozenset[bytes]
    owners: dict[bytes, tuple[_Key, ...]]
    """The Services that have a PTR record for an address."""
    pods: dict[bytes, frozenset[bytes]]
    """Addresses of endpoints by namespace; filled when first asked for."""

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
        return self._found(names.nodes.get(labels[:-3]), names.reason)

    def _of_pod(self, labels: Labels) -> Found:
        address = undashed(labels[0])
        if address is None or address not in self._addresses(labels[1]):
            return self._found(None)
        return self._found((_address(address),))

    def _addresses(self, namespace: bytes) -> frozenset[bytes]:
        if namespace not in self.namespaces:
            return frozenset()
        if namespace not in self.pods:
            self.pods[namespace] = frozenset(
                ip_address(endpoint.address).packed
                for key, names in self.services.items()
                if key[0] == namespace
                for endpoints in names.endpoints.values()
                for endpoint in endpoints
            )
        return self.pods[namespace]

    def _in_reverse(self, name: Reverse) -> Found | None:
        zone = name.zone(self.networks)
        address = name.address
        if address is not None and address in self.owners:
            pointers = dict.fromkeys(
                data for key in self.owners[address] for data in self.services[key].reverse[address]
            )
            return Found((_set(wire.PTR, *pointers),), to_wire(zone or name.labels), self.soa)
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
        self.view: View | None = None
        """None: nothing is known yet."""
        self.desired: Desired = as_written
        """Asked whenever the endpoints of a Service change."""

    def steps(self, config_set: ConfigSet, snapshot: Snapshot) -> Generator[None, None, View]:
        """Make the view of what was written and what exists now, in steps; it is in `view` after the last one."""
        before = self.view
        touched = yield from self._touched(config_set, snapshot)
        fresh: dict[_Key, ServiceNames] = {}
        for named in touched:
            if named in config_set.services:
                endpoints = snapshot.services.get(named, _NO_ENDPOINTS)
                fresh[_key(named)] = names_of(named, config_set, endpoints, self.desired)
                yield
        services = dict(before.services) if before else {}
        yield
        gone = {key: services.pop(key) for key in map(_key, touched) if key in services}
        yield
        services.update(fresh)
        owners = yield from _owners(before.owners if before else {}, gone, fresh)
        self._serial += 1
        self.view = self._view(config_set, services, owners)
        self._config_set, self._snapshot = config_set, snapshot
        return self.view

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

    def _view(
        self, config_set: ConfigSet, services: dict[_Key, ServiceNames], owners: dict[bytes, tuple[_Key, ...]]
    ) -> View:
        node = config_set.node
        domain, server = node.cluster_domain, f"ns.dns.{node.cluster_domain}"
        soa = rdata.soa(server, f"hostmaster.{domain}", self._serial, NEGATIVE_TTL)
        own: dict[Labels, Node] = {
            (b"dns-version",): (_set(wire.TXT, rdata.txt(SCHEMA_VERSION)),),
            (b"ns", b"dns"): _addresses_of_server(config_set),
            **{(label,): _EMPTY for label in (b"dns", b"svc", b"pod")},
        }
        return View(
            domain=from_text(domain),
            apex=rdata.name(domain),
            soa=soa,
            apex_node=(_set(wire.SOA, soa), _set(wire.NS, rdata.name(server))),
            own=own,
            networks=tuple(parse_network(text) for text in (node.service_range.cidr, node.pod_cidr)),
            services=services,
            namespaces=self._namespaces(config_set, services),
            owners=owners,
            pods={},
        )

    def _namespaces(self, config_set: ConfigSet, services: dict[_Key, ServiceNames]) -> frozenset[bytes]:
        before, view = self._config_set, self.view
        if before and view and before.namespaces is config_set.namespaces and services.keys() == view.services.keys():
            return view.namespaces
        return frozenset({key[0] for key in services} | {named.name.encode() for named in config_set.namespaces})


def names_of(
    named: Named, config_set: ConfigSet, endpoints: PortEndpoints, desired: Desired = as_written
) -> ServiceNames:
    """The names of one Service.  What DNS cannot say, such as a name that gets too long, is left out."""
    domain, deployments, service = config_set.node.cluster_domain, config_set.deployments, config_set.services[named]
    nodes, pointers = _nodes(named, service, endpoints, domain, deployments)
    return ServiceNames(
        service=service,
        endpoints=endpoints,
        nodes=nodes,
        reverse=pointers,
        reason=lack(service, endpoints, deployments, desired),
    )


def _nodes(
    named: Named, service: Service, endpoints: PortEndpoints, domain: str, deployments: Deployments
) -> tuple[dict[Labels, Node], dict[bytes, tuple[bytes, ...]]]:
    base = from_text(service_name(named, domain))
    found: dict[Labels, dict[int, list[bytes]]] = {}
    pointers: dict[bytes, tuple[bytes, ...]] = {}
    for record in records(named, service, endpoints, domain, deployments):
        if len(record.name) > LONGEST_TEXT:
            continue
        try:
            kind, data = rdata.encode(record.type, record.value)
        except ValueError:
            continue
        if kind == wire.PTR:
            pointers[reverse.packed(record.name)] = (data,)
            continue
        labels = from_text(record.name)
        before = labels[: -len(base)]
        for depth in range(1, len(before) + 1):
            found.setdefault(before[depth:], {})
        datas = found.setdefault(before, {}).setdefault(kind, [])
        if data not in datas:
            datas.append(data)
    nodes = {before: tuple(_set(kind, *datas) for kind, datas in node.items()) for before, node in found.items()}
    return nodes, pointers


def _owners(
    before: dict[bytes, tuple[_Key, ...]], gone: dict[_Key, ServiceNames], fresh: dict[_Key, ServiceNames]
) -> Generator[None, None, dict[bytes, tuple[_Key, ...]]]:
    """Who has which address now, in steps; the same as before if no address came or went."""
    moved = []
    for number, key in enumerate(gone.keys() | fresh.keys()):
        if _reversed(gone.get(key)) != _reversed(fresh.get(key)):
            moved.append(key)
        if not number % NAMES_PER_STEP:
            yield
    owners = dict(before) if moved else before
    yield
    for key in moved:
        for address in _reversed(gone.get(key)):
            left = tuple(each for each in owners[address] if each != key)
            if left:
                owners[address] = left
            else:
                del owners[address]
        for address in _reversed(fresh.get(key)):
            owners[address] = (*owners.get(address, ()), key)
        yield
    return owners


def _reversed(names: ServiceNames | None) -> Set[bytes]:
    return names.reverse.keys() if names else frozenset()


def _addresses_of_server(config_set: ConfigSet) -> Node:
    """Where the zone's name server is reached."""
    address: IPv4Address | IPv6Address = ip_address(parse_host_port(config_set.node.dns)[0])
    if address.is_unspecified and config_set.node.node_addresses:
        address = ip_address(config_set.node.node_addresses[0])
    return (_address(address.packed),)


def _address(packed: bytes) -> RRset:
    return _set(wire.A if len(packed) == 4 else wire.AAAA, packed)


def _set(kind: int, *datas: bytes) -> RRset:
    return RRset(kind, POSITIVE_TTL, datas)


def _key(named: Named) -> _Key:
    return named.namespace.encode(), named.name.encode()
