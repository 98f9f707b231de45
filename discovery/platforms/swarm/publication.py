"""What labels of a swarm's services ask for, as manifests.  Pure.

``weft.dev/publish=8088:8080/tcp`` makes a Service of type LoadBalancer, called like the Swarm service, whose tasks
stand behind it: all nodes serve it at port 8088, as any Service that is written.  What Docker itself publishes stays
Docker's.  ``weft.dev/service=shop/web`` has its tasks stand behind another Service: of labels of services only managers
know, so that all nodes are told by a ConfigMap (`labels.NAMES`), which takes the way of all manifests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from config.configset import API_VERSIONS
from config.encode import encode
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap, Service, ServicePort, ServiceSpec
from discovery.platforms.docker.labels import SERVICE, service_fault, service_of
from discovery.platforms.swarm.labels import NAMES, PUBLISH, PublishedPort, key_of, published_ports, published_protocol
from discovery.platforms.swarm.listing import SwarmService

OWNER: Final = "weft.dev/swarm-service"
"""Annotation: the Swarm service for which a Service was made."""


class Publication(NamedTuple):
    services: tuple[Service, ...] = ()
    names: Mapping[Named, Named] = {}
    """The Services that labels name, by what their Swarm services are called here."""
    remarks: tuple[str, ...] = ()
    """What is served otherwise than one might think, in words for the user."""


def publication(services: Iterable[SwarmService]) -> Publication:
    """What the labels of all `services` come to."""
    there = sorted(services, key=lambda each: each.name)
    docker = {(port.port, port.protocol): each.name for each in there for port in each.docker_ports}
    names, remarks = _names(there)
    times = Counter(_behind(each, names) for each in there if each.named not in names or PUBLISH in each.labels)
    made: list[Service] = []
    for each in there:
        remarks += (f"{each.name}: port {port} is published by Docker itself" for port in each.docker_ports)
        if PUBLISH not in each.labels:
            continue
        try:
            made.append(_service(each, _only(_behind(each, names), times), _free(each, docker)))
        except ValueError as problem:
            remarks.append(f"{each.name}: not published: {problem}")
            continue
        remarks += _refusals(each, docker)
    return Publication(tuple(made), names, tuple(remarks))


def manifest(found: Publication) -> bytes:
    """A List with an object in each line, so that a line tells which one is meant."""
    objects: list[tuple[str, Service | ConfigMap]] = [("Service", each) for each in found.services]
    if found.names:
        metadata = ObjectMeta(name=NAMES.name, namespace=NAMES.namespace)
        data = {key_of(name): f"{service.namespace}/{service.name}" for name, service in found.names.items()}
        objects.append(("ConfigMap", ConfigMap(metadata=metadata, data=data)))
    whole = ({"apiVersion": API_VERSIONS[kind], "kind": kind, **encode(each)} for kind, each in objects)
    lines = b",\n".join(map(msgspec.json.encode, whole))
    return b'{"apiVersion":"v1","kind":"List","items":[\n' + lines + b"\n]}\n"


def _names(services: Iterable[SwarmService]) -> tuple[dict[Named, Named], list[str]]:
    """The Services that labels name, and what is wrong with such labels."""
    names: dict[Named, Named] = {}
    remarks: list[str] = []
    for each in services:
        label = {SERVICE: each.labels.get(SERVICE, "")}
        service = service_of(label)
        if problem := service_fault(label):
            remarks.append(f"{each.name}: {problem}")
        elif service is not None and each.named is not None:
            names[each.named] = service
    return names, remarks


def _behind(service: SwarmService, names: Mapping[Named, Named]) -> Named | None:
    return None if service.named is None else names.get(service.named, service.named)


def _only(name: Named | None, times: Mapping[Named | None, int]) -> Named:
    if name is None:
        raise ValueError("its name is none that a Service can have")
    if times[name] > 1:
        raise ValueError(f"several services of the swarm would be called {name}")
    return name


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
    protocol = published_protocol(service.labels)
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
