"""Circles: addresses of this node from which a name that resolves to them would be sent to itself again.

An ExternalName Service has no address of its own.  What leads to it are Ingresses, and Services whose policies
split or mirror; so its name must not stand for the listeners of those.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from config.addresses import parse_host_port
from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import Service
from config.settings import UNPRIVILEGED_STEP, NodeConfigSpec

Place = tuple[str, int]


def places_before(named: Named, config_set: ConfigSet) -> frozenset[Place]:
    """Where a request may have come in that is on its way to the ExternalName Service `named`."""
    node = config_set.node
    found = {
        place for text in (node.ingress.http, node.ingress.https) for place in _all_of(parse_host_port(text), node)
    }
    for policy in config_set.policies.values():
        spec, namespace = policy.spec, policy.metadata.namespace
        led_to = {Named(namespace, each.service) for each in (*spec.split, *((spec.mirror,) if spec.mirror else ()))}
        service = config_set.services.get(Named(namespace, spec.target_ref.name))
        if service and named in led_to and spec.target_ref.kind == "Service":
            found.update(_doors(service, node))
    return frozenset(found | {(address, _elsewhere(port)) for address, port in found})


def _all_of(place: Place, node: NodeConfigSpec) -> Iterator[Place]:
    """An address that stands for all addresses of a machine is each that is known."""
    address, port = place
    yield place
    if ip_address(address).is_unspecified:
        yield from ((each, port) for each in ("127.0.0.1", "::1", *node.node_addresses))


def _doors(service: Service, node: NodeConfigSpec) -> Iterator[Place]:
    spec = service.spec
    own = (*service.addresses, *spec.external_ips)
    for port in spec.ports:
        yield from ((address, port.port) for address in own)
        yield from ((address, number) for address in node.node_addresses for number in (port.port, port.node_port))


def _elsewhere(port: int) -> int:
    """Where a port is served that weft has no right to."""
    return port + UNPRIVILEGED_STEP if port < 1024 else port
