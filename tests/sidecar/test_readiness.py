"""What keeps a weft from being ready."""

from __future__ import annotations

import pytest

from discovery.platforms.base import WorkloadStatus
from sidecar.doors import Door
from sidecar.readiness import missing
from tests.sidecar.making import WEB_DOOR, workload

UNBOUND = WEB_DOOR._replace(served="", note="address in use")
CASES: dict[str, tuple[list[Door], list[WorkloadStatus], list[tuple[str, str]]]] = {
    "all there": ([], [workload(3, 3)], []),
    "nothing wanted": ([], [], []),
    "a listener": ([UNBOUND], [], [("ClusterIP 127.96.0.9:80 of Service default/web", "address in use")]),
    "the listener of Ingresses": (
        [UNBOUND._replace(namespace="", service="ingress", entry="Ingress", wanted="127.0.0.1:8080")],
        [],
        [("Ingress 127.0.0.1:8080", "address in use")],
    ),
    "replicas": ([], [workload(1, 3)], [("Deployment default/web", "1/3 replicas ready")]),
    "replicas, and why": (
        [],
        [workload(0, 1, waiting="exit code 1")],
        [("Deployment default/web", "0/1 replicas ready: exit code 1")],
    ),
    "the Deployment's own message first": (
        [],
        [workload(0, 1, message="no command", waiting="exit code 1")],
        [("Deployment default/web", "0/1 replicas ready: no command")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_missing(name: str) -> None:
    doors, workloads, expected = CASES[name]
    assert list(missing(doors, workloads)) == expected
