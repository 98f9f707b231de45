"""Manifests alone: addresses as remembered, endpoints as written, replicas as they would be."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.assignments import Assignments, save_assignments
from sidecar.explain.explanation import Explanation
from sidecar.explain.offline import explain_offline, known_from
from sidecar.explain.question import parse_question
from sidecar.reader import read

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop, more: x}}
    spec: {containers: [{name: c, image: i, command: [x]}]}
---
apiVersion: v1
kind: Service
metadata: {name: lonely}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: given}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: given, labels: {kubernetes.io/service-name: given}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [192.0.2.1]}]
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: out.example, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: out}
spec:
  rules:
  - host: out.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: outside, port: {number: 80}}}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(MANIFESTS)
    return tmp_path


def told(folder: Path, url: str) -> Explanation:
    return explain_offline(parse_question(url), known_from([folder / "all.yaml"], folder / "state").known)


BALANCED = """
apiVersion: v1
kind: Service
metadata: {{name: {}}}
spec: {{type: LoadBalancer, ports: [{{port: 9080}}]}}
---
"""


def test_who_has_an_address_by_the_state_folder_keeps_it(folder: Path) -> None:
    """As at a start, and nothing is written; without a state folder the first by name has it."""
    file, state = folder / "all.yaml", folder / "state"
    state.mkdir()
    file.write_text(BALANCED.format("slow"))
    read([file], state)
    file.write_text(BALANCED.format("aaa") + BALANCED.format("slow"))
    before = {path: path.read_bytes() for path in state.iterdir()}
    assert told(folder, "http://127.0.0.1:9080/")["backend"]["service"] == "slow"
    assert {path: path.read_bytes() for path in state.iterdir()} == before
    for path in state.iterdir():
        path.unlink()
    assert told(folder, "http://127.0.0.1:9080/")["backend"]["service"] == "aaa"


def test_replicas_are_told_by_their_workload(folder: Path) -> None:
    said = told(folder, "http://shop/")
    assert said["absent"] == ["Deployment default/shop would have 2 of them"]
    assert said["reached"]
    assert said["listener"]["note"] == "nothing runs: these are the manifests alone"


def test_a_service_with_nothing_behind_it_is_not_reached(folder: Path) -> None:
    assert told(folder, "http://lonely/")["verdict"] == "503: default/lonely:80 has no endpoint"


def test_nobody_asked_what_a_name_resolves_to(folder: Path) -> None:
    said = told(folder, "http://out.test/")
    assert (said["reached"], said["verdict"]) == (
        True,
        "would go to an address of out.example, if that name resolves then",
    )


def test_endpoints_that_are_written_are_picked(folder: Path) -> None:
    assert told(folder, "http://given/")["verdict"] == "goes to 192.0.2.1:8080 of default/given:80"


def test_what_never_comes_to_a_backend_is_left_as_it_is(folder: Path) -> None:
    assert told(folder, "http://127.0.0.9:7/")["verdict"].startswith("no connection")


def test_addresses_are_those_that_are_remembered(folder: Path) -> None:
    (folder / "state").mkdir()
    save_assignments(folder / "state" / "assignments.json", Assignments({"default/shop": "127.96.200.7"}))
    assert told(folder, "http://127.96.200.7/")["backend"]["service"] == "shop"


def test_faults_come_along(folder: Path) -> None:
    (folder / "all.yaml").write_text(MANIFESTS + "---\nkind: Nope\n")
    assert any("apiVersion is missing" in fault.message for fault in known_from([folder], folder / "state").faults)
