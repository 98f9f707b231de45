"""Each shape of value: what it takes, and what it says of the rest."""

from __future__ import annotations

import re

import pytest

from config.resources.core import Service
from tests.config.reading import decoded, lines

SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {spec}
"""
POLICY = """
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {{name: web}}
spec:
  targetRef: {{kind: Service, name: web}}
  {field}
"""

FIELDS = [
    ("text", "externalName: a.b", "external_name", "a.b"),
    ("quoted number is text", "externalName: '80'", "external_name", "80"),
    ("tagged text", "externalName: !!str 80", "external_name", "80"),
    ("date is text", "externalName: 2024-05-01", "external_name", "2024-05-01"),
    ("null is absent", "externalName: null", "external_name", ""),
    ("nothing is absent", "externalName: ", "external_name", ""),
    ("number", "healthCheckNodePort: 30000", "health_check_node_port", 30000),
    ("number with a fraction of nothing", "healthCheckNodePort: 3.0", "health_check_node_port", 3),
    ("octal number", "healthCheckNodePort: 010", "health_check_node_port", 8),
    ("boolean", "publishNotReadyAddresses: true", "publish_not_ready_addresses", True),
    ("boolean of old", "publishNotReadyAddresses: yes", "publish_not_ready_addresses", True),
    ("list", "externalIPs: [a, b]", "external_ips", ("a", "b")),
    ("empty list", "externalIPs: []", "external_ips", ()),
    ("map", "selector: {a: b}", "selector", {"a": "b"}),
    ("map of nothing", "selector: {a: }", "selector", {"a": ""}),
    ("keys become text", "selector: {80: a, yes: b, '1': c}", "selector", {"80": "a", "true": "b", "1": "c"}),
    ("choice", "type: NodePort", "type", "NodePort"),
    ("merge", "{<<: {type: NodePort, externalName: b}, externalName: a}", "external_name", "a"),
    ("merge of several", "{<<: [{externalName: a}, {externalName: b}]}", "external_name", "a"),
]


@pytest.mark.parametrize(("spec", "attribute", "value"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_values(spec: str, attribute: str, value: object) -> None:
    written = spec if spec.startswith("{") else "{" + spec + "}"
    service, found = decoded("Service", SERVICE.format(spec=written))
    assert lines(found) == []
    assert getattr(service.spec, attribute) == value


WRONG = [
    ("number for text", "externalName: 80", '5:22 spec.externalName: expected text, got the number 80; quote it: "80"'),
    ("yes", "externalName: yes", '5:22 spec.externalName: expected text, got the boolean yes; quote it: "yes"'),
    ("list for text", "externalName: [a]", "5:22 spec.externalName: expected text, got a list"),
    ("tag", "externalName: !!binary aGE=", "the tag tag:yaml.org,2002:binary is not supported here"),
    ("own tag", "externalName: !env a", "the tag !env is not supported here"),
    ("text for number", "healthCheckNodePort: a", 'expected a whole number, got the text "a"'),
    ("quoted number", "healthCheckNodePort: '80'", 'expected a whole number, got the text "80"; remove the quotes'),
    ("fraction", "healthCheckNodePort: 1.5", "expected a whole number, got the number 1.5"),
    ("endless", "healthCheckNodePort: .inf", "expected a whole number, got the number .inf"),
    ("boolean for number", "healthCheckNodePort: true", "expected a whole number, got the boolean true"),
    ("too large", "healthCheckNodePort: 65536", "65536 is out of range: must be between 0 and 65535"),
    ("far too large", f"healthCheckNodePort: {'9' * 100}", "9... is out of range: must be between 0 and 65535"),
    ("text for boolean", "publishNotReadyAddresses: 'true'", 'got the text "true"; remove the quotes'),
    ("text for list", "externalIPs: a", 'spec.externalIPs: expected a list, got the text "a"; write [a]'),
    ("mapping for list", "externalIPs: {a: b}", "expected a list, got a mapping; begin it with '- '"),
    ("null in a list", "externalIPs: [null]", "spec.externalIPs[0]: expected text, got nothing (null)"),
    ("list for mapping", "selector: [a]", "spec.selector: expected a mapping, got a list"),
    ("in a map", "selector: {a.b/c: 1}", "spec.selector[a.b/c]: expected text, got the number 1"),
    ("choice", "type: nodeport", 'LoadBalancer, NodePort; did you mean "NodePort"?'),
    ("duplicate", "type: A, type: B", "5:17 spec.type: duplicate key; it is also written on line 5"),
    ("key is a list", "? [a] : b", "a key must be text, not a list or a mapping"),
    ("merge of text", "<<: a", "'<<' merges mappings only"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_said(spec: str, message: str) -> None:
    service, loaded = decoded("Service", SERVICE.format(spec="{" + spec + "}"))
    assert isinstance(service, Service)
    found = lines(loaded)
    assert any(message in line for line in found), found


PARTS = [
    ("field", "{externalName: 5, type: NodePort}", "external_name", ""),
    ("list", "{externalIPs: a}", "external_ips", ()),
    ("item of a list", "{externalIPs: [a, 5, b]}", "external_ips", ("a", "", "b")),
    ("entry of a map", "{selector: {a: 5, b: c}}", "selector", {"a": "", "b": "c"}),
    ("choice", "{type: nodeport}", "type", "ClusterIP"),
]


@pytest.mark.parametrize(("spec", "attribute", "value"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS])
def test_what_cannot_be_read_leaves_the_rest(spec: str, attribute: str, value: object) -> None:
    service, _ = decoded("Service", SERVICE.format(spec=spec))
    assert getattr(service.spec, attribute) == value


def test_what_must_be_there_is_blank() -> None:
    service, _ = decoded("Service", "{spec: {ports: [{port: a, name: b}, {}]}}")
    assert service.metadata.name == ""
    assert [(port.port, port.name) for port in service.spec.ports] == [(0, "b"), (0, "")]


@pytest.mark.parametrize(("text", "value"), [("web", "web"), ("8080", 8080), ("'8080'", "8080"), ("80.0", 80)])
def test_a_port_is_a_number_or_a_name(text: str, value: object) -> None:
    service, _ = decoded("Service", SERVICE.format(spec=f"{{ports: [{{port: 1, targetPort: {text}}}]}}"))
    assert service.spec.ports[0].target_port == value


@pytest.mark.parametrize(
    "written", ["data: hunter2", "stringData: hunter2", "stringData: {a: [hunter2]}", "data: 1822"]
)
def test_faults_quote_no_secrets(written: str) -> None:
    _, found = decoded("Secret", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n{written}\n")
    assert lines(found)
    assert not {"hunter2", "1822"} & set(re.findall(r"\w+", " ".join(lines(found))))


@pytest.mark.parametrize("text", ["1.5", "true", "[a]", "99999999999"])
def test_what_is_neither(text: str) -> None:
    _, found = decoded("Service", SERVICE.format(spec=f"{{ports: [{{port: 1, targetPort: {text}}}]}}"))
    assert "spec.ports[0].targetPort: expected" in lines(found)[0]


DURATIONS = [("1m30s", 90.0), ("300ms", 0.3), ("0", 0.0), ("'0'", 0.0)]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: str, seconds: float) -> None:
    policy, _ = decoded("TrafficPolicy", POLICY.format(field=f"timeouts: {{idle: {text}}}"))
    assert policy.spec.timeouts.idle == pytest.approx(seconds)


WRONG_DURATIONS = [("60", "expected a duration, got the number 60; write its unit: 60s"), ("soon", "is not a duration")]


@pytest.mark.parametrize(("text", "message"), WRONG_DURATIONS)
def test_a_duration_needs_a_unit(text: str, message: str) -> None:
    _, found = decoded("TrafficPolicy", POLICY.format(field=f"timeouts: {{idle: {text}}}"))
    assert message in lines(found)[0]


def test_a_number_can_be_a_word() -> None:
    policy, _ = decoded("TrafficPolicy", POLICY.format(field="retries: {on: [503, '503', refused]}"))
    assert policy.spec.retries.on == ("503", "503", "refused")


QUANTITIES = [("100m", "100m"), ("1", "1"), ("0.5", "0.5"), ("'2'", "2"), ("1_000", "1000"), ("128Mi", "128Mi")]


@pytest.mark.parametrize(("text", "quantity"), QUANTITIES)
def test_quantities_are_text(text: str, quantity: str) -> None:
    deployment, _ = decoded("Deployment", deployment_with(text))
    assert deployment.spec.template.spec.containers[0].resources.limits == {"cpu": quantity}


@pytest.mark.parametrize("text", ["1GiB", "much", "true", "[1]"])
def test_what_is_no_quantity(text: str) -> None:
    path = "spec.template.spec.containers[0].resources.limits.cpu: "
    _, found = decoded("Deployment", deployment_with(text))
    assert any(path in line for line in lines(found))


def deployment_with(cpu: str) -> str:
    return f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: web}}
        spec:
          selector: {{matchLabels: {{app: web}}}}
          template:
            metadata: {{labels: {{app: web}}}}
            spec:
              containers: [{{name: web, image: web, resources: {{limits: {{cpu: {cpu}}}}}}}]
        """
