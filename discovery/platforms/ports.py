"""Addresses and ports for local replicas: given out, taken back, never to two at once.

Every replica has an address of its own, yet a program may well bind 0.0.0.0.  So a port is unique on the whole
machine: it is tried by binding the wildcard address, and lies outside of what the kernel gives to clients
(ip_local_port_range), of NodePorts (30000-32767), and of what Services and weft itself listen on.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.settings import NODE_PORTS, UNPRIVILEGED_STEP

FIRST, LAST = 10_000, 65_535
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 500
_REMEDY = "give a network within 127.0.0.0/8 in the NodeConfig"


class Exhausted(Exception):
    """No address or port is left; says of what."""


class AddressPool:
    """Addresses of one network in order; one that came back is not given again before the rest were."""

    def __init__(self, cidr: str) -> None:
        self.cidr = cidr
        self._network = ipaddress.ip_network(cidr, strict=False)
        self._taken: set[str] = set()
        self._next = 0

    def take(self) -> str:
        """Raises Exhausted when all are taken, or when this machine does not have the network."""
        first, count = _hosts(self._network)
        for _ in range(len(self._taken) + 1):
            address = str(self._network[first + self._next % count])
            self._next += 1
            if address in self._taken:
                continue
            if not is_local(address):
                raise Exhausted(f"{address} of podCIDR {self.cidr} is no address of this machine: {_REMEDY}")
            self._taken.add(address)
            return address
        raise Exhausted(f"all addresses of podCIDR {self.cidr} are taken: give a larger one in the NodeConfig")

    def release(self, address: str) -> None:
        self._taken.discard(address)


def _hosts(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[int, int]:
    """Index of the first address that is neither the network's nor the broadcast one, and how many there are."""
    return (1, network.num_addresses - 2) if network.num_addresses > 2 else (0, network.num_addresses)


class PortPool:
    """Ports that nothing on this machine uses."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._taken: set[int] = set()
        self._ephemeral = ephemeral_ports()

    def take(self, avoid: Collection[int] = ()) -> int:
        """A port that is free for TCP and UDP on every address; raises Exhausted when none is found.

        Tried at random, so that two wefts on one machine seldom want the same.
        """
        for _ in range(_TRIES):
            port = self._random.randint(FIRST, LAST)
            if port in NODE_PORTS or port in self._ephemeral or port in self._taken or port in avoid:
                continue
            if is_free(port):
                self._taken.add(port)
                return port
        raise Exhausted(f"no free port found between {FIRST} and {LAST}")

    def release(self, port: int) -> None:
        self._taken.discard(port)


def is_local(address: str) -> bool:
    """Whether programs of this machine can listen on `address`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False


def reserved(config: ConfigSet) -> frozenset[int]:
    """Ports that weft itself listens on, or may come to listen on, for `config`."""
    own = (config.node.admin, config.node.dns, config.node.ingress.http, config.node.ingress.https)
    ports = {int(port) for address in own if (port := address.rpartition(":")[2]).isdigit()}
    for service in config.services.values():
        for exposed in service.spec.ports:
            ports |= {exposed.port, exposed.port + UNPRIVILEGED_STEP, exposed.node_port}
    return frozenset(ports)


def is_free(port: int) -> bool:
    """Whether the wildcard address can be bound for TCP and UDP, and thus every address of the machine."""
    with suppress(OSError):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("", port))
        return True
    return False


def ephemeral_ports(path: Path = _EPHEMERAL) -> range:
    """What the kernel gives to clients; Linux' default where it does not say.

    A machine that gives out nearly everything leaves nothing outside: then only its upper part counts.
    """
    try:
        low, high = (int(word) for word in path.read_text().split())
    except (OSError, ValueError):
        low, high = 32_768, 60_999
    return range(max(low, NODE_PORTS.stop), high + 1)
