"""A connection to an endpoint: it carries one exchange at a time, and waits in the pool between them.

It belongs to its EndpointState from the moment it is opened: `connections` holds it while it lives, `idle`
while it waits.  It reads response heads, and leaves everything else to its exchange.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from mesh.backend import EndpointState
from mesh.connector import ours, unread
from mesh.http1.errors import Malformed
from mesh.http1.grammar import MAX_HEAD, still_partial, stray_control
from mesh.http1.response import read_careful_response, read_plain_response
from mesh.proxy import Proxy
from mesh.reasons import RESPONSE_HEAD_TOO_LARGE, RESPONSE_MALFORMED
from mesh.roles import Carried, Responding
from mesh.tls.client import Reencryption, connect, reason_of

IDLE: Final = 4.0
"""Seconds that a connection waits in the pool, unless the endpoint announced that it closes earlier."""
FLUSH: Final = 60.0
"""Seconds in which an endpoint may read the last bytes of a tunnel whose client is gone."""
NEVER: Final = float("inf")

HEAD, RELAY = range(2)


class HTTPUpstream(asyncio.Protocol):
    """`phase` says what is read next: a response head, or what is relayed, a body or the bytes of a tunnel."""

    __slots__ = (
        "_connecting", "_partial", "_proxy", "deadline", "exchange", "held", "phase", "reusable", "state",
        "timeout", "transport", "write",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy, state: EndpointState, exchange: Responding) -> None:
        self._proxy = proxy
        self.state = state
        self.exchange: Responding | None = exchange
        self.phase = HEAD
        self.reusable = True
        self.timeout = IDLE
        """Seconds that it may wait in the pool."""
        self._partial = b""
        self.held = False
        """Not read from, because the client is slower."""
        self._connecting: asyncio.Task[None] | None = None
        self.deadline = 0.0
        state.connections.add(self)

    # -- opening

    def open(self, timeout: float, tls: Reencryption | None = None) -> None:
        """Begin to connect; the exchange is told how it went.  `timeout` is in seconds, 0: none."""
        self.deadline = self._proxy.deadlines.now + timeout if timeout else NEVER
        self._proxy.deadlines.watch(self)
        self._connecting = self._proxy.loop.create_task(self._connect(tls))

    async def _connect(self, tls: Reencryption | None) -> None:
        loop, host, port = self._proxy.loop, self.state.host, self.state.port
        try:
            if tls is None:
                await loop.create_connection(lambda: self, host, port)
            else:
                await connect(loop, self, host, port, tls)
        except OSError as error:
            self._connecting = None
            exchange = self._leave()
            if exchange is not None:
                refused = isinstance(error, ConnectionRefusedError)
                exchange.connect_failed(refused, ours(error), reason_of(error))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self._connecting = None
        self.transport = transport
        self.write = transport.write
        transport.set_write_buffer_limits(1)
        self.deadline = NEVER
        if self.exchange is None:
            transport.abort()
        else:
            self.exchange.connected()

    # -- reading

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None or self.phase or self._partial:
            if exchange is not None and self.phase:
                exchange.response_data(data)
            else:
                self._receive_other(data)
            return
        response = self.state.answer
        if data[: response[2]] == response[4]:
            exchange.respond_plainly(response, data)
        else:
            self._receive_anew(exchange, data)

    def _receive_anew(self, exchange: Responding, data: bytes) -> None:
        """Another head than the last one of this endpoint."""
        response = read_plain_response(data)
        if response is None:
            self._receive_carefully(exchange, data)
        else:
            self.state.answer = response
            exchange.respond_plainly(response, data)

    def _receive_carefully(self, exchange: Responding, data: bytes) -> None:
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        if end == 3:
            self._wait_for_head(exchange, data)
            return
        try:
            response = read_careful_response(data[:end])
        except Malformed as fault:
            exchange.response_refused(fault)
        else:
            exchange.respond(response, data)

    def _receive_other(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.close()  # bytes that nobody asked for: what follows cannot be told apart from an answer
        else:
            known = len(self._partial)
            self._partial += data
            if not still_partial(self._partial, known):
                data, self._partial = self._partial, b""
                self.data_received(data)

    def _wait_for_head(self, exchange: Responding, data: bytes) -> None:
        if len(data) > MAX_HEAD:
            exchange.response_refused(Malformed(RESPONSE_HEAD_TOO_LARGE))
        elif stray_control(data):
            exchange.response_refused(Malformed(RESPONSE_MALFORMED, "a control character in the answer's head"))
        else:
            self._partial = data

    @property
    def answering(self) -> bool:
        """Whether a byte of a response has come that is not dealt with."""
        return bool(self._partial) or self.phase != HEAD

    # -- pausing

    def hold(self) -> None:
        """Stop reading: the client is slower."""
        if not self.held and self._connecting is None and not self.transport.is_closing():
            self.held = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.held:
            self.held = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.hold_request()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.resume_request()

    # -- ending

    def close(self) -> None:
        """Close now, with or without an exchange, which is not told."""
        self._leave()
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        elif not self.transport.is_closing():
            self.transport.abort()

    def close_after_flush(self) -> None:
        """Close once what was written is sent, which is not waited for long; nothing more is read."""
        self._leave()
        if not self.transport.is_closing():
            self.deadline = self._proxy.deadlines.now + FLUSH
            self.transport.close()

    def write_eof(self) -> None:
        """Send no more; the endpoint may."""
        if not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()

    def tunnel(self, tunnel: Carried) -> None:
        """Hand everything to `tunnel` from now on."""
        self.exchange = cast("Responding", tunnel)  # of which only the part of `Carried` is used in this phase
        self.phase = RELAY

    def _leave(self) -> Responding | None:
        """Be forgotten by the endpoint, the timer and the exchange."""
        exchange, self.exchange = self.exchange, None
        self.deadline = 0.0
        self.reusable = False
        self.state.connections.discard(self)
        if exchange is None and self in self.state.idle:
            self.state.idle.remove(self)
        return exchange

    def endpoint_withdrawn(self) -> None:
        """The endpoint is gone or not ready: an idle connection is closed, one at work is not used again."""
        self.reusable = False
        if self.exchange is None:
            self.close()
        else:
            self.exchange.endpoint_withdrawn()

    def eof_received(self) -> bool:
        if self.exchange is None:
            self._leave()  # now: until the loop says that the connection is lost, a request might be given it
            return False
        return self.exchange.endpoint_half_closed()

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self._leave()
        if exchange is not None:
            exchange.upstream_lost(clean=exc is None)

    def hear_out(self, exchange: Responding) -> bool:
        """Hand on what came before the connection was lost and was not read yet; whether that ended the exchange."""
        data = unread(self.transport)
        if not data:
            return False
        self.exchange = exchange
        self.data_received(data)
        return self._leave() is None

    def on_deadline(self, now: float) -> None:
        """Connecting took too long, or nobody needed the connection for a while."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
            exchange = self._leave()
            if exchange is not None:
                exchange.connect_timed_out()
        elif self.exchange is None:
            self._leave()
            self.transport.abort()
        else:
            self.deadline = now + IDLE  # at work: the client's side watches the exchange
