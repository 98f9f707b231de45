"""Small values that tests of floor 4 are made of."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ReplicaStatus, WorkloadStatus
from sidecar.doors import Door

WEB_DOOR = Door(
    namespace="default",
    service="web",
    port="http",
    entry="ClusterIP",
    protocol="http",
    wanted="127.96.0.9:80",
    served="127.96.0.9:80",
    note="",
    ready=True,
)


def workload(ready: int, desired: int, name: str = "web", message: str = "", waiting: str = "") -> WorkloadStatus:
    replicas = (ReplicaStatus("web-1", ready=False, running=True, terminating=False, restarts=0, message=waiting),)
    return WorkloadStatus(
        WorkloadRef("Deployment", "default", name), desired, desired, ready, desired, message=message, replicas=replicas
    )


@contextmanager
def taken_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((host, 0)) as server:
        yield server.getsockname()[1]
