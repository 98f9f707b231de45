"""Endpoints (v1) and EndpointSlices (discovery.k8s.io/v1): addresses and ports that a file states.

Kubernetes refuses loopback addresses here; on one machine they are what endpoints usually have, so they pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from config.addresses import parse_address
from config.naming import DNS_LABEL, DNS_SUBDOMAIN, LABEL_VALUE, SERVICE_PORT_NAME, label_key
from config.resources.core import (
    SERVICE_NAME_LABEL,
    EndpointHints,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
)
from config.validation.report import ObjectReport, duplicates, keyed

SLICE_ENDPOINTS = 1000
SLICE_PORTS = 100
ENDPOINT_ADDRESSES = 100
MOST_HINTS = 8

Check = Callable[[str], str | None]


def check_endpoint_slice(item: EndpointSlice, report: ObjectReport) -> None:
    if not item.metadata.labels.get(SERVICE_NAME_LABEL):
        report.warning(
            "metadata.labels",
            f"belongs to no Service, so nothing uses it: add the label {SERVICE_NAME_LABEL} with a Service's name",
            keyed("metadata.labels", SERVICE_NAME_LABEL),
        )
    if len(item.endpoints) > SLICE_ENDPOINTS:
        report.error(
            "endpoints", f"{len(item.endpoints)} endpoints; a slice has at most {SLICE_ENDPOINTS}: write several slices"
        )
    if len(item.ports) > SLICE_PORTS:
        report.error("ports", f"{len(item.ports)} ports; a slice has at most {SLICE_PORTS}")
    problem = _ADDRESS_CHECKS[item.address_type] if report.knows("addressType") else _unusable_anyway
    for i, endpoint in enumerate(item.endpoints):
        _check_endpoint(endpoint.addresses, endpoint.hostname, f"endpoints[{i}]", problem, report)
        if endpoint.hints:
            _check_hints(endpoint.hints, f"endpoints[{i}].hints", report)
    _check_slice_ports(item, report)


def check_endpoints(item: Endpoints, report: ObjectReport) -> None:
    for i, subset in enumerate(item.subsets):
        _check_subset(subset, f"subsets[{i}]", report)


def _check_endpoint(addresses: tuple[str, ...], hostname: str, path: str, problem: Check, report: ObjectReport) -> None:
    if not 1 <= len(addresses) <= ENDPOINT_ADDRESSES:
        report.error(f"{path}.addresses", f"{len(addresses)} addresses; an endpoint has from 1 to {ENDPOINT_ADDRESSES}")
    for i, address in enumerate(addresses):
        if words := problem(address):
            report.error(f"{path}.addresses[{i}]", words)
    if hostname:
        report.check(f"{path}.hostname", DNS_LABEL.problem(hostname))


def _check_hints(hints: EndpointHints, path: str, report: ObjectReport) -> None:
    for field, places in (("forZones", hints.for_zones), ("forNodes", hints.for_nodes)):
        where = f"{path}.{field}"
        if len(places) > MOST_HINTS:
            report.error(where, f"{len(places)} names; an endpoint has at most {MOST_HINTS}")
        for i, place in enumerate(places):
            problem = LABEL_VALUE.problem(place.name) if place.name else "a name is needed"
            report.check(f"{where}[{i}].name", problem)
        for again, first in duplicates(place.name for place in places).items():
            report.error(f"{where}[{again}].name", f"named before, as {field}[{first}]", f"{where}[{first}].name")


def _check_slice_ports(item: EndpointSlice, report: ObjectReport) -> None:
    for i, port in enumerate(item.ports):
        _check_port_words(port, f"ports[{i}]", report)
        if port.port is None:
            report.warning(f"ports[{i}].port", "a port without a number cannot be connected to: it is passed over")
    for again, first in duplicates(port.name for port in item.ports).items():
        report.error(f"ports[{again}].name", f"same name as ports[{first}]: names are unique", f"ports[{first}].name")


def _check_subset(subset: EndpointSubset, path: str, report: ObjectReport) -> None:
    if not subset.addresses and not subset.not_ready_addresses:
        message = "needs addresses or notReadyAddresses"
        report.error(path, message, f"{path}.addresses", f"{path}.notReadyAddresses")
    for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
        for i, address in enumerate(addresses):
            report.check(f"{path}.{field}[{i}].ip", _unusable(address.ip))
            if address.hostname:
                report.check(f"{path}.{field}[{i}].hostname", DNS_LABEL.problem(address.hostname))
    for i, port in enumerate(subset.ports):
        _check_port_words(port, f"{path}.ports[{i}]", report)
        if port.port is None:
            report.error(f"{path}.ports[{i}].port", "a port number is needed")
        if len(subset.ports) > 1 and not port.name:
            report.error(f"{path}.ports[{i}].name", "every port needs a name when there are several")
    for again, first in duplicates(port.name or i for i, port in enumerate(subset.ports)).items():
        message = f"same name as {path}.ports[{first}]: names are unique"
        report.error(f"{path}.ports[{again}].name", message, f"{path}.ports[{first}].name")


def _check_port_words(port: EndpointPort, path: str, report: ObjectReport) -> None:
    if port.name:
        report.check(f"{path}.name", SERVICE_PORT_NAME.problem(port.name))
    if port.app_protocol:
        report.check(f"{path}.appProtocol", label_key(port.app_protocol))


def _unusable(text: str, family: int = 0) -> str | None:
    """Why nothing can be connected to at `text`, or not with the `family` (4 or 6) that is wanted."""
    try:
        address = parse_address(text)
    except ValueError as problem:
        return str(problem)
    if address.is_unspecified or address.is_multicast:
        return f"nothing can be connected to at {text}: name the address of one endpoint"
    if family and address.version != family:
        return f"{text} is not an IPv{family} address, as addressType says: put it into a slice of its own"
    return None


def _unusable_anyway(text: str) -> str | None:
    """Why it is wrong of whatever type."""
    return _unusable(text) if _unusable_name(text) else None


def _unusable_name(text: str) -> str | None:
    return DNS_SUBDOMAIN.problem(text.removesuffix("."))


_ADDRESS_CHECKS: dict[str, Check] = {
    "IPv4": partial(_unusable, family=4),
    "IPv6": partial(_unusable, family=6),
    "FQDN": _unusable_name,
}
