"""The two ends of the channel, each joined to the process that it is in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from discovery.endpoint import WorkloadRef
from discovery.platforms.swarm.labels import KIND
from mesh.autoscaling.target import ScaleTarget
from sidecar.assembly import Assembly
from sidecar.autoscaling import Autoscaling
from sidecar.channel.carrying import Carrying
from sidecar.channel.credentials import parse_token
from sidecar.channel.options import ChannelOptions
from sidecar.channel.received import Received
from sidecar.dns import NodeDNS
from sidecar.documents import Answer, Write
from sidecar.enrolment import node_name
from sidecar.errors import UserError
from sidecar.follower import Follower
from sidecar.options import Address
from sidecar.platforms import Platforms
from sidecar.registry import Registry
from sidecar.roles import UP
from sidecar.standing import Standing

if TYPE_CHECKING:
    from sidecar.channel.registry_end import RegistryEnd

LARGEST_TOKEN = 4096


class End(Protocol):
    """The channel in one process, from `start` to `close`."""

    async def start(self) -> None:
        """Begin.  Raises UserError for what the user can put right."""

    async def run(self) -> None:
        """Do what is to be done all the time, until cancelled."""

    async def close(self) -> None:
        """End all connections."""

    def in_force(self) -> None:
        """What was received, as it was read last, is in force."""

    @property
    def peers(self) -> str:
        """HOST:PORT where it takes connections of nodes; empty: nowhere."""

    def answers(self) -> Mapping[str, Answer]:
        """What the admin server says, by path."""

    def writes(self) -> Mapping[str, Write]:
        """What may be written through the admin server, by path."""


class HasRegistry(Protocol):
    """A process that may have the registry."""

    @property
    def dns(self) -> NodeDNS:
        """Its DNS server."""

    @property
    def running(self) -> Standing:
        """What it knows of itself."""

    @property
    def autoscaling(self) -> Autoscaling | None:
        """Who scales; None: nobody here."""


def registry_end(options: ChannelOptions, node: HasRegistry, state: Path, taken: Received) -> End:
    """The end of a process that has the registry.  Raises UserError."""
    from sidecar.channel.registry_end import RegistryEnd

    zones = node.dns.zones
    if not isinstance(zones, Registry) or options.peers is None:
        raise UserError("--peers is for a process that has the registry: weft registry, or weft up")
    sock = _bound(options.peers)
    end = RegistryEnd(sock, state, zones, taken, lambda: node.running.config_set, autoscaling=node.autoscaling)
    if isinstance(node, Assembly):
        _wait_for(node, zones, end)
    return end


def node_end(options: ChannelOptions, node: Assembly, taken: Received, role: str) -> End:
    """The end of a process that follows a registry.  Raises UserError."""
    from sidecar.channel.node_end import NodeEnd

    follower = node.dns.zones
    if not isinstance(follower, Follower) or not options.join or options.token is None:
        raise UserError("--join is for a process that follows a registry: weft node")
    try:
        with options.token.open(encoding="ascii") as file:
            token = parse_token(file.read(LARGEST_TOKEN))
    except (OSError, ValueError) as error:
        raise UserError(f"--token {options.token}: {getattr(error, 'strerror', None) or error}") from None
    if token.node != follower.name:
        raise UserError(f"--token {options.token}: it is the token of {token.node}, and this is {follower.name}")
    target = node.platform if isinstance(node.platform, ScaleTarget) else None
    end = NodeEnd(options.join, token, taken, node.proxy, role=role, target=target, partial=follower.partial)
    follower.learn_by(end)
    end.confirm_seconds = lambda: node.running.config_set.node.confirm_timeout
    _tell(end.carrying, node, follower.copies)
    node.elsewhere = end.drained
    node.wake_by(end)
    if isinstance(node.platform, Platforms):
        end.scaling.follow = node.platform.scaled_elsewhere
    node.scales.elsewhere, node.scales.told = end.scaling.behind, end.scaling.wakes
    node.scales.sizes.append(lambda name: end.scaling.size(WorkloadRef(KIND, *name)))
    return end


def _wait_for(node: Assembly, zones: Registry, end: RegistryEnd) -> None:
    """Have drains wait for what this process carries itself."""
    name = node_name(node.running.config_set.node)
    carrying = end.carries(name, UP.name, node.proxy.in_flight, lambda: node.catalog.snapshot.generation)
    _tell(carrying, node, zones.copies)


def _tell(carrying: Carrying, node: Assembly, copies: list[Callable[[int, int], None]]) -> None:
    """Have `carrying` told of copies and tables."""
    node.catalog.subscribe(carrying.changed)
    node.publisher.in_force.append(lambda compiled: carrying.put_in_force(compiled.snapshot))
    copies.append(carrying.copied)


def _bound(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, backlog=1024)
    except OSError as error:
        # Python adds the address, which is named here.
        reason, _, _ = (error.strerror or str(error)).partition(" (while")
        raise UserError(f"the address --peers {address} cannot be used ({reason})") from None
