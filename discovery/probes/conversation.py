"""One bounded exchange of bytes over a new connection, the I/O under the http, grpc and tcp probes.

What is said and what the answer means is a *Dialogue*, plain code without sockets.  `converse` carries it
out on a bare protocol (a stream reader would cost a probe more than the probe itself).  The connection is
never used again, so it is aborted at the end: nothing lingers, whatever the peer does.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from ssl import SSLContext
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dialogue(Protocol[T_co]):
    """Our side of an exchange."""

    def opening(self) -> bytes:
        """What is sent first."""

    def received(self, data: bytes, reply: Callable[[bytes], None]) -> T_co | None:
        """Take in `data`; the outcome, or None while more is needed.  `reply` sends something."""

    def ended(self) -> T_co:
        """The peer closed: the outcome of what came until then."""


async def preceded(host: str, port: int, preface: bytes) -> socket.socket:
    """A connection on which `preface` was sent; raises OSError."""
    loop = asyncio.get_running_loop()
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        line.setblocking(False)
        await loop.sock_connect(line, (host, port))
        await loop.sock_sendall(line, preface)
    except BaseException:
        line.close()
        raise
    return line


class _Connection(asyncio.Protocol, Generic[T]):
    def __init__(self, dialogue: Dialogue[T], outcome: asyncio.Future[T]) -> None:
        self._dialogue = dialogue
        self._outcome = outcome
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport
        self._transport.write(self._dialogue.opening())

    def data_received(self, data: bytes) -> None:
        if self._outcome.done():
            return
        outcome = self._dialogue.received(data, self._transport.write)
        if outcome is not None:
            self._outcome.set_result(outcome)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._outcome.done():
            return
        if exc is None:
            self._outcome.set_result(self._dialogue.ended())
        else:
            self._outcome.set_exception(exc)
            self._outcome.exception()  # seen: whoever asked may have given up meanwhile


class Manner(NamedTuple):
    """What there is around a dialogue."""

    tls: SSLContext | None = None
    server_name: str = ""
    """Asked for by SNI; empty: the host."""
    preface: bytes = b""
    """Sent first of all, before TLS too."""


PLAIN = Manner()


async def converse(dialogue: Dialogue[T], host: str, port: int, manner: Manner = PLAIN) -> T:
    """Connect, carry `dialogue` out and return its outcome; raises OSError.  The caller bounds the time."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    made = partial(_Connection, dialogue, outcome)
    name = (manner.server_name or host) if manner.tls else None
    if manner.preface:
        line = await preceded(host, port, manner.preface)
        transport, _ = await loop.create_connection(made, sock=line, ssl=manner.tls, server_hostname=name)
    else:
        transport, _ = await loop.create_connection(made, host, port, ssl=manner.tls, server_hostname=name)
    try:
        return await outcome
    finally:
        transport.abort()
