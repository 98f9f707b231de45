"""The doors of a Service port: every address and port at which its type, and what else it says, has it served.

By ClusterIP (or by a port of 127.0.0.1, where a node cannot reach the service range), by node port on all node
addresses, by LoadBalancer on the node addresses with the Service's own port, by externalIPs.  Whoever comes by
ClusterIP is inside the cluster, everybody else outside, which is what the two traffic policies go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from config.local_ports import local_ports
from config.resources.core import Service, ServicePort
from config.settings import LOCAL_ADDRESS, NodeConfigSpec
from mesh.locality import Side
from mesh.table import Entry, ListenerKey, Transport

Networks = tuple[IPv4Network | IPv6Network, ...]


class Door(NamedTuple):
    key: ListenerKey
    entry: Entry
    sources: Networks = ()
    """Who may come in; empty: everybody."""

    @property
    def side(self) -> Side:
        return "internal" if self.entry == "ClusterIP" else "external"


def has_doors(service: Service) -> bool:
    return service.spec.type != "ExternalName" and not service.headless


def doors(service: Service, port: ServicePort, node: NodeConfigSpec) -> Iterator[Door]:
    """Those of one port; a Service that is only a name has none."""
    if not has_doors(service):
        return
    spec, transport = service.spec, transport_of(port)
    if node.service_range.reach == "ports":
        if number := local_ports(service).get(port.key):
            yield Door(ListenerKey(LOCAL_ADDRESS, number, transport), "ClusterIP")
    else:
        for address in service.addresses:
            yield Door(ListenerKey(address, port.port, transport), "ClusterIP")
    if spec.type in ("NodePort", "LoadBalancer") and port.node_port:
        for address in node.node_addresses:
            yield Door(ListenerKey(address, port.node_port, transport), "NodePort")
    if service.balanced:
        sources = networks(spec.load_balancer_source_ranges)
        for address in balanced_addresses(service, node):
            yield Door(ListenerKey(address, port.port, transport), "LoadBalancer", sources)
    for address in spec.external_ips:
        yield Door(ListenerKey(address, port.port, transport), "ExternalIP")


def health_doors(service: Service, node: NodeConfigSpec) -> Iterator[Door]:
    """Where it is told how many endpoints this node has."""
    number = service.spec.health_check_node_port
    if service.spec.type == "LoadBalancer" and service.spec.external_traffic_policy == "Local" and number:
        for address in node.node_addresses:
            yield Door(ListenerKey(address, number), "HealthCheck")


def balanced_addresses(service: Service, node: NodeConfigSpec) -> tuple[str, ...]:
    """The node addresses of a LoadBalancer: all of them, or the one that ``loadBalancerIP`` names."""
    wanted = service.spec.load_balancer_ip
    return (wanted,) if wanted in node.node_addresses else node.node_addresses


def transport_of(port: ServicePort) -> Transport:
    return "UDP" if port.protocol == "UDP" else "TCP"


@lru_cache(maxsize=256)
def networks(ranges: tuple[str, ...]) -> Networks:
    """What is written as networks or addresses.  Raises ValueError."""
    return tuple(ip_network(text.strip()) for text in ranges)
