"""What a policy sends to exists, has the port that is named, and is looked for in the policy's own namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import Fault
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


LB = service("{ports: [{port: 8080, name: http}, {port: 9090, name: admin}, {port: 53, protocol: UDP}]}", "lb")
SAME_PORTS = {
    "neither the name nor the number": ("http", "{ports: [{port: 80}]}", "no port http and no port 8080, as Service"),
    "what there is": ("http", "{ports: [{port: 80}, {port: 81, name: web}]}", "it has 80, web: name one of these"),
    "none at all": ("http", "{selector: {app: pay}, clusterIP: None}", "it has none"),
    "by number": ("8080", "{ports: [{port: 80}]}", "no port http"),
    "the same name": ("http", "{ports: [{port: 80, name: http}]}", ""),
    "the same number": ("http", "{ports: [{port: 8080}]}", ""),
    "the same number, another name": ("http", "{ports: [{port: 8080, name: web}]}", ""),
    "of one port of the target only": ("admin", "{ports: [{port: 9090}]}", ""),
    "all ports": ("", "{ports: [{port: 80, name: http}, {port: 81, name: admin}]}", ""),
    "one of several ports": ("", "{ports: [{port: 80, name: http}]}", "has no port admin and no port 9090, as"),
    "several": ("", "{ports: [{port: 80}]}", "no port http and no port 8080 and admin and no port 9090"),
    "ExternalName": ("http", "{type: ExternalName, externalName: pay.example}", ""),
    "ExternalName with ports": ("http", "{type: ExternalName, externalName: pay.example, ports: [{port: 80}]}", "80"),
    "a name that cannot be read": ("http", "{ports: [{port: 80, name: [http]}]}", ""),
    "ports that cannot be read": ("http", "{ports: 80}", ""),
}


def found_of(section: str, there: str, part: str, folder: Path) -> list[Fault]:
    """What is said of a policy of `LB` whose split or mirror leads to a Service that is `there`."""
    body = f"spec: {{targetRef: {{kind: Service, name: lb, sectionName: '{section}'}}, {part}}}"
    found = faults_of(LB + service(there, "pay") + document("TrafficPolicy", body, "lb", "weft.dev/v1"), folder)
    return [fault for fault in found if fault.object is not None and fault.object.kind == "TrafficPolicy"]


@pytest.mark.parametrize("name", SAME_PORTS)
@pytest.mark.parametrize("part", ["split: [{service: lb}, {service: pay}]", "mirror: {service: pay}"])
def test_without_a_port_the_destination_has_the_same(name: str, part: str, tmp_path: Path) -> None:
    section, there, words = SAME_PORTS[name]
    found = found_of(section, there, part, tmp_path)
    assert [words in fault.message for fault in found] == ([True] if words else [])
    assert all(fault.severity == "error" and fault.path.endswith(".service") for fault in found)


def test_what_finds_its_port_is_still_sent_there(tmp_path: Path) -> None:
    for section, there, stays in (("", "{ports: [{port: 8080}]}", True), ("", "{ports: [{port: 80}]}", False)):
        (only,) = found_of(section, there, "mirror: {service: pay}", tmp_path)
        assert only.partial is stays


def test_ports_of_the_target_that_cannot_be_read(tmp_path: Path) -> None:
    body = "spec: {targetRef: {kind: Service, name: lb}, mirror: {service: pay}}"
    lb = service("{ports: [{port: 8080, name: [http]}]}", "lb")
    policy = document("TrafficPolicy", body, "lb", "weft.dev/v1")
    found = faults_of(lb + service("{ports: [{port: 80}]}", "pay") + policy, tmp_path)
    assert all(fault.object is None or fault.object.kind == "Service" for fault in found)
