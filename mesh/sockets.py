"""The one owner of listening sockets: everything that accepts connections gets its socket here.

A port under 1024 that this process has no right to is bound at port + 8000 of the same address, else at the
next free one.  Whatever else goes wrong is a `BindError` that says what to change.
"""

from __future__ import annotations

import errno
import socket

from mesh.table import ListenerKey

BACKLOG = 4096
PRIVILEGED = 1024
FALLBACK = 8000
"""Added to a port that needs a right this process does not have."""
REMEDY = (
    "allow it with `sysctl net.ipv4.ip_unprivileged_port_start=0`, or give the Python interpreter CAP_NET_BIND_SERVICE"
)


class BindError(Exception):
    """The address cannot be bound; the text says why and what to do."""


class Bound:
    """A listening socket; `key` is where it is bound, `reason` why that is not where it was wanted."""

    __slots__ = ("key", "reason", "socket")

    def __init__(self, listening: socket.socket, wanted: ListenerKey, reason: str = "") -> None:
        self.socket = listening
        self.key = ListenerKey(wanted.address, listening.getsockname()[1])
        self.reason = reason


def bind(wanted: ListenerKey) -> Bound:
    """Open a listening socket at `wanted`, or near it.  Raises `BindError`."""
    try:
        return Bound(_listen(wanted.address, wanted.port), wanted)
    except PermissionError:
        if wanted.port >= PRIVILEGED:
            raise BindError(f"no right to bind {wanted}") from None
    except OSError as error:
        raise BindError(_why(wanted, error)) from None
    return _nearby(wanted)


def _nearby(wanted: ListenerKey) -> Bound:
    reason = f"port {wanted.port} needs a right that weft does not have: {REMEDY}"
    for port in (wanted.port + FALLBACK, 0):
        try:
            return Bound(_listen(wanted.address, port), wanted, reason)
        except OSError as error:
            failure = error
    raise BindError(_why(wanted, failure))


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _why(wanted: ListenerKey, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{wanted} is taken by another program (one that listens on 0.0.0.0:{wanted.port} takes it too)"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{wanted.address} is not an address of this machine"
    return f"{wanted} cannot be bound: {error.strerror}"
