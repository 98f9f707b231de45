"""The NodeConfig (weft.dev/v1): ranges that do not overlap, addresses that can be listened on, commands to run."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import partial
from ipaddress import ip_address

from config.addresses import Network, parse_address, parse_host_port, parse_network, parse_service_range
from config.etcd import parse_endpoint
from config.naming import DNS_LABEL, DNS_SUBDOMAIN, LABEL_VALUE, shown
from config.promql import LONGEST_SECONDS, parse_url
from config.settings import AutoscalerSettings, NodeConfigSpec, RegistrySettings
from config.suggestions import did_you_mean
from config.validation.report import ObjectReport, duplicates, keyed, problem_of


def check_node(node: NodeConfigSpec, report: ObjectReport, platforms: Collection[str] = ()) -> None:
    """`platforms`: those that there are; empty: that is not known."""
    report.check("spec.clusterDomain", DNS_SUBDOMAIN.problem(node.cluster_domain))
    if node.node_name:
        report.check("spec.nodeName", DNS_SUBDOMAIN.problem(node.node_name))
    if node.zone:
        report.check("spec.zone", LABEL_VALUE.problem(node.zone))
    _check_ranges(node, report)
    _check_node_addresses(node, report)
    _check_listeners(node, report)
    _check_autoscaler(node.autoscaler, report)
    _check_platforms(node.platforms, platforms, report)
    if node.docker.host and not re.match(r"(unix|tcp|http|https|ssh)://.", node.docker.host):
        message = f"{shown(node.docker.host)} is no URL such as unix:///var/run/docker.sock"
        report.error("spec.docker.host", message)
    for image, argv in node.images.items():
        _check_image(image, argv, report)
    proxies = {
        "spec.trustedProxies": node.trusted_proxies,
        "spec.ingress.proxyProtocol.acceptFrom": node.ingress.proxy_protocol.accept_from,
    }
    for path, networks in proxies.items():
        for i, text in enumerate(networks):
            if problem_of(parse_address, text):
                report.check(f"{path}[{i}]", problem_of(parse_network, text))
    for i, text in enumerate(node.inbound.bridges):
        report.check(f"spec.inbound.bridges[{i}]", problem_of(parse_network, text))
    for i, text in enumerate(node.resolver.allow_from):
        report.check(f"spec.resolver.allowFrom[{i}]", problem_of(parse_network, text))
    for i, text in enumerate(node.resolver.servers):
        report.check(f"spec.resolver.servers[{i}]", problem_of(parse_host_port, text))
    _check_registry(node.registry, node.dns, report)


def _check_platforms(platforms: Sequence[str], known: Collection[str], report: ObjectReport) -> None:
    for i, name in enumerate(platforms):
        problem = DNS_LABEL.problem(name)
        if not problem and known and name not in known:
            problem = f"{shown(name)} is not one of {', '.join(known)}{did_you_mean(name, known)}"
        report.check(f"spec.platforms[{i}]", problem)
    if not platforms:
        report.warning("spec.platforms", "no Deployment is run: name process or docker, or leave platforms out")
    for again, first in duplicates(platforms).items():
        report.error(f"spec.platforms[{again}]", f"the same as platforms[{first}]: remove one")


def _check_autoscaler(settings: AutoscalerSettings, report: ObjectReport) -> None:
    path, prometheus = "spec.autoscaler", settings.prometheus
    if settings.period < 0.1:
        report.error(f"{path}.period", "is too short to see anything in: write such as 15s, and 100ms at least")
    if prometheus.url:
        report.check(f"{path}.prometheus.url", problem_of(parse_url, prometheus.url))
    if not 0 < prometheus.timeout <= LONGEST_SECONDS:
        report.error(f"{path}.prometheus.timeout", f"must be more than 0, and {LONGEST_SECONDS:g}s at most")


def _check_registry(registry: RegistrySettings, dns: str, report: ObjectReport) -> None:
    for i, text in enumerate(registry.transfer_to):
        report.check(f"spec.registry.transferTo[{i}]", problem_of(parse_network, text))
    for i, text in enumerate(registry.also_notify):
        report.check(f"spec.registry.alsoNotify[{i}]", problem_of(parse_host_port, text))
    for i, text in enumerate(registry.servers):
        report.check(f"spec.registry.servers[{i}]", problem_of(parse_host_port, text))
    for i, text in enumerate(registry.allow_from):
        report.check(f"spec.registry.allowFrom[{i}]", problem_of(parse_network, text))
    allowed = [network_or_none(text) for text in registry.allow_from]
    if not _is_local(dns) and all(network is not None and network.is_loopback for network in allowed):
        message = f"only this machine is answered, though DNS listens at {dns}: name the networks that may ask"
        report.warning("spec.registry.allowFrom", message, "spec.dns")
    for i, text in enumerate(registry.etcd.endpoints):
        report.check(f"spec.registry.etcd.endpoints[{i}]", problem_of(parse_endpoint, text))
    if registry.lease < 1:
        report.error("spec.registry.lease", "a lease lasts a second at least: write such as 30s")
    for i, key in enumerate(registry.keys):
        if not key.writes and not key.transfers:
            report.warning(f"spec.registry.keys[{i}]", "may do nothing: say what it writes, or transfers: true")
        for j, name in enumerate(key.writes):
            if name != "*":
                report.check(f"spec.registry.keys[{i}].writes[{j}]", DNS_SUBDOMAIN.problem(name.removesuffix(".")))


def _is_local(where: str) -> bool:
    """Whether only this machine reaches HOST:PORT; what is none is told of elsewhere."""
    try:
        return ip_address(parse_host_port(where)[0]).is_loopback
    except ValueError:
        return True


def network_or_none(text: str) -> Network | None:
    """The network that `text` is, or None when it is a fault."""
    try:
        return parse_network(text)
    except ValueError:
        return None


def _check_ranges(node: NodeConfigSpec, report: ObjectReport) -> None:
    services, pods = node.service_range.cidr, node.pod_cidr
    if problem := problem_of(parse_network, services):
        report.error("spec.serviceRange.cidr", problem)
    elif problem := problem_of(partial(parse_service_range, reach=node.service_range.reach), services):
        report.error("spec.serviceRange.cidr", problem, "spec.serviceRange.reach")
    report.check("spec.podCIDR", problem_of(parse_network, pods))
    service_range, pod_range = network_or_none(services), network_or_none(pods)
    if pod_range and not (pod_range[0].is_loopback and pod_range[-1].is_loopback):
        report.warning(
            "spec.podCIDR", f"replicas listen on addresses of {pods}: outside 127.0.0.0/8 they must be local addresses"
        )
    if service_range and pod_range and service_range.overlaps(pod_range):
        message = f"{pods} overlaps the service range, {services}: choose ranges apart"
        report.error("spec.podCIDR", message, "spec.serviceRange.cidr")


def _check_node_addresses(node: NodeConfigSpec, report: ObjectReport) -> None:
    service_range = network_or_none(node.service_range.cidr)
    for i, text in enumerate(node.node_addresses):
        if problem := problem_of(parse_address, text):
            report.error(f"spec.nodeAddresses[{i}]", problem)
        elif service_range and parse_address(text) in service_range:
            message = f"{text} lies in the service range, {service_range}"
            report.error(f"spec.nodeAddresses[{i}]", message, "spec.serviceRange.cidr")
    for again, first in duplicates(node.node_addresses).items():
        report.error(f"spec.nodeAddresses[{again}]", f"named before, as nodeAddresses[{first}]")


def _check_listeners(node: NodeConfigSpec, report: ObjectReport) -> None:
    """HOST:PORT values, and that no two of them ask for the same address."""
    places = {
        "spec.admin": node.admin,
        "spec.ingress.http": node.ingress.http,
        "spec.ingress.https": node.ingress.https,
        "spec.dns": node.dns,
    }
    taken: dict[tuple[str, int], str] = {}
    for path, text in places.items():
        if not report.knows(path):
            continue
        if problem := problem_of(parse_host_port, text):
            report.error(path, problem)
            continue
        where = parse_host_port(text)
        if where[1] and taken.setdefault(where, path) != path:
            report.error(path, f"{text} is the address of {taken[where]} too: choose another port")


def _check_image(image: str, argv: tuple[str, ...], report: ObjectReport) -> None:
    path = keyed("spec.images", image)
    if not image:
        report.error("spec.images", "the name of an image may not be empty; '*' stands for every image")
    elif image != image.strip() or " " in image:
        report.error(path, f"{shown(image)} contains white space, which no image name does")
    if not argv or not argv[0]:
        report.error(path, "a command is needed, as a list of words, such as [python3, -m, my.app]", f"{path}[0]")
    if any("\0" in word for word in argv):
        report.error(path, "a command may not contain NUL")
