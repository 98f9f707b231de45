"""Services (v1): the rules of the API server for types, ports and addresses.

A Service that carries a ``creationTimestamp`` was printed by an API server (``kubectl get -o yaml``): addresses
and ports that its cluster gave out are no wish of the user, so those that do not fit here are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from config.addresses import Network, assignable, parse_address, parse_network
from config.dns_source import problems as dns_problems
from config.meta import IntOrString
from config.naming import DNS_SUBDOMAIN, PORT_NAME, SERVICE_PORT_NAME, label_key, shown
from config.resources.core import OWN_LOAD_BALANCER, Service, ServicePort, SessionAffinityConfig
from config.settings import NODE_PORTS
from config.validation.metadata import check_labels
from config.validation.report import ObjectReport, duplicates, keyed, problem_of

_EXTERNAL = ("NodePort", "LoadBalancer")
_CARRIED = frozenset({"TCP", "UDP"})
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


EXPORTED = "metadata.creationTimestamp"
"""What `Service.exported` looks at."""


class RangeInForce(NamedTuple):
    """The service range, and where it is written, for messages; no network when that is a fault itself."""

    network: Network | None
    origin: str


def check_service(service: Service, report: ObjectReport, service_range: RangeInForce) -> None:
    check_labels(service.spec.selector, "spec.selector", report)
    for annotation, problem in dns_problems(service):
        report.error(keyed("metadata.annotations", annotation), problem)
    _check_ports(service, report)
    if service.spec.type == "ExternalName":
        _check_external_name(service, report)
    else:
        _check_cluster_ip(service, report, service_range)
        _check_families(service, report, service_range)
        if service.spec.external_name and not report.knows("spec.type"):  # no other type has a use for it
            _check_external_name(service, report)
    _check_affinity(service, report)
    _check_outside(service, report)
    _check_load_balancer(service, report)
    distribution = service.spec.traffic_distribution
    if distribution and distribution not in _DISTRIBUTIONS:
        report.error("spec.trafficDistribution", f"{shown(distribution)} is none of {', '.join(_DISTRIBUTIONS)}")


def check_target_port(port: IntOrString, path: str, report: ObjectReport, *given: str) -> None:
    """A number from 1 to 65535 or the name of a container's port; `given` as in `ObjectReport`."""
    if isinstance(port, int):
        if not 1 <= port <= 65535:
            report.error(path, f"{port} is not a port number from 1 to 65535", *given)
    elif port.isdecimal():
        report.error(path, f"{shown(port)} is text, so it would be the name of a port: write {port} without quotes")
    else:
        report.check(path, PORT_NAME.problem(port))


def _check_external_name(service: Service, report: ObjectReport) -> None:
    name, path = service.spec.external_name, "spec.externalName"
    if service.spec.cluster_ip:
        message = "a Service of type ExternalName is only a DNS name: remove clusterIP"
        report.error("spec.clusterIP", message, "spec.clusterIPs", "spec.type")
    if not name:
        report.error(path, "a Service of type ExternalName needs the name that it stands for")
        return
    report.check(path, DNS_SUBDOMAIN.problem(name.removesuffix(".")))
    if problem_of(parse_address, name) is None:
        report.warning(
            path, f"{shown(name)} is an address, but clients are told to look it up as a name: use an EndpointSlice"
        )


def _check_ports(service: Service, report: ObjectReport) -> None:
    ports = service.spec.ports
    if not ports and service.spec.type != "ExternalName" and not service.headless:
        report.error(
            "spec.ports", "at least one port is needed, unless clusterIP is None", "spec.clusterIP", "spec.type"
        )
    for i, port in enumerate(ports):
        _check_port(port, f"spec.ports[{i}]", service, report)
        if len(ports) > 1 and not port.name:
            report.error(f"spec.ports[{i}].name", "every port needs a name when a Service has several")
    names = (p.name or i for i, p in enumerate(ports))
    _report_duplicates(("name",), names, "the name of spec.ports[{}] again: names are unique", report)
    numbers = ((p.protocol, p.port) for p in ports)
    _report_duplicates(("port", "protocol"), numbers, "same protocol and port as spec.ports[{}]: keep one", report)
    node_ports = ((p.protocol, p.node_port or -i) for i, p in enumerate(ports, 1))
    _report_duplicates(
        ("nodePort", "protocol"),
        node_ports,
        "same protocol and nodePort as spec.ports[{}]: remove one, and it is given a free one",
        report,
    )


def _report_duplicates(fields: Sequence[str], values: Iterable[object], message: str, report: ObjectReport) -> None:
    """`fields` are those that the `values` are made of; the fault is at the first of them."""
    for again, first in duplicates(values).items():
        given = (f"spec.ports[{i}].{field}" for i in (again, first) for field in fields)
        report.error(f"spec.ports[{again}].{fields[0]}", message.format(first), *given)


def _check_port(port: ServicePort, path: str, service: Service, report: ObjectReport) -> None:
    if port.name:
        report.check(f"{path}.name", SERVICE_PORT_NAME.problem(port.name))
    if port.target_port is not None:
        given = [f"{path}.port"] if port.target_port == port.port else []  # which is then what it is by default
        check_target_port(port.target_port, f"{path}.targetPort", report, *given)
    if port.app_protocol:
        report.check(f"{path}.appProtocol", label_key(port.app_protocol))
    if port.protocol not in _CARRIED:
        report.warning(f"{path}.protocol", f"{port.protocol} is not carried: this port gets no listener")
    if port.node_port:
        _check_node_port(port.node_port, f"{path}.nodePort", service, report)


def _check_node_port(number: int, path: str, service: Service, report: ObjectReport) -> None:
    external = service.spec.type in _EXTERNAL
    if not external:
        message = f"a Service of type {service.spec.type} has no nodePort: remove it, or use type: NodePort"
        report.error(path, message, "spec.type")
    if number not in NODE_PORTS and (external or not report.knows("spec.type")):
        where = f"{number} is outside the range of node ports, {NODE_PORTS[0]}-{NODE_PORTS[-1]}"
        if service.exported:
            report.warning(path, f"{where}: another cluster gave it out; it is served as it is")
        else:
            message = f"{where}: choose one of those, or leave the field out to be given one"
            report.error(path, message, EXPORTED)


def _check_cluster_ip(service: Service, report: ObjectReport, service_range: RangeInForce) -> None:
    spec, path = service.spec, "spec.clusterIP"
    if spec.cluster_ips and spec.cluster_ips[0] != spec.cluster_ip:
        message = f"must be the same as clusterIP, which is {shown(spec.cluster_ip)}"
        report.error("spec.clusterIPs[0]", message, "spec.clusterIP")
    if spec.cluster_ips[1:] and not service.exported:
        _check_second_address(spec.cluster_ips, report)
    if service.headless:
        if spec.type in _EXTERNAL:
            report.error(path, f"a Service of type {spec.type} cannot be headless: remove clusterIP: None")
    elif spec.cluster_ip:
        if problem := problem_of(parse_address, spec.cluster_ip):
            report.error(path, f"{problem}; None for a headless Service; leave it out to be given one")
        else:
            _check_in_range(service, report, service_range)


def _check_second_address(addresses: Sequence[str], report: ObjectReport) -> None:
    """Given out is one address, of the family of the range; one of the other family may be named with it."""
    path = "spec.clusterIPs[1]"
    if len(addresses) > 2:
        report.error("spec.clusterIPs", f"{len(addresses)} addresses; a Service has one of each family")
    if problem := problem_of(parse_address, addresses[1]):
        report.error(path, problem)
    elif problem_of(parse_address, addresses[0]) is None and (
        parse_address(addresses[0]).version == parse_address(addresses[1]).version
    ):
        report.error(
            path, f"{addresses[1]} is of the same family as clusterIP: name one of the other", "spec.clusterIP"
        )


def _check_in_range(service: Service, report: ObjectReport, service_range: RangeInForce) -> None:
    """Whether the address of the range's own family can be given out; without one, the first is at fault."""
    network = service_range.network
    if network is None:
        return
    named = _families(service)
    text = named.get(network.version, service.spec.cluster_ip)
    path = "spec.clusterIP" if text == service.spec.cluster_ip else "spec.clusterIPs[1]"
    if parse_address(text).version == network.version and int(parse_address(text)) in assignable(network):
        if service.exported and len(named) > 1:
            message = f"only {text} is served: the address of the other family was given out by another cluster"
            report.warning("spec.clusterIPs", message, "spec.clusterIP")
    elif service.exported:
        report.warning(
            path,
            f"{text} was given out by another cluster; here the Service gets an address of {service_range.origin}",
        )
    else:
        report.error(
            path,
            f"{text} cannot be given out of {service_range.origin}: leave clusterIP out or change one",
            EXPORTED,
            "spec.clusterIPs",
        )


def _families(service: Service) -> dict[int, str]:
    """The first address of each family, 4 or 6, of those that can be read."""
    readable = [text for text in service.addresses if problem_of(parse_address, text) is None]
    return {parse_address(text).version: text for text in reversed(readable)}


def _check_families(service: Service, report: ObjectReport, service_range: RangeInForce) -> None:
    spec = service.spec
    for i, family in enumerate(spec.ip_families):
        if family not in {"IPv4", "IPv6"}:
            report.error(f"spec.ipFamilies[{i}]", f"{shown(family)} is neither IPv4 nor IPv6")
    if len(set(spec.ip_families)) < len(spec.ip_families):
        report.error("spec.ipFamilies", "a family is named twice")
    if spec.ip_family_policy not in {"", "SingleStack", "PreferDualStack", "RequireDualStack"}:
        report.error(
            "spec.ipFamilyPolicy",
            f"{shown(spec.ip_family_policy)} is none of SingleStack, PreferDualStack, RequireDualStack",
        )
    if spec.ip_family_policy == "SingleStack" and len(spec.ip_families) > 1:
        report.error("spec.ipFamilyPolicy", "SingleStack has one family, and ipFamilies names more", "spec.ipFamilies")
    network = service_range.network
    if spec.ip_family_policy == "RequireDualStack" and network and not service.headless and not spec.cluster_ips[1:]:
        words = f"the Service gets one address only: {service_range.origin} has those of one family"
        report.warning(
            "spec.ipFamilyPolicy", f"{words}; name a second one in clusterIPs", "spec.type", "spec.clusterIPs"
        )
    # As in Kubernetes, a headless Service without a selector is of whatever families its endpoints are.
    is_bound = network and not service.exported and (spec.selector or not service.headless)
    first = {"IPv4": 4, "IPv6": 6}.get((*spec.ip_families, "")[0])
    if network and is_bound and first not in {None, network.version, *_families(service)}:
        message = f"{spec.ip_families[0]} cannot be given out of {service_range.origin}"
        report.error("spec.ipFamilies[0]", message, EXPORTED, "spec.clusterIP", "spec.clusterIPs", "spec.selector")


def _check_affinity(service: Service, report: ObjectReport) -> None:
    spec = service.spec
    if spec.session_affinity == "None" and spec.session_affinity_config != SessionAffinityConfig():
        message = "has no meaning while sessionAffinity is None: set ClientIP"
        report.error("spec.sessionAffinityConfig", message, "spec.sessionAffinity")


def _check_outside(service: Service, report: ObjectReport) -> None:
    spec = service.spec
    if spec.external_traffic_policy == "Local" and spec.type not in _EXTERNAL and not spec.external_ips:
        message = f"only for type NodePort or LoadBalancer; this Service is {spec.type}"
        report.error("spec.externalTrafficPolicy", message, "spec.type", "spec.externalIPs")
    for i, text in enumerate(spec.external_ips):
        path = f"spec.externalIPs[{i}]"
        if problem := problem_of(parse_address, text):
            report.error(path, problem)
        elif parse_address(text).is_multicast or parse_address(text).is_unspecified:
            report.error(path, f"nothing can be reached at {text}: name one address")


def _check_load_balancer(service: Service, report: ObjectReport) -> None:
    spec = service.spec
    balanced = spec.type == "LoadBalancer"
    for path, is_set in (
        ("spec.loadBalancerSourceRanges", spec.load_balancer_source_ranges),
        ("spec.loadBalancerClass", spec.load_balancer_class),
        ("spec.allocateLoadBalancerNodePorts", not spec.allocate_load_balancer_node_ports),
    ):
        if is_set and not balanced:
            report.error(path, f"only for type LoadBalancer; this Service is {spec.type}", "spec.type")
    if spec.health_check_node_port:
        if not balanced or spec.external_traffic_policy != "Local":
            message = "only for type LoadBalancer with externalTrafficPolicy: Local"
            report.error("spec.healthCheckNodePort", message, "spec.type", "spec.externalTrafficPolicy")
        if balanced or not report.knows("spec.type"):
            _check_node_port(spec.health_check_node_port, "spec.healthCheckNodePort", service, report)
    for i, text in enumerate(spec.load_balancer_source_ranges):
        report.check(f"spec.loadBalancerSourceRanges[{i}]", problem_of(parse_network, text.strip()))
    if spec.load_balancer_class:
        problem = label_key(spec.load_balancer_class)
        report.check("spec.loadBalancerClass", problem)
        if balanced and not service.balanced and not problem:
            words = f"is not served here as a LoadBalancer; what is served has no class, or {OWN_LOAD_BALANCER}"
            report.warning("spec.loadBalancerClass", words, "spec.type")
    if spec.load_balancer_ip:
        report.check("spec.loadBalancerIP", problem_of(parse_address, spec.load_balancer_ip))
