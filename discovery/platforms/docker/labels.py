"""Labels of containers: what others say with them, and what Weft writes on those that it starts.  Pure.

Compose's labels (``com.docker.compose.*``) are those of its specification: its project is the namespace of the
Service, its service the name.  What ``docker compose run`` starts for once stands behind no Service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from config.defaults import DEFAULT_NAMESPACE
from config.meta import Named
from discovery.endpoint import ReplicaPort

SERVICE: Final = "weft.dev/service"
"""NAME or NAMESPACE/NAME of the Service that the container stands behind."""
NETWORK: Final = "weft.dev/network"
"""The network whose address is to be dialled."""
PORTS: Final = "weft.dev/ports"
"""``http=8080,dns=53/udp``: what a Service's targetPort may call by name."""

COMPOSE_PROJECT: Final = "com.docker.compose.project"
COMPOSE_SERVICE: Final = "com.docker.compose.service"
COMPOSE_ONCE: Final = "com.docker.compose.oneoff"

SWARM_TASK: Final = "com.docker.swarm.task.id"
"""Containers with it are those of a swarm, whoever else is named on them."""

WORKLOAD: Final = "weft.dev/workload"
"""NAMESPACE/NAME of the Deployment for which Weft has started the container."""


def service_of(labels: Mapping[str, str]) -> Named | None:
    """The Service that a container which others started stands behind; None: it has no such label."""
    if WORKLOAD in labels:
        return None
    if name := labels.get(SERVICE):
        namespace, _, bare = name.rpartition("/")
        return Named(namespace or DEFAULT_NAMESPACE, bare)
    project, service = labels.get(COMPOSE_PROJECT), labels.get(COMPOSE_SERVICE)
    if project and service and labels.get(COMPOSE_ONCE, "").lower() != "true":
        return Named(project, service)
    return None


def named_ports(labels: Mapping[str, str]) -> tuple[ReplicaPort, ...]:
    """The ports that have names; what cannot be read of them is left out."""
    found = [_port(text) for text in labels.get(PORTS, "").split(",")]
    return tuple(port for port in found if port is not None)


def _port(text: str) -> ReplicaPort | None:
    name, _, target = text.strip().partition("=")
    number, _, protocol = target.partition("/")
    if not (name and number.isascii() and number.isdigit() and 0 < int(number[:6]) < 65536):
        return None
    return ReplicaPort(int(number), int(number), name, (protocol or "tcp").upper())
