"""At which addresses and ports Services ask to be served, and the node serves itself: as far as manifests say it.

What `mesh.service_doors` opens, before anything was given out; two programs cannot listen at one address and port, nor
can two Services.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from config.addresses import Address, parse_address, parse_host_port
from config.configset import ConfigSet
from config.resources.core import Service, ServicePort
from config.settings import NodeConfigSpec
from config.validation.report import problem_of


class Place(NamedTuple):
    """Where only one can listen."""

    address: Address
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol} at {self.address}"


class Door(NamedTuple):
    place: Place
    path: str
    """The field that asks for it."""
    remedy: str
    given: tuple[str, ...] = ()
    """Other fields of the Service that it rests on."""


def service_doors(service: Service, node: NodeConfigSpec) -> Iterator[Door]:
    """What cannot be read is left out."""
    if service.spec.type == "ExternalName" or service.headless:
        return
    for i, port in enumerate(service.spec.ports):
        if port.protocol != "SCTP":
            yield from _port_doors(service, port, f"spec.ports[{i}]", node)


def _port_doors(service: Service, port: ServicePort, path: str, node: NodeConfigSpec) -> Iterator[Door]:
    spec = service.spec
    if node.service_range.reach != "ports":
        for i, address in enumerate(_readable(service.addresses)):
            where = f"spec.clusterIPs[{i}]" if i else "spec.clusterIP"
            yield Door(Place(address, port.port, port.protocol), where, "leave it out to be given another")
    if spec.type in ("NodePort", "LoadBalancer") and port.node_port:
        for address in _readable(node.node_addresses):
            yield Door(
                Place(address, port.node_port, port.protocol),
                f"{path}.nodePort",
                "leave it out to be given another",
                ("spec.type",),
            )
    if service.balanced and (not spec.load_balancer_ip or problem_of(parse_address, spec.load_balancer_ip) is None):
        wanted = spec.load_balancer_ip
        remedy = "choose another port, or give one of them an address of its own (loadBalancerIP, one of nodeAddresses)"
        given = ("spec.type", "spec.loadBalancerClass", "spec.loadBalancerIP")
        for address in _readable([wanted] if wanted in node.node_addresses else node.node_addresses):
            yield Door(Place(address, port.port, port.protocol), f"{path}.port", remedy, given)
    for i, text in enumerate(spec.external_ips):
        for address in _readable([text]):
            place = Place(address, port.port, port.protocol)
            yield Door(place, f"spec.externalIPs[{i}]", "choose another address or port", ("spec.type", f"{path}.port"))


def node_doors(config_set: ConfigSet) -> Iterator[tuple[str, Place]]:
    """What this node itself listens at, by the NodeConfig's field; where any free port will do is left out."""
    node = config_set.node
    served = [("spec.admin", node.admin, "TCP"), ("spec.dns", node.dns, "TCP"), ("spec.dns", node.dns, "UDP")]
    if config_set.ingresses:
        served.append(("spec.ingress.http", node.ingress.http, "TCP"))
    if any(ingress.spec.tls for ingress in config_set.ingresses.values()):
        served.append(("spec.ingress.https", node.ingress.https, "TCP"))
    for path, text, protocol in served:
        if problem_of(parse_host_port, text) is None:
            host, port = parse_host_port(text)
            if port:
                yield path, Place(parse_address(host), port, protocol)


def _readable(texts: Iterable[str]) -> Iterator[Address]:
    for text in texts:
        if problem_of(parse_address, text) is None:
            yield parse_address(text)
