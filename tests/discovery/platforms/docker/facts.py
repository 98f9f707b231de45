"""What an engine says, as plain data: answers to GET /containers/ID/json and events."""

from __future__ import annotations

from typing import Any

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.platforms.docker.condition import Condition, Event
from discovery.platforms.docker.sighting import Sighting

ID = "4fa6e0f0c6786287e131c3852c58a2e01cc697a68231826813597e4994f1d6e2"


WEB = Named("shop", "web")


def inspected(**state: Any) -> dict[str, Any]:
    """A container that runs, in the first bridge."""
    return {
        "Id": ID,
        "Name": "/shop_web.1",
        "State": {
            "Status": "running",
            "Running": True,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "ExitCode": 0,
            "StartedAt": "2026-01-01T10:00:00.123456789Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            **state,
        },
        "Config": {"Labels": {"weft.dev/service": "shop/web"}, "Env": ["A=b"]},
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2", "GlobalIPv6Address": ""}}},
    }


def seen(**changes: Any) -> Sighting:
    """A sighting of a container that runs, behind the Service shop/web."""
    facts: dict[str, Any] = {
        "id": ID,
        "name": "web-1",
        "labels": {"weft.dev/service": "shop/web"},
        "running": True,
        "started": "first",
        "addresses": {"bridge": "172.17.0.2"},
        **changes,
    }
    return Sighting(**facts)


def condition(**changes: Any) -> Condition:
    return Condition(seen(), **changes)


def event(action: str, container: str = ID, **attributes: str) -> Event:
    return Event("container", action, container, {"weft.dev/service": "shop/web", **attributes})


def network_event(action: str, name: str, container: str = ID) -> Event:
    return Event("network", action, container, {"name": name, "container": container, "type": "bridge"})


def sends_to(target: int | str, name: Named = WEB, protocol: str = "TCP") -> dict[Named, Service]:
    """A Service whose port is the endpoints' `target`."""
    port = ServicePort(port=80, target_port=target, protocol=protocol)
    metadata = ObjectMeta(name=name.name, namespace=name.namespace)
    return {name: Service(metadata, ServiceSpec(ports=(port,)))}
