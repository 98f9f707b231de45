"""Connecting to endpoints without a coroutine: begin, and let the switchboard say how it went."""

from __future__ import annotations

import errno
import os
import socket
from asyncio import BaseTransport
from functools import lru_cache
from ipaddress import ip_address
from socket import SocketType
from typing import Final

KEEPALIVE_IDLE: Final = 60
"""Seconds of silence after which the other end is asked whether it is still there."""
_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_DATAGRAM: Final = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_UNREAD: Final = 131_072
_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_RESET: Final = b"\x01\0\0\0\0\0\0\0"
"""``struct linger``: on, 0 seconds."""


def dial(host: str, port: int) -> SocketType:
    """Begin to connect; the socket becomes writable, or errs, when it is decided.

    The host is an IP address: resolving a name would hold the loop.  Raises OSError.
    """
    # The C type itself: the class of the standard library around it costs more than the system call.
    line = SocketType(_family(host), _STREAM, 0)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = line.connect_ex((host, port))
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))
    except BaseException:
        line.close()
        raise
    return line


def associate(host: str, port: int) -> SocketType:
    """A socket whose datagrams go to one endpoint, and come from nobody else.  Raises OSError."""
    line = SocketType(_family(host), _DATAGRAM, 0)
    try:
        line.connect((host, port))
    except BaseException:
        line.close()
        raise
    return line


def outcome(line: SocketType) -> OSError | None:
    """How connecting went, once the socket has stirred; None: it is connected."""
    error = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(error, os.strerror(error)) if error else None


def peer_address(line: SocketType) -> str:
    """The address at the other end; empty if it is gone already."""
    try:
        return str(line.getpeername()[0])
    except OSError:
        return ""


def ours(error: OSError) -> bool:
    """Whether it is this process that could not, so that the endpoint is not to blame."""
    return error.errno in _OURS


def keep_alive(line: SocketType) -> None:
    """Have the kernel find out whether the other end has vanished."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)


def unread(transport: BaseTransport) -> bytes:
    """What the other end sent before it broke the connection off, and the loop has not read; of TLS nothing is told.

    For `connection_lost`: until that returns, the descriptor is open.
    """
    line = transport.get_extra_info("socket")
    if line is None or transport.get_extra_info("sslcontext") is not None:
        return b""
    try:
        return os.read(line.fileno(), _UNREAD)
    except OSError:
        return b""


def close_with_reset(line: SocketType) -> None:
    """Close so that the other end sees a reset (RST) and not an end of the stream."""
    reset_on_close(line)
    line.close()


def reset_on_close(line: SocketType) -> None:
    """Have the other end see a reset once `line` is closed."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@lru_cache(maxsize=4096)
def _family(host: str) -> int:
    try:
        version = ip_address(host.partition("%")[0]).version
    except ValueError:
        raise OSError(errno.EINVAL, f"{host} is not an IP address") from None
    return socket.AF_INET6 if version == 6 else socket.AF_INET
