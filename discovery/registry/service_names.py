"""The names of one Service, as wire bytes and by what stands before its own name; and where two states of it differ.

What a change of a Service moves is found by comparing, so that whoever keeps finished answers forgets no others: the
endpoints of a Service with a ClusterIP come and go without a name of it being another one.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from discovery.registry.names import Deployments, Desired, as_written, dashed, lack, records, service_name
from discovery.registry.render import Reason
from discovery.registry.wire import Labels, from_text, to_wire

POSITIVE_TTL: Final = 5
LONGEST_TEXT: Final = 253
"""Characters of a name without its last dot (RFC 1035 section 3.1)."""

Key = tuple[bytes, bytes]
"""Namespace and name of a Service."""


class ServiceNames(msgspec.Struct, frozen=True):
    """The names of one Service, by what stands before its own name."""

    nodes: dict[Labels, Node]
    reverse: dict[bytes, tuple[bytes, ...]]
    """PTR data by address."""
    reason: Reason | None
    pods: frozenset[bytes] = frozenset()
    """Addresses of the endpoints."""
    addresses: tuple[str, ...] = ()
    """The same as text, in order."""


NOTHING: Final = ServiceNames(nodes={}, reverse={}, reason=None)
"""Of a Service that is not there."""


def names_of(
    named: Named,
    config_set: ConfigSet,
    endpoints: PortEndpoints,
    desired: Desired = as_written,
    was: ServiceNames | None = None,
) -> ServiceNames:
    """The names of one Service.  What DNS cannot say, such as a name that gets too long, is left out.

    `was`: those of the same `config_set` with other endpoints, on which only a headless Service's names depend.
    """
    domain, deployments, service = config_set.node.cluster_domain, config_set.deployments, config_set.services[named]
    if was is None or service.headless:
        nodes, pointers = _nodes(named, service, endpoints, domain, deployments)
    else:
        nodes, pointers = was.nodes, was.reverse
    addresses = tuple([each.address for known in endpoints.values() for each in known])
    is_same = was is not None and was.addresses == addresses
    return ServiceNames(
        nodes=nodes,
        reverse=pointers,
        reason=lack(service, endpoints, deployments, desired),
        pods=was.pods if was is not None and is_same else frozenset(map(_packed, addresses)),
        addresses=addresses,
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
    nodes = {before: tuple(rrset(kind, *datas) for kind, datas in node.items()) for before, node in found.items()}
    return nodes, pointers


def moved(key: Key, was: ServiceNames | None, now: ServiceNames | None, domain: Labels) -> Iterator[bytes]:
    """The names that differ, as wire bytes; that of the Service itself also if only the reason does."""
    base = (key[1], key[0], b"svc", *domain)
    was, now = was or NOTHING, now or NOTHING
    had, has = was.nodes, now.nodes
    if had != has:
        for before in had.keys() | has.keys():
            if had.get(before) != has.get(before):
                yield to_wire((*before, *base))
    if was.reason != now.reason:
        yield to_wire(base)
    pointed, points = was.reverse, now.reverse
    if pointed != points:
        for address in pointed.keys() | points.keys():
            if pointed.get(address) != points.get(address):
                yield to_wire(from_text(ip_address(address).reverse_pointer))
    for address in was.pods ^ now.pods:
        yield pod_name(address, key[0], domain)


def pod_name(address: bytes, namespace: bytes, domain: Labels) -> bytes:
    """The name of an address in the pod schema, as wire bytes, of all its spellings the one that we use."""
    return to_wire((dashed(str(ip_address(address))).encode(), namespace, b"pod", *domain))


def _packed(address: str) -> bytes:
    """The bytes of an address: nearly all are IPv4, which the system reads much faster than `ip_address`."""
    try:
        return inet_pton(AF_INET, address)
    except OSError:
        return ip_address(address).packed


def address_set(packed: bytes) -> RRset:
    return rrset(wire.A if len(packed) == 4 else wire.AAAA, packed)


def rrset(kind: int, *datas: bytes) -> RRset:
    return RRset(kind, POSITIVE_TTL, datas)
