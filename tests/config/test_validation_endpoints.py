"""Endpoints and EndpointSlices: addresses of the right family, ports, limits."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, error, table, warning

SERVICE = document("Service", "spec: {ports: [{port: 80}]}")


def slice_of(body: str, family: str = "IPv4", labels: str = "{kubernetes.io/service-name: web}") -> str:
    head = f"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1, labels: {labels}}}\n"
    return f"{SERVICE}{head}addressType: {family}\n{body}\n"


def endpoints(subset: str) -> str:
    return f"{SERVICE}{document('Endpoints', f'subsets: [{subset}]')}"


ONE = "endpoints: [{addresses: [127.0.0.1]}]"
MANY = ", ".join(f"{{name: z{number}}}" for number in range(9))
SLICES = [
    case("IPv4", slice_of(f"{ONE}\nports: [{{port: 80}}]")),
    case("IPv6", slice_of("endpoints: [{addresses: ['::1']}]\nports: [{port: 80}]", "IPv6")),
    case(
        "hints",
        slice_of("endpoints: [{addresses: [127.0.0.1], hints: {forZones: [{name: a}], forNodes: [{name: n1}]}}]"),
    ),
    case(
        "hints that are none",
        slice_of(
            "endpoints: [{addresses: [127.0.0.1], hints: {forZones: [{name: a}, {name: a}], forNodes: [{name: ''}]}}]"
        ),
        error("endpoints[0].hints.forZones[1].name", "named before"),
        error("endpoints[0].hints.forNodes[0].name", "needed"),
    ),
    case(
        "too many hints",
        slice_of(f"endpoints: [{{addresses: [127.0.0.1], hints: {{forZones: [{MANY}]}}}}]"),
        error("endpoints[0].hints.forZones", "9 names; an endpoint has at most 8"),
    ),
    case("FQDN", slice_of("endpoints: [{addresses: [db.example.com]}]\nports: [{port: 80}]", "FQDN")),
    case(
        "no label",
        slice_of(ONE, labels="{}"),
        warning("metadata.labels", "service-name"),
        warning("spec", "no endpoints"),
    ),
    case(
        "no Service",
        slice_of(ONE, labels="{kubernetes.io/service-name: wep}"),
        warning("metadata.labels[kubernetes.io/service-name]", 'did you mean "web"'),
        warning("spec", "no endpoints"),
    ),
    case(
        "IPv6 among IPv4",
        slice_of("endpoints: [{addresses: ['::1']}]"),
        error("endpoints[0].addresses[0]", "not an IPv4"),
    ),
    case("IPv4 among IPv6", slice_of(ONE, "IPv6"), error("endpoints[0].addresses[0]", "not an IPv6")),
    case(
        "no address",
        slice_of("endpoints: [{addresses: [web]}]"),
        error("endpoints[0].addresses[0]", "not an IP address"),
    ),
    case(
        "no name",
        slice_of("endpoints: [{addresses: [a_b]}]", "FQDN"),
        error("endpoints[0].addresses[0]", "DNS subdomain"),
    ),
    case(
        "the unspecified address",
        slice_of("endpoints: [{addresses: [0.0.0.0]}]"),
        error("endpoints[0].addresses[0]", "connected"),
    ),
    case(
        "a multicast address",
        slice_of("endpoints: [{addresses: [224.0.0.1]}]"),
        error("endpoints[0].addresses[0]", "connected"),
    ),
    case("no addresses", slice_of("endpoints: [{addresses: []}]"), error("endpoints[0].addresses", "from 1 to 100")),
    case("1,000 endpoints", slice_of("endpoints: [" + "{addresses: [127.0.0.1]}," * 1000 + "]")),
    case(
        "1,001 endpoints",
        slice_of("endpoints: [" + "{addresses: [127.0.0.1]}," * 1001 + "]"),
        error("endpoints", "several slices"),
    ),
    case(
        "hostname",
        slice_of("endpoints: [{addresses: [127.0.0.1], hostname: a.b}]"),
        error("endpoints[0].hostname", "DNS label"),
    ),
    case(
        "101 ports",
        slice_of(f"{ONE}\nports: [" + ",".join(f"{{port: 80, name: p{i}}}" for i in range(101)) + "]"),
        error("ports", "at most 100"),
    ),
    case(
        "a port's name twice",
        slice_of(f"{ONE}\nports: [{{port: 80, name: a}}, {{port: 81, name: a}}]"),
        error("ports[1].name", "ports[0]"),
    ),
    case("a port's name", slice_of(f"{ONE}\nports: [{{port: 80, name: A}}]"), error("ports[0].name", '"a"')),
    case(
        "appProtocol",
        slice_of(f"{ONE}\nports: [{{port: 80, appProtocol: 'a b'}}]"),
        error("ports[0].appProtocol", "label key"),
    ),
    case("a port without a number", slice_of(f"{ONE}\nports: [{{name: a}}]"), warning("ports[0].port", "passed over")),
]
ENDPOINTS = [
    case("Endpoints", endpoints("{addresses: [{ip: 127.0.0.1}], ports: [{port: 80}]}")),
    case("not ready only", endpoints("{notReadyAddresses: [{ip: 127.0.0.1}], ports: [{port: 80}]}")),
    case("nobody", endpoints("{ports: [{port: 80}]}"), error("subsets[0]", "notReadyAddresses")),
    case("ip", endpoints("{addresses: [{ip: web}]}"), error("subsets[0].addresses[0].ip", "not an IP address")),
    case(
        "ip not ready",
        endpoints("{notReadyAddresses: [{ip: 0.0.0.0}]}"),
        error("subsets[0].notReadyAddresses[0].ip", "connected"),
    ),
    case(
        "hostname of an address",
        endpoints("{addresses: [{ip: 127.0.0.1, hostname: A}]}"),
        error("subsets[0].addresses[0].hostname", '"a"'),
    ),
    case(
        "port missing",
        endpoints("{addresses: [{ip: 127.0.0.1}], ports: [{name: a}]}"),
        error("subsets[0].ports[0].port", "needed"),
    ),
    case(
        "names missing",
        endpoints("{addresses: [{ip: 127.0.0.1}], ports: [{port: 1}, {port: 2, name: b}]}"),
        error("subsets[0].ports[0].name", "several"),
    ),
    case(
        "names twice",
        endpoints("{addresses: [{ip: 127.0.0.1}], ports: [{port: 1, name: b}, {port: 2, name: b}]}"),
        error("subsets[0].ports[1].name", "subsets[0].ports[0]"),
    ),
]


@table(SLICES + ENDPOINTS)
def test_endpoints(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
