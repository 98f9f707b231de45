"""What a swarm says, as plain data: services and tasks as GET /services and GET /tasks give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from discovery.platforms.swarm.labels import PublishedPort
from discovery.platforms.swarm.listing import Listing, SwarmService, listing

TASK = "9hi5m27wckaq2mzd54xw8ygs8"


def service(
    name: str = "web", labels: dict[str, str] | None = None, ports: tuple[int, ...] = (), replicas: int | None = 2
) -> dict[str, Any]:
    """One whose ports Docker publishes itself; `replicas`: None: a global one."""
    published = [{"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": port} for port in ports]
    return {
        "ID": f"id-{name}",
        "Version": {"Index": 7},
        "Spec": {
            "Name": name,
            "Labels": labels or {},
            "TaskTemplate": {"Resources": {"Limits": {"MemoryBytes": 64}, "Reservations": {"NanoCPUs": 500_000_000}}},
            "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
            "EndpointSpec": {"Mode": "vip" if ports else "dnsrr", "Ports": published},
        },
        "Endpoint": {"Spec": {}, "Ports": published},
    }


def task(name: str = TASK, of: str = "web", state: str = "running", **status: Any) -> dict[str, Any]:
    return {
        "ID": name,
        "CreatedAt": "2026-01-01T10:00:00.713274715Z",
        "ServiceID": f"id-{of}",
        "NodeID": "node",
        "Status": {"State": state, "Timestamp": "2026-01-01T10:00:05.362411288Z", **status},
        "DesiredState": "running",
    }


def container_labels(service: str = "web", task: str = TASK, **more: str) -> dict[str, str]:
    """Of the container of a task."""
    return {
        "com.docker.swarm.service.name": service,
        "com.docker.swarm.task": "",
        "com.docker.swarm.task.id": task,
        **more,
    }


def listed(services: Sequence[object], tasks: Sequence[object] = ()) -> Listing:
    """What is read of such answers."""
    return listing(*(json.dumps(each).encode() for each in (services, tasks)))


def known(name: str = "web", labels: dict[str, str] | None = None, ports: tuple[int, ...] = ()) -> SwarmService:
    """The same service, read."""
    (found,) = listed([service(name, labels, ports)]).services.values()
    return found


def port(number: int) -> PublishedPort:
    return PublishedPort(number, 8080)
