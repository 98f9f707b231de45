"""What a policy sends to exists, has the port that is named, and is looked for in the policy's own namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.validating import document, faults_of, service

OBJECTS = (
    service("{ports: [{port: 80, name: http}]}")
    + service("{ports: [{port: 80, name: http}, {port: 81, name: admin}]}", "canary")
    + document("Secret", "stringData: {ca.crt: x}", "ca")
)


def errors(groups: str, folder: Path) -> list[str]:
    body = f"spec: {{targetRef: {{kind: Service, name: web}}, {groups}}}"
    found = faults_of(OBJECTS + document("TrafficPolicy", body, "web", "weft.dev/v1"), folder)
    return [f"{fault.path}: {fault.message}" for fault in found if fault.severity == "error"]


@pytest.mark.parametrize("port", ["80", "http", "'81'", "admin"])
def test_ports_by_number_and_by_name(port: str, tmp_path: Path) -> None:
    assert errors(f"split: [{{service: canary, port: {port}}}]", tmp_path) == []
    assert errors(f"mirror: {{service: canary, port: {port}}}", tmp_path) == []


@pytest.mark.parametrize(
    ("groups", "path", "words"),
    [
        ("split: [{service: web}, {service: canari}]", "spec.split[1].service", '"canary"'),
        ("split: [{service: canary, port: 82}]", "spec.split[0].port", "it has admin, http"),
        ("mirror: {service: web, port: admin}", "spec.mirror.port", "has no port admin"),
    ],
)
def test_what_is_not_there(groups: str, path: str, words: str, tmp_path: Path) -> None:
    (only,) = errors(groups, tmp_path)
    assert only.startswith(f"{path}: ")
    assert words in only
