"""At which addresses and ports Services ask to be served, and the node serves itself: as far as manifests say it.

What `mesh.service_doors` opens, before anything was given out; two programs cannot listen at one address and port, nor
can two Services.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from config.addresses import Address, parse_address, parse_host_port
from config.configset import ConfigSet
from config.ingress_class import default_classes, verdict
from config.resources.core import Service, ServicePort
from config.settings import NodeConfigSpec
from config.validation.report import problem_of

_ANOTHER = "leave it out to be given another"
_ANOTHER_PORT = "choose another port, or give one of them an address of its own (loadBalancerIP, one of nodeAddresses)"


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


def external_addresses(config_set: ConfigSet) -> frozenset[Address]:
    """What Services name as ``externalIPs``."""
    texts = {text for service in config_set.services.values() for text in service.spec.external_ips}
    return frozenset(place.address for _, place in _places(texts, 0))


def service_doors(service: Service, node: NodeConfigSpec, external: Collection[Address]) -> Iterator[Door]:
    """What cannot be read is left out, and ClusterIPs are but for the `external` ones: nobody else can have these."""
    if service.spec.type == "ExternalName" or service.headless:
        return
    for i, port in enumerate(service.spec.ports):
        if port.protocol != "SCTP":
            yield from _port_doors(service, port, f"spec.ports[{i}]", node, external)
    spec = service.spec
    if spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local" and spec.health_check_node_port:
        given = ("spec.type", "spec.externalTrafficPolicy")
        for _, place in _places(node.node_addresses, spec.health_check_node_port):
            yield Door(place, "spec.healthCheckNodePort", _ANOTHER, given)


def _port_doors(
    service: Service, port: ServicePort, path: str, node: NodeConfigSpec, external: Collection[Address]
) -> Iterator[Door]:
    spec, wanted = service.spec, service.spec.load_balancer_ip
    if external and node.service_range.reach != "ports":
        for i, place in _places(service.addresses, port.port, port.protocol):
            if place.address in external:
                yield Door(place, f"spec.clusterIPs[{i}]" if i else "spec.clusterIP", _ANOTHER)
    if spec.type in ("NodePort", "LoadBalancer") and port.node_port:
        for _, place in _places(node.node_addresses, port.node_port, port.protocol):
            yield Door(place, f"{path}.nodePort", _ANOTHER, ("spec.type",))
    if service.balanced:
        given = ("spec.type", "spec.loadBalancerClass", "spec.loadBalancerIP")
        # What one node serves at all its addresses, for it has none that is wanted, another may serve there.
        for _, place in _places([wanted] if wanted else node.node_addresses, port.port, port.protocol):
            yield Door(place, f"{path}.port", _ANOTHER_PORT, given)
    for i, place in _places(spec.external_ips, port.port, port.protocol):
        yield Door(place, f"spec.externalIPs[{i}]", "choose another address or port", ("spec.type", f"{path}.port"))


def node_doors(config_set: ConfigSet) -> Iterator[tuple[str, Place]]:
    """What this node itself listens at, by the NodeConfig's field; where any free port will do is left out."""
    node = config_set.node
    served = [("spec.admin", node.admin, "TCP"), ("spec.dns", node.dns, "TCP"), ("spec.dns", node.dns, "UDP")]
    classes = config_set.ingress_classes
    defaults = default_classes(classes)
    ingresses = [each for each in config_set.ingresses.values() if verdict(each, classes, defaults).served]
    if ingresses:
        served.append(("spec.ingress.http", node.ingress.http, "TCP"))
    if any(each.spec.tls for each in ingresses):
        served.append(("spec.ingress.https", node.ingress.https, "TCP"))
    for path, text, protocol in served:
        if problem_of(parse_host_port, text) is None:
            host, port = parse_host_port(text)
            if port:
                yield path, Place(parse_address(host), port, protocol)


def _places(addresses: Iterable[str], port: int, protocol: str = "TCP") -> Iterator[tuple[int, Place]]:
    """By the positions of those addresses that can be read."""
    for i, text in enumerate(addresses):
        with suppress(ValueError):
            yield i, Place(parse_address(text), port, protocol)
