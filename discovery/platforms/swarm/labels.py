"""Labels of Swarm services and of their tasks' containers: what a service is called here, and what it asks for.  Pure.

A service's own labels (``docker service create --label``, ``deploy.labels`` of a stack) are seen by managers
only; those of its containers (``--container-label``, ``labels`` of a stack) on each node.  A stack is a
namespace, as a project of Compose is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from config.configset import ConfigSet
from config.defaults import DEFAULT_NAMESPACE
from config.meta import Named
from config.naming import DNS_LABEL, label_key, shown

KIND: Final = "SwarmService"
"""Of workloads: an autoscaler's scaleTargetRef names it."""
NAMES: Final = Named(DEFAULT_NAMESPACE, "swarm-services.weft.dev")
"""The ConfigMap in which a manager says which Services the labels of Swarm services name: of these it alone knows."""
PUBLISH: Final = "weft.dev/publish"
"""``8088:8080/tcp``, several with commas: the port on all nodes, the container's, the protocol."""
PROTOCOL: Final = "weft.dev/protocol"
"""What all published TCP ports speak, as in a Service's appProtocol; without it that is found out."""

SERVICE_NAME: Final = "com.docker.swarm.service.name"
"""Of a container: its service."""
STACK: Final = "com.docker.stack.namespace"

_PUBLISHED: Final = re.compile(r"(\d{1,5})(?::(\d{1,5}))?(?:/(tcp|udp))?", re.ASCII)


class PublishedPort(NamedTuple):
    """`protocol`: ``TCP`` or ``UDP``."""

    port: int
    target: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.port}/{self.protocol.lower()}"


def name_of(service: str, labels: Mapping[str, str]) -> Named | None:
    """What a Swarm service is called here; None: its name cannot be one of Kubernetes."""
    stack = labels.get(STACK, "")
    bare = service.removeprefix(f"{stack}_") if stack else service
    namespace, name = (re.sub("[^-a-z0-9]+", "-", each.lower()).strip("-") for each in (stack, bare))
    if DNS_LABEL.problem(name) or (namespace and DNS_LABEL.problem(namespace)):
        return None
    return Named(namespace or DEFAULT_NAMESPACE, name)


def key_of(name: Named) -> str:
    """Of a Swarm service in `NAMES`."""
    return f"{name.namespace}.{name.name}"


def named_in(config_set: ConfigSet) -> Mapping[str, Named]:
    """The Services that labels of Swarm services name, by `key_of` these, wherever their manager is."""
    said = config_set.config_maps.get(NAMES)
    data = said.data if said is not None else {}
    return {key: Named(*text.split("/", 1)) for key, text in data.items() if "." in key and "/" in text}


def behind(service: Named, named: Mapping[str, Named]) -> Iterator[Named]:
    """The Swarm services whose tasks stand behind `service`, labels of containers apart; `named`: of `named_in`."""
    if named.get(key_of(service), service) == service:
        yield service
    for key, name in named.items():
        if name == service and key != key_of(service):
            yield Named(*key.split(".", 1))


def published_ports(labels: Mapping[str, str]) -> tuple[PublishedPort, ...]:
    """What the label asks for.  Raises ValueError, in words for the user."""
    texts = [text.strip() for text in labels.get(PUBLISH, "").split(",")]
    found: dict[str, PublishedPort] = {}
    for port in (_published(text) for text in texts if text):
        if found.setdefault(str(port), port) != port:
            raise ValueError(f"label {PUBLISH}: port {port} is there for two ports of the container")
    return tuple(found.values())


def published_protocol(labels: Mapping[str, str]) -> str:
    """The appProtocol that the label asks for; empty: none.  Raises ValueError, in words for the user."""
    text = labels.get(PROTOCOL, "")
    if text and (problem := label_key(text)):
        raise ValueError(f"label {PROTOCOL}: {problem}")
    return text


def _published(text: str) -> PublishedPort:
    found = _PUBLISHED.fullmatch(text.lower())
    numbers = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if found is None or not all(0 < number < 65536 for number in numbers):
        raise ValueError(f"label {PUBLISH}: {shown(text)} is no PORT:CONTAINERPORT/tcp, such as 8088:8080/tcp")
    return PublishedPort(*numbers, (found[3] or "tcp").upper())
