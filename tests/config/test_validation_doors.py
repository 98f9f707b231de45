"""Where Services and the node ask to listen: the same as the compiler opens, as far as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.addresses import parse_address
from config.loader import load
from config.meta import Named
from config.validation.doors import external_addresses, node_doors, service_doors
from mesh.service_doors import doors, health_doors
from tests.config.validating import document, ingress, service

NODE = (
    "apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {name: node}\n"
    "spec: {nodeAddresses: [127.0.0.1, 127.0.0.2], admin: '127.0.0.1:0'}\n---\n"
)
PORTS = "ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 53, protocol: UDP, nodePort: 30053}]"
SPECS = {
    "a clusterIP": "{clusterIP: 127.96.0.9, ports: [{port: 80}]}",
    "of two families": "{clusterIP: 127.96.0.9, clusterIPs: [127.96.0.9, '::1'], ports: [{port: 80}]}",
    "a node port": f"{{type: NodePort, clusterIP: 127.96.0.9, {PORTS}}}",
    "a LoadBalancer": f"{{type: LoadBalancer, clusterIP: 127.96.0.9, {PORTS}}}",
    "with a health check": "{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30099, "
    "clusterIP: 127.96.0.9, ports: [{port: 80}]}",
    "on one address": f"{{type: LoadBalancer, clusterIP: 127.96.0.9, loadBalancerIP: 127.0.0.2, {PORTS}}}",
    "of another class": f"{{type: LoadBalancer, clusterIP: 127.96.0.9, loadBalancerClass: other/one, {PORTS}}}",
    "external addresses": "{clusterIP: 127.96.0.9, externalIPs: [127.0.0.8, '::1'], ports: [{port: 80}]}",
    "headless": "{clusterIP: None, externalIPs: [127.0.0.8], ports: [{port: 80}]}",
    "only a name": "{type: ExternalName, externalName: db.example, externalIPs: [127.0.0.8], ports: [{port: 80}]}",
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_they_are_those_that_the_compiler_opens(spec: str, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(NODE + service(spec))
    config_set = load([tmp_path]).config_set
    written = config_set.services[Named("default", "web")]
    everything = {parse_address(text) for text in written.addresses}
    told = {(str(door.place.address), *door.place[1:]) for door in service_doors(written, config_set.node, everything)}
    opened = {
        (door.key.address, door.key.port, door.key.transport)
        for port in written.spec.ports
        for door in (*doors(written, port, config_set.node), *health_doors(written, config_set.node))
    }
    assert told == opened
    assert bool(told) is ("127.96" in spec)


@pytest.mark.parametrize(
    ("more", "paths"),
    [
        ("", ["spec.dns", "spec.dns"]),
        (ingress("{rules: [{host: x.y}]}"), ["spec.dns", "spec.dns", "spec.ingress.http"]),
        (
            ingress("{rules: [{host: x.y}], tls: [{hosts: [x.y]}]}"),
            ["spec.dns", "spec.dns", "spec.ingress.http", "spec.ingress.https"],
        ),
        (
            ingress("{ingressClassName: other, rules: [{host: x.y}], tls: [{hosts: [x.y]}]}")
            + document("IngressClass", "spec: {controller: other.example/one}", "other", "networking.k8s.io/v1"),
            ["spec.dns", "spec.dns"],
        ),
    ],
    ids=["no Ingress", "an Ingress", "an Ingress with TLS", "an Ingress of another controller"],
)
def test_the_node_itself(more: str, paths: list[str], tmp_path: Path) -> None:
    """Its admin port is to be any free one here, so it is nobody's rival."""
    (tmp_path / "m.yaml").write_text(NODE + more)
    assert [path for path, _ in node_doors(load([tmp_path]).config_set)] == paths


def test_a_cluster_ip_is_told_of_where_another_may_name_it(tmp_path: Path) -> None:
    """For thousands of Services, which none does."""
    (tmp_path / "m.yaml").write_text(service("{clusterIP: 127.96.0.9, ports: [{port: 80}]}", "a"))
    config_set = load([tmp_path]).config_set
    [written] = config_set.services.values()
    assert not [*service_doors(written, config_set.node, external_addresses(config_set))]
    (tmp_path / "n.yaml").write_text(service("{externalIPs: [127.96.0.9], ports: [{port: 81}]}", "b"))
    [door] = service_doors(written, config_set.node, external_addresses(load([tmp_path]).config_set))
    assert str(door.place) == "80/TCP at 127.96.0.9"


def test_an_address_that_is_wanted_may_be_another_nodes(tmp_path: Path) -> None:
    """Which is not for one node to say: this one serves it at all of its own."""
    spec = "{type: LoadBalancer, loadBalancerIP: 10.0.0.1, ports: [{port: 80}]}"
    (tmp_path / "m.yaml").write_text(NODE + service(spec))
    config_set = load([tmp_path]).config_set
    [written] = config_set.services.values()
    assert [str(door.place) for door in service_doors(written, config_set.node, ())] == ["80/TCP at 10.0.0.1"]
