"""The Services that labels of a swarm's services ask for, as manifests.  Pure.

``weft.dev/publish=8088:8080/tcp`` makes a Service of type LoadBalancer, called like the Swarm service, whose tasks
stand behind it: all nodes serve it at port 8088, as any Service that is written.  What Docker itself publishes stays
Docker's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from config.configset import API_VERSIONS
from config.encode import encode
from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.platforms.swarm.labels import PROTOCOL, PUBLISH, PublishedPort, published_ports
from discovery.platforms.swarm.listing import SwarmService

OWNER: Final = "weft.dev/swarm-service"
"""Annotation: the Swarm service for which a Service was made."""


class Publication(NamedTuple):
    services: tuple[Service, ...]
    remarks: tuple[str, ...]
    """What is served otherwise than one might think, in words for the user."""


def publication(services: Iterable[SwarmService]) -> Publication:
    """What the labels of all `services` come to."""
    there = sorted(services, key=lambda each: each.name)
    docker = {(port.port, port.protocol): each.name for each in there for port in each.docker_ports}
    times = Counter(each.named for each in there)
    made: list[Service] = []
    remarks: list[str] = []
    for each in there:
        remarks += (f"{each.name}: port {port} is published by Docker itself" for port in each.docker_ports)
        if PUBLISH not in each.labels:
            continue
        try:
            made.append(_service(each, _own_name(each, times), _free(each, docker)))
        except ValueError as problem:
            remarks.append(f"{each.name}: not published: {problem}")
            continue
        remarks += _refusals(each, docker)
    return Publication(tuple(made), tuple(remarks))


def manifest(services: Iterable[Service]) -> bytes:
    """A List with an object in each line, so that a line tells which one is meant."""
    objects = ({"apiVersion": API_VERSIONS["Service"], "kind": "Service", **encode(each)} for each in services)
    lines = b",\n".join(map(msgspec.json.encode, objects))
    return b'{"apiVersion":"v1","kind":"List","items":[\n' + lines + b"\n]}\n"


def _own_name(service: SwarmService, times: Mapping[Named | None, int]) -> Named:
    if service.named is None:
        raise ValueError("its name is none that a Service can have")
    if times[service.named] > 1:
        raise ValueError(f"several services of the swarm would be called {service.named}")
    return service.named


def _free(service: SwarmService, docker: Mapping[tuple[int, str], str]) -> list[PublishedPort]:
    free = [port for port in published_ports(service.labels) if (port.port, port.protocol) not in docker]
    if not free:
        raise ValueError("; ".join(_refusals(service, docker, named=False)) or f"label {PUBLISH} names no port")
    return free


def _refusals(service: SwarmService, docker: Mapping[tuple[int, str], str], *, named: bool = True) -> Iterator[str]:
    for port in published_ports(service.labels):
        if owner := docker.get((port.port, port.protocol)):
            why = f"port {port} is Docker's, which publishes it for {owner}"
            yield f"{service.name}: not published: {why}" if named else why


def _service(service: SwarmService, name: Named, ports: list[PublishedPort]) -> Service:
    protocol = service.labels.get(PROTOCOL, "")
    return Service(
        metadata=ObjectMeta(name=name.name, namespace=name.namespace, annotations={OWNER: service.name}),
        spec=ServiceSpec(
            type="LoadBalancer",
            allocate_load_balancer_node_ports=False,
            ports=tuple(
                ServicePort(
                    port=each.port,
                    name="" if len(ports) == 1 else f"p{each.port}-{each.protocol.lower()}",
                    protocol="UDP" if each.protocol == "UDP" else "TCP",
                    target_port=each.target,
                    app_protocol=protocol if each.protocol == "TCP" else "",
                )
                for each in ports
            ),
        ),
    )
