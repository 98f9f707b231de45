"""Group v1 and discovery.k8s.io/v1: defaults of Kubernetes, and what reading fills in."""

from __future__ import annotations

from config.resources.core import ClientIPConfig, EndpointConditions
from tests.config.reading import decoded, lines


def test_a_service_port_has_the_defaults_of_kubernetes() -> None:
    service, found = decoded("Service", "{metadata: {name: a}, spec: {ports: [{port: 80}, {port: 81, name: web}]}}")
    assert lines(found) == []
    first, second = service.spec.ports
    assert (first.protocol, first.target_port, first.node_port, first.app_protocol) == ("TCP", None, 0, "")
    assert (first.key, second.key) == ("80", "web")


def test_a_service_has_the_defaults_of_kubernetes() -> None:
    service, _ = decoded("Service", "{metadata: {name: a}}")
    spec = service.spec
    assert (spec.type, spec.session_affinity, spec.cluster_ip) == ("ClusterIP", "None", "")
    assert (spec.internal_traffic_policy, spec.external_traffic_policy) == ("Cluster", "Cluster")
    assert spec.session_affinity_config.client_ip == ClientIPConfig(timeout_seconds=10800)
    assert spec.allocate_load_balancer_node_ports
    assert not service.headless


def test_a_service_without_an_address_is_headless() -> None:
    service, _ = decoded("Service", "{metadata: {name: a}, spec: {clusterIP: None}}")
    assert service.headless


def test_addresses_keep_their_capitals_in_field_names() -> None:
    text = "{metadata: {name: a}, spec: {clusterIPs: [a], externalIPs: [b], loadBalancerIP: c}}"
    service, found = decoded("Service", text)
    assert lines(found) == []
    assert (service.spec.cluster_ips, service.spec.external_ips, service.spec.load_balancer_ip) == (("a",), ("b",), "c")


def test_conditions_that_are_not_said_stay_unsaid() -> None:
    endpoints = "[{addresses: [a]}, {addresses: [b], conditions: {ready: false}}]"
    text = f"{{metadata: {{name: a}}, addressType: IPv4, endpoints: {endpoints}}}"
    item, _ = decoded("EndpointSlice", text)
    assert [endpoint.conditions for endpoint in item.endpoints] == [
        EndpointConditions(),
        EndpointConditions(ready=False),
    ]


def test_required_fields() -> None:
    _, found = decoded("EndpointSlice", "{metadata: {}, endpoints: [{}]}")
    assert {line.partition(" ")[2] for line in lines(found)} == {
        "addressType: required field is missing",
        "metadata.name: required field is missing",
        "endpoints[0].addresses: required field is missing",
    }


def test_a_secret_is_opaque_unless_it_says_otherwise() -> None:
    secret, _ = decoded("Secret", "{metadata: {name: a}, data: {a: YQ==}, stringData: {b: c}}")
    assert (secret.type, secret.data, secret.string_data) == ("Opaque", {"a": "YQ=="}, {"b": "c"})


def test_an_empty_value_of_a_config_map_is_empty_text() -> None:
    config_map, _ = decoded("ConfigMap", "{metadata: {name: a}, data: {a: , b: ''}}")
    assert config_map.data == {"a": "", "b": ""}
