"""A pod template made ready to run on this machine: commands found, ports known, identity computed.

Two revisions with one digest are the same: their replicas need no replacement.  So everything that decides
what a replica runs goes into the digest, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import ObjectKey, Source, matches
from config.resources.core import Protocol, ServicePort
from config.resources.workloads import ContainerPort, Deployment, PodTemplate
from discovery.platforms.commands import Command, NoCommand, command_of
from discovery.workloads.names import HASH_LABEL, digest_of
from discovery.workloads.runner import Unrunnable


class Target(NamedTuple):
    """A Service's target port: the number or name of a containerPort."""

    port: int | str
    protocol: Protocol


class Revision(msgspec.Struct, frozen=True):
    """`commands` and `ports` have one entry per container."""

    digest: str
    template: PodTemplate
    commands: tuple[Command, ...]
    ports: tuple[tuple[ContainerPort, ...], ...]
    """What they declare, and on the first those that a Service targets though none declares them."""
    targets: frozenset[Target] = frozenset()
    """What the Services that select these replicas send to."""

    @property
    def labels(self) -> dict[str, str]:
        return {**self.template.metadata.labels, HASH_LABEL: self.digest}


def revise(deployment: Deployment, config: ConfigSet) -> Revision:
    """What `deployment` runs here; raises Unrunnable."""
    template = deployment.spec.template
    targets = targets_of(deployment.metadata.namespace, template.metadata.labels, config)
    commands = _commands(deployment, config)
    ports = tuple(_ports(template, targets))
    written = msgspec.json.encode((template, commands, ports), order="deterministic")
    return Revision(digest_of(written), template, commands, ports, targets)


def _commands(deployment: Deployment, config: ConfigSet) -> tuple[Command, ...]:
    key = ObjectKey("Deployment", deployment.metadata.namespace, deployment.metadata.name)
    node = next((source for key, source in config.sources.items() if key.kind == "NodeConfig"), None)
    own = config.sources.get(key, Source("", 1, 1))
    commands: list[Command] = []
    faults: list[str] = []
    for index, container in enumerate(deployment.spec.template.spec.containers):
        try:
            commands.append(command_of(container, config.node.images, _folder(own), _folder(node or own)))
        except NoCommand as error:
            place = f"spec.template.spec.containers[{index}].image"
            where = f" ({node.file})" if node else ""
            faults.append(str(Fault("error", own, f"{error}{where}", key, place)))
    if faults:
        raise Unrunnable(tuple(faults))
    return tuple(commands)


def _folder(source: Source) -> Path:
    return Path(source.file).resolve().parent if source.file else Path.cwd()


def targets_of(namespace: str, labels: dict[str, str], config: ConfigSet) -> frozenset[Target]:
    """What the Services that select pods with these labels send to."""
    selecting = [
        service
        for key, service in config.services.items()
        if key.namespace == namespace and service.spec.selector and matches(service.spec.selector, labels)
    ]
    return frozenset(_target(port) for service in selecting for port in service.spec.ports)


def _target(port: ServicePort) -> Target:
    return Target(port.port if port.target_port is None else port.target_port, port.protocol)


def _ports(template: PodTemplate, targets: Iterable[Target]) -> Iterable[tuple[ContainerPort, ...]]:
    containers = template.spec.containers
    declared = {Target(port.container_port, port.protocol) for container in containers for port in container.ports}
    implied = tuple(
        ContainerPort(container_port=target.port, protocol=target.protocol)
        for target in sorted(set(targets) - declared, key=str)
        if isinstance(target.port, int)
    )
    for index, container in enumerate(containers):
        yield container.ports if index else (*container.ports, *implied)
