"""The names of one Service, as wire bytes and by what stands before its own name; and where two states of it differ.

What a change of a Service moves is found by comparing, so that whoever keeps finished answers forgets no others: the
endpoints of a Service with a ClusterIP come and go without a name of it being another one.  So its names are made when
one of them is first asked for, which few of many Services ever are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from socket import AF_INET, inet_pton
from typing import Final

import msgspec

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Service
from discovery.catalog import PortEndpoints
from discovery.registry import rdata, reverse, wire
from discovery.registry.content import Node, RRset
from discovery.registry.names import (
    Deployments,
    dashed,
    lack,
    records,
    service_name,
)
from discovery.registry.render import Reason
from discovery.registry.wire import Labels, from_text, to_wire

POSITIVE_TTL: Final = 5
LONGEST_TEXT: Final = 253
"""Characters of a name without its last dot (RFC 1035 section 3.1)."""

Key = tuple[bytes, bytes]
"""Namespace and name of a Service."""


Nodes = dict[Labels, Node]


class Made:
    """The names of a Service with what they have, by what stands before its own name; made when first asked for."""

    __slots__ = ("_make", "_nodes")

    def __init__(self, make: Callable[[], Nodes]) -> None:
        self._make: Callable[[], Nodes] | None = make
        self._nodes: Nodes = {}

    @property
    def nodes(self) -> Nodes:
        """All of them."""
        if self._make is not None:
            self._nodes, self._make = self._make(), None
        return self._nodes

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Made) and self.nodes == other.nodes)

    __hash__ = None  # type: ignore[assignment]


class ServiceNames(msgspec.Struct, frozen=True):
    """The names of one Service."""

    made: Made
    reverse: dict[bytes, tuple[bytes, ...]]
    """PTR data by address."""
    reason: Reason | None
    pods: frozenset[str] = frozenset()
    """Addresses of the endpoints, in the one spelling that we use."""
    addresses: tuple[str, ...] = ()
    """The same as they came, in order."""


NOTHING: Final = ServiceNames(made=Made(dict), reverse={}, reason=None)
"""Of a Service that is not there."""


def names_of(
    named: Named,
    config_set: ConfigSet,
    endpoints: PortEndpoints,
    was: ServiceNames | None = None,
) -> ServiceNames:
    """The names of one Service.  What DNS cannot say, such as a name that gets too long, is left out.

    `was`: those of the same `config_set` with other endpoints, on which only a headless Service's names depend.
    """
    domain, deployments, service = config_set.node.cluster_domain, config_set.deployments, config_set.services[named]
    if service.headless:
        nodes, pointers = _nodes(named, service, endpoints, domain, deployments)
        made = Made(lambda: nodes)
    elif was is None:
        made = Made(partial(_fixed_nodes, named, service, domain, deployments))
        pointers = _pointers(named, service, domain)
    else:
        made, pointers = was.made, was.reverse
    there = tuple([each.address for known in endpoints.values() for each in known])
    is_same = was is not None and was.addresses == there
    return ServiceNames(
        made=made,
        reverse=pointers,
        reason=lack(service, endpoints),
        pods=was.pods if was is not None and is_same else _spelled(there),
        addresses=there,
    )


def _fixed_nodes(named: Named, service: Service, domain: str, deployments: Deployments) -> Nodes:
    """The names of a Service whose endpoints have no part in them."""
    return _nodes(named, service, {}, domain, deployments)[0]


def _pointers(named: Named, service: Service, domain: str) -> dict[bytes, tuple[bytes, ...]]:
    """PTR data by the ClusterIPs of a Service."""
    if service.spec.type == "ExternalName":
        return {}
    try:
        name = to_wire(from_text(service_name(named, domain)))
    except ValueError:
        return {}
    return {_packed(address): (name,) for address in service.addresses}


def _nodes(
    named: Named, service: Service, endpoints: PortEndpoints, domain: str, deployments: Deployments
) -> tuple[Nodes, dict[bytes, tuple[bytes, ...]]]:
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
    nodes = {before: tuple(rrset(kind, *datas) for kind, datas in node.items()) for before, node in found.items()}
    return nodes, pointers


def moved(key: Key, was: ServiceNames, now: ServiceNames, domain: Labels) -> Iterator[bytes]:
    """The names of a Service that differ, as wire bytes."""
    if was.made is not now.made:
        had, has = was.made.nodes, now.made.nodes
        for before in had.keys() | has.keys():
            if had.get(before) != has.get(before):
                yield to_wire((*before, *_base(key, domain)))


def explained(key: Key, was: ServiceNames, now: ServiceNames, domain: Labels) -> Iterator[bytes]:
    """The name of the Service itself if it is said otherwise why that has nothing, which no record tells."""
    if was.reason != now.reason:
        yield to_wire(_base(key, domain))


def pointing(was: ServiceNames, now: ServiceNames) -> Iterator[bytes]:
    """The addresses whose names are other ones."""
    pointed, points = was.reverse, now.reverse
    if pointed != points:
        for address in pointed.keys() | points.keys():
            if pointed.get(address) != points.get(address):
                yield address


def _base(key: Key, domain: Labels) -> Labels:
    return key[1], key[0], b"svc", *domain


def pod_name(address: str, namespace: bytes, domain: Labels) -> bytes:
    """The name of an address in the pod schema, as wire bytes, of all its spellings the one that we use."""
    return to_wire((dashed(address).encode(), namespace, b"pod", *domain))


def _spelled(there: tuple[str, ...]) -> frozenset[str]:
    """Addresses as `ipaddress` spells them: IPv4 knows no other way."""
    if ":" not in "".join(there):
        return frozenset(there)
    return frozenset([spelled(ip_address(address).packed) for address in there])


def _packed(address: str) -> bytes:
    """The bytes of an address: nearly all are IPv4, which the system reads much faster than `ip_address`."""
    try:
        return inet_pton(AF_INET, address)
    except OSError:
        return ip_address(address).packed


def spelled(packed: bytes) -> str:
    """The text of an address."""
    return str(ip_address(packed))


def address_set(packed: bytes) -> RRset:
    return rrset(wire.A if len(packed) == 4 else wire.AAAA, packed)


def rrset(kind: int, *datas: bytes) -> RRset:
    return RRset(kind, POSITIVE_TTL, datas)
