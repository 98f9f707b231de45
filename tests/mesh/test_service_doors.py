"""At which addresses and ports a Service is served."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from config.local_ports import with_local_ports
from config.resources.core import Service, ServicePort
from config.settings import NodeConfigSpec, ServiceRange
from mesh.service_doors import doors, health_doors
from tests.mesh.making import service

NODE = NodeConfigSpec(node_addresses=("127.0.0.1", "192.0.2.7"))
PORTS = NodeConfigSpec(service_range=ServiceRange(reach="ports"))


@dataclass(frozen=True)
class Case:
    service: Service
    doors: str
    node: NodeConfigSpec = NODE


WEB = ServicePort(80, name="http")
GIVEN = ServicePort(80, name="http", node_port=30080)
DNS = ServicePort(53, protocol="UDP", node_port=30053)

CASES = {
    "ClusterIP": Case(service("s", WEB), "ClusterIP 127.96.0.1:80/TCP"),
    "two families": Case(
        service("s", WEB, cluster_ips=("127.96.0.1", "::1")), "ClusterIP 127.96.0.1:80/TCP, ClusterIP [::1]:80/TCP"
    ),
    "UDP": Case(service("s", ServicePort(53, protocol="UDP")), "ClusterIP 127.96.0.1:53/UDP"),
    "NodePort by UDP": Case(
        service("s", DNS, type="NodePort"),
        "ClusterIP 127.96.0.1:53/UDP, NodePort 127.0.0.1:30053/UDP, NodePort 192.0.2.7:30053/UDP",
    ),
    "a node port that the type does not have": Case(service("s", GIVEN), "ClusterIP 127.96.0.1:80/TCP"),
    "LoadBalancer": Case(
        service("s", GIVEN, type="LoadBalancer"),
        "ClusterIP 127.96.0.1:80/TCP, NodePort 127.0.0.1:30080/TCP, NodePort 192.0.2.7:30080/TCP, "
        "LoadBalancer 127.0.0.1:80/TCP, LoadBalancer 192.0.2.7:80/TCP",
    ),
    "LoadBalancer at one address": Case(
        service("s", WEB, type="LoadBalancer", load_balancer_ip="192.0.2.7"),
        "ClusterIP 127.96.0.1:80/TCP, LoadBalancer 192.0.2.7:80/TCP",
    ),
    "LoadBalancer at an address of another machine": Case(
        service("s", WEB, type="LoadBalancer", load_balancer_ip="198.51.100.1"),
        "ClusterIP 127.96.0.1:80/TCP, LoadBalancer 127.0.0.1:80/TCP, LoadBalancer 192.0.2.7:80/TCP",
    ),
    "LoadBalancer of our class": Case(
        service("s", WEB, type="LoadBalancer", load_balancer_class="weft.dev/lb", load_balancer_ip="127.0.0.1"),
        "ClusterIP 127.96.0.1:80/TCP, LoadBalancer 127.0.0.1:80/TCP",
    ),
    "LoadBalancer of another class": Case(
        service("s", GIVEN, type="LoadBalancer", load_balancer_class="example.com/lb", external_ips=("192.0.2.9",)),
        "ClusterIP 127.96.0.1:80/TCP, NodePort 127.0.0.1:30080/TCP, NodePort 192.0.2.7:30080/TCP, "
        "ExternalIP 192.0.2.9:80/TCP",
    ),
    "LoadBalancer for some": Case(
        service("s", WEB, type="LoadBalancer", load_balancer_source_ranges=("10.0.0.0/8 ", "::1/128")),
        "ClusterIP 127.96.0.1:80/TCP, LoadBalancer 127.0.0.1:80/TCP from 10.0.0.0/8 ::1/128, "
        "LoadBalancer 192.0.2.7:80/TCP from 10.0.0.0/8 ::1/128",
    ),
    "externalIPs": Case(
        service("s", WEB, external_ips=("192.0.2.9",)), "ClusterIP 127.96.0.1:80/TCP, ExternalIP 192.0.2.9:80/TCP"
    ),
    "headless": Case(service("s", WEB, cluster_ip="None", external_ips=("192.0.2.9",)), ""),
    "ExternalName": Case(service("s", WEB, type="ExternalName", external_name="example.com"), ""),
    "a port of 127.0.0.1": Case(
        with_local_ports(service("s", WEB), {"http": 20123}), "ClusterIP 127.0.0.1:20123/TCP", PORTS
    ),
    "no port of 127.0.0.1 yet": Case(service("s", WEB), "", PORTS),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_doors(case: Case) -> None:
    told = []
    for door in doors(case.service, case.service.spec.ports[0], case.node):
        sources = " ".join(map(str, door.sources))
        told.append(f"{door.entry} {door.key}/{door.key.transport}" + (f" from {sources}" if sources else ""))
        assert door.side == ("internal" if door.entry == "ClusterIP" else "external")
    assert ", ".join(told) == case.doors


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "LoadBalancer", "external_traffic_policy": "Local"}, ["127.0.0.1:31000", "192.0.2.7:31000"]),
        ({"type": "LoadBalancer"}, []),
        ({"type": "NodePort", "external_traffic_policy": "Local"}, []),
    ],
)
def test_health_doors(spec: dict[str, str], expected: list[str]) -> None:
    written = service("s", WEB, health_check_node_port=31000, **spec)
    assert [str(door.key) for door in health_doors(written, NODE)] == expected
    assert {door.entry for door in health_doors(written, NODE)} <= {"HealthCheck"}
