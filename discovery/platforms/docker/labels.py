"""Labels of containers: what others say with them, and what Weft writes on those that it starts.  Pure.

Compose's labels (``com.docker.compose.*``) are those of its specification: its project is the namespace of the
Service, its service the name.  What ``docker compose run`` starts for once stands behind no Service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from config.defaults import DEFAULT_NAMESPACE
from config.meta import Named
from config.naming import DNS_LABEL, shown
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

_NAMED: Final = re.compile(r"([^=\s]+)=([0-9]{1,5})(?:/((?i:tcp|udp)))?")


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
    return tuple(port for _, port in _ports(labels) if port is not None)


def faults(labels: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with those of a container that others started, in words for the user."""
    if problem := service_fault(labels):
        yield problem
    for text, port in _ports(labels):
        if port is None:
            yield f"label {PORTS}: {shown(text)} is no NAME=PORT/tcp, such as http=8080"


def service_fault(labels: Mapping[str, str]) -> str:
    """Why its own label names no Service; empty: it does, or there is none."""
    service, text = service_of(labels), labels.get(SERVICE)
    if not text or service is None or not any(map(DNS_LABEL.problem, service)):
        return ""
    return f"label {SERVICE}: {shown(text)} is no NAME or NAMESPACE/NAME of a Service"


def _ports(labels: Mapping[str, str]) -> Iterator[tuple[str, ReplicaPort | None]]:
    """What is between the commas, and what it is read as."""
    texts = (text.strip() for text in labels.get(PORTS, "").split(","))
    return ((text, _port(text)) for text in texts if text)


def _port(text: str) -> ReplicaPort | None:
    found = _NAMED.fullmatch(text)
    if found is None or not 0 < (number := int(found[2])) < 65536:
        return None
    return ReplicaPort(number, number, found[1], (found[3] or "tcp").upper())
