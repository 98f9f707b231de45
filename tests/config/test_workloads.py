"""Group apps/v1: defaults of Kubernetes in a Deployment and its probes."""

from __future__ import annotations

from typing import Any

import pytest

from config.resources.workloads import Probe, RollingUpdate
from tests.config.reading import decoded, lines


def container(**fields: str) -> tuple[Any, list[str]]:
    written = "".join(f", {name}: {value}" for name, value in fields.items())
    template = "{spec: {containers: [{name: web" + written + "}]}}"
    deployment, found = decoded(
        "Deployment", f"{{metadata: {{name: a}}, spec: {{selector: {{}}, template: {template}}}}}"
    )
    return deployment and deployment.spec.template.spec.containers[0], lines(found)


def test_a_deployment_has_the_defaults_of_kubernetes() -> None:
    text = "{metadata: {name: a}, spec: {selector: {}, template: {spec: {containers: [{name: web}]}}}}"
    spec = decoded("Deployment", text)[0].spec
    assert (spec.replicas, spec.min_ready_seconds, spec.progress_deadline_seconds) == (1, 0, 600)
    assert (spec.revision_history_limit, spec.paused) == (10, False)
    assert spec.strategy.type == "RollingUpdate"
    assert spec.strategy.rolling_update == RollingUpdate(max_surge="25%", max_unavailable="25%")
    assert spec.template.spec.termination_grace_period_seconds == 30


def test_a_probe_has_the_defaults_of_kubernetes() -> None:
    web, _ = container(readinessProbe="{httpGet: {port: http}}")
    probe: Probe = web.readiness_probe
    assert (probe.initial_delay_seconds, probe.period_seconds, probe.timeout_seconds) == (0, 10, 1)
    assert (probe.success_threshold, probe.failure_threshold) == (1, 3)
    assert probe.http_get is not None
    assert (probe.http_get.path, probe.http_get.scheme, probe.http_get.port) == ("/", "HTTP", "http")


ACTIONS = [
    ("{tcpSocket: {port: 80}}", "tcp_socket"),
    ("{exec: {command: [a, b]}}", "exec"),
    ("{grpc: {port: 80}}", "grpc"),
    ("{httpGet: {port: 80, httpHeaders: [{name: a, value: b}]}}", "http_get"),
]


@pytest.mark.parametrize(("text", "attribute"), ACTIONS)
def test_actions_of_probes(text: str, attribute: str) -> None:
    web, found = container(livenessProbe=text)
    assert found == []
    assert getattr(web.liveness_probe, attribute) is not None


SOURCES = [
    "{fieldRef: {apiVersion: v1, fieldPath: metadata.name}}",
    "{secretKeyRef: {name: a, key: b, optional: true}}",
    "{configMapKeyRef: {name: a, key: b}}",
]


@pytest.mark.parametrize("source", SOURCES)
def test_sources_of_variables(source: str) -> None:
    web, found = container(env=f"[{{name: A, valueFrom: {source}}}]", envFrom="[{prefix: P_, secretRef: {name: a}}]")
    assert found == []
    assert web.env[0].value_from is not None
    assert web.env_from[0].prefix == "P_"


RANGES = [
    ("ports", "[{containerPort: 65536}]", "ports[0].containerPort: 65536 is out of range: must be between 1 and 65535"),
    (
        "readinessProbe",
        "{tcpSocket: {port: 1}, periodSeconds: 0}",
        "periodSeconds: 0 is out of range: must be at least 1",
    ),
    ("readinessProbe", "{tcpSocket: {port: 1}, periodSeconds: 2147483648}", "must be at most 2147483647"),
    ("command", "python3 app.py", 'command: expected a list, got the text "python3 app.py"; write [python3, app.py]'),
    ("env", "{A: b}", "env: expected a list, got a mapping; begin it with '- '"),
    ("env", "[{name: A, value: 8080}]", "env[0].value: expected text, got a number; quote it"),
]


@pytest.mark.parametrize(("field", "value", "message"), RANGES)
def test_what_is_wrong_in_a_container(field: str, value: str, message: str) -> None:
    _, found = container(**{field: value})
    assert any(line.endswith(message) for line in found), found
