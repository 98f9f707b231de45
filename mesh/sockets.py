"""The one owner of listening sockets: everything that takes connections or datagrams gets its socket here.

A port that this process has no right to is bound at port + 8000 of the same address, else at the next free
one.  Whatever else goes wrong is a `BindError` that says what to change.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Final, Literal

from config.addresses import Network
from config.settings import UNPRIVILEGED_STEP
from mesh.table import Entry, ListenerKey

BACKLOG: Final = 4096
QUEUE: Final = 4 * 2**20
"""Bytes of datagrams that may wait for their turn, as far as the system allows (net.core.rmem_max)."""
_IPV6_FREEBIND: Final = 78
"""Linux's option for addresses that are on no interface (ipv6(7)); Python has no name for it."""
REMEDY: Final = (
    "allow it with `sysctl net.ipv4.ip_unprivileged_port_start={port}`, or `setcap cap_net_bind_service=+ep` on the "
    "python3 binary, or AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit"
)
What = Entry | Literal["DNS", "Inbound"]

_FIELDS: Final[dict[What, str]] = {
    "ClusterIP": "the Service's spec.clusterIP, or NodeConfig spec.serviceRange",
    "NodePort": "the Service's nodePort, or NodeConfig spec.nodeAddresses",
    "LoadBalancer": "the Service's port, or NodeConfig spec.nodeAddresses",
    "ExternalIP": "the Service's spec.externalIPs",
    "HealthCheck": "the Service's healthCheckNodePort, or NodeConfig spec.nodeAddresses",
    "Ingress": "NodeConfig spec.ingress",
    "DNS": "NodeConfig spec.dns",
    "Inbound": "NodeConfig spec.nodeAddresses",
}
"""What a user changes to have another address."""

Opener = Callable[[str, int], socket.socket]


class BindError(Exception):
    """The address cannot be bound; the text says why and what to do."""


class Taken(BindError):
    """Another program has the port."""


class Bound:
    """A listening socket; `key` is where it is bound, `reason` why that is not where it was wanted."""

    __slots__ = ("key", "reason", "socket")

    def __init__(self, listening: socket.socket, wanted: ListenerKey, reason: str = "") -> None:
        self.socket = listening
        self.key = wanted._replace(port=listening.getsockname()[1])
        self.reason = reason


def listen(address: str, port: int, *, routed: bool = False) -> socket.socket:
    """Open a listening socket, which is not inherited; options that are set here go over to what it accepts.

    `routed`: the address is this machine's by a route alone, which for IPv6 has to be said.
    """
    listening = _socket(address, socket.SOCK_STREAM, routed)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def receive(address: str, port: int, *, routed: bool = False) -> socket.socket:
    """Open a socket for datagrams, which is not inherited and which nobody shares; `routed` as in `listen`."""
    receiving = _socket(address, socket.SOCK_DGRAM, routed)
    try:
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)
        receiving.bind((address, port))
    except BaseException:
        receiving.close()
        raise
    return receiving


def _socket(address: str, kind: socket.SocketKind, routed: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if routed:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    return made


def bind(
    wanted: ListenerKey, entry: What = "ClusterIP", opener: Opener | None = None, *, routed: Network | None = None
) -> Bound:
    """Open a socket at `wanted`, or near it; the addresses of `routed` are this machine's by a route alone.

    Raises `BindError`.
    """
    if opener is None:
        by_route = routed is not None and ip_address(wanted.address) in routed
        opener = partial(listen if wanted.transport == "TCP" else receive, routed=by_route)
    try:
        return Bound(opener(wanted.address, wanted.port), wanted)
    except PermissionError:
        return _nearby(wanted, entry, opener)
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise (Taken if taken else BindError)(_why(wanted, entry, error)) from None


def _nearby(wanted: ListenerKey, entry: What, opener: Opener) -> Bound:
    reason = f"port {wanted.port} needs a right that weft does not have: {REMEDY.format(port=wanted.port)}"
    first = wanted.port + UNPRIVILEGED_STEP
    failure: Exception | None = None
    for port in (first, 0) if first < 65536 else (0,):
        try:
            return Bound(opener(wanted.address, port), wanted, reason)
        except OSError as error:
            failure = error
    raise BindError(f"{reason}; and {_why(wanted._replace(port=0), entry, failure)}")


def _why(wanted: ListenerKey, entry: What, error: Exception | None) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"{wanted} is taken by another program (one that listens on 0.0.0.0:{wanted.port} takes it too): "
            f"stop it, or change {_FIELDS[entry]}"
        )
    if number == errno.EADDRNOTAVAIL:
        return f"{wanted.address} is not an address of this machine: add it, or change {_FIELDS[entry]}"
    if number in (errno.EMFILE, errno.ENFILE):
        return f"{wanted} cannot be bound: out of file descriptors; raise the limit (ulimit -n, LimitNOFILE=)"
    return f"{wanted} cannot be bound: {getattr(error, 'strerror', None) or error}"
