"""Inbound listeners, decided: which endpoints of this node others cannot dial, and what is published instead.

An address of the loopback, of a link (RFC 3927, RFC 4291 section 2.5.6) or of a bridge inside this machine means
something else on every other one.  Such an endpoint is published as the node's address and the port of a listener here,
which hands connections to exactly that endpoint and never balances again: who dials it has balanced already.  Where
the node's own address is of the loopback too, all nodes are on one machine, and endpoints are published as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple

import msgspec

from config.addresses import Address
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec
from discovery.catalog import PortEndpoints
from discovery.endpoint import Endpoint
from mesh.service_doors import networks, transport_of
from mesh.table import Transport

Networks = tuple[IPv4Network | IPv6Network, ...]


class Behind(NamedTuple):
    """What one inbound listener hands connections to."""

    address: str
    port: int
    owner: str
    """Whose it is, whichever replica: the same address may become another's."""
    transport: Transport = "TCP"


class Reach(NamedTuple):
    """How endpoints of this node are reached from others."""

    address: str
    """Of this node."""
    everywhere: bool
    """All endpoints can be dialled as they are."""
    bridges: Networks = ()
    """Networks that exist inside this machine only."""

    def needs(self, endpoint: Endpoint) -> bool:
        """Whether it needs a listener here to be reached."""
        return not self.everywhere and (endpoint.inside or _stays_inside(endpoint.address, self.bridges))


def reach(node: NodeConfigSpec) -> Reach:
    """What a NodeConfig says.  Raises ValueError with a sentence if others cannot dial the node's first address."""
    settings, address = node.inbound, next(iter(node.node_addresses), "")
    if not address or ip_address(address).is_unspecified:
        raise ValueError("others are to dial the first of spec.nodeAddresses: write this node's own address there")
    same_machine = ip_address(address).is_loopback
    everywhere = same_machine if settings.reach == "auto" else settings.reach == "never"
    return Reach(address, everywhere, networks(settings.bridges))


@lru_cache(maxsize=4096)
def _stays_inside(address: str, bridges: Networks) -> bool:
    own: Address = ip_address(address)
    own = getattr(own, "ipv4_mapped", None) or own
    return own.is_loopback or own.is_link_local or any(own in bridge for bridge in bridges)


def needed(
    name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints, how: Reach
) -> dict[Behind, tuple[str, Endpoint]]:
    """What of a Service's endpoints needs a listener: to each, the port of the Service and the endpoint."""
    found: dict[Behind, tuple[str, Endpoint]] = {}
    for key, behind, endpoint in _behind(name, ports, endpoints):
        if how.needs(endpoint):
            found.setdefault(behind, (key, endpoint))
    return found


def published(
    name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints, how: Reach, doors: Mapping[Behind, int]
) -> PortEndpoints:
    """What others are told; `doors`: the ports of open listeners.  An endpoint that lacks one is left out."""
    told: dict[str, list[Endpoint]] = {port.key: [] for port in ports if port.key in endpoints}
    for key, behind, endpoint in _behind(name, ports, endpoints):
        if not how.needs(endpoint):
            told[key].append(endpoint)
        elif behind in doors:
            door = msgspec.structs.replace(endpoint, address=how.address, port=doors[behind], inside=False)
            told[key].append(door)
    return {key: tuple(some) for key, some in told.items()}


def _behind(
    name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints
) -> Iterator[tuple[str, Behind, Endpoint]]:
    for port in ports:
        transport = transport_of(port)
        for endpoint in endpoints.get(port.key, ()):
            owner = f"{_whose(name, endpoint)}:{endpoint.port}/{transport}"
            yield port.key, Behind(endpoint.address, endpoint.port, owner, transport), endpoint


def _whose(name: Named, endpoint: Endpoint) -> str:
    """A workload, or the Service where none is said."""
    return "/".join(endpoint.workload or ("Service", *name))
