"""Handing an accepted socket over: to the HTTP path, which wants a transport of the loop, and back.

What is declared to be HTTP is read as HTTP/1.1, at no cost for finding out.  Only a first head that is refused
is looked at again: if it begins HTTP/2 (RFC 9113 section 3.4) or TLS, for which there is no codec here, the
connection is relayed as TCP, beginning with what was read of it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from socket import SocketType

from mesh.backend import Backend, EndpointState
from mesh.detect import Verdict, detect
from mesh.dialling import CLIENT, OPEN
from mesh.downstream import CLOSED, HTTPDownstream
from mesh.gate import Gate, way
from mesh.http1.errors import Malformed
from mesh.peer import Ends, Introduced, within
from mesh.proxy import Proxy
from mesh.switchboard import Switchboard
from mesh.tcp import Relay

log = logging.getLogger(__name__)


class CountedHTTP(HTTPDownstream):
    """A client's HTTP connection that leaves the gate by which it entered."""

    __slots__ = ("_handover",)

    def __init__(self, proxy: Proxy, handover: Handover) -> None:
        super().__init__(proxy, handover.gate.key)
        self._handover = handover

    def connection_lost(self, exc: Exception | None) -> None:
        self._handover.gate.left()
        super().connection_lost(exc)

    def _refuse(self, data: bytes, fault: Malformed) -> bool:
        return not self._give_back(data) and super()._refuse(data, fault)

    def _wait_for_head(self, data: bytes) -> None:
        if not self._give_back(data):
            super()._wait_for_head(data)

    def _give_back(self, said: bytes) -> bool:
        """Have the connection relayed, if it never was HTTP/1; whether that is so."""
        listener = self._proxy.table.listeners.get(self.key)
        if listener is None or not self._exchange.fresh:
            return False
        protocol, filters = detect(said), listener.route.filters
        if protocol not in ("http2", "tls") or (filters is not None and listener.http_required):
            return False  # of which the second may be what a client tries who would not be held up by filters
        line = self._line()
        backend = way(listener.route, line)
        if backend is None:
            line.close()
            return False
        self.phase = CLOSED
        self._transport.abort()
        self._handover.relay(line, backend, said, protocol)
        return True

    def _line(self) -> SocketType:
        """The connection's socket once more, for the transport closes its own."""
        line: SocketType = self._transport.get_extra_info("socket").dup()
        return line


class IntroducedHTTP(CountedHTTP):
    """The same where a trusted proxy has said for whom it speaks."""

    __slots__ = ("_ends",)

    def __init__(self, proxy: Proxy, handover: Handover, ends: Ends) -> None:
        super().__init__(proxy, handover)
        self._ends = ends

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        address, port = self._ends.client
        trusted = within(address, self._proxy.trusted_proxies)
        self.peer = self.peer._replace(address=address, port=port, learned="proxy-protocol", trusted=trusted)

    def _line(self) -> SocketType:
        return Introduced(super()._line(), self._ends)


class ResumedRelay(Relay):
    """A relay that begins with what was read of its client before."""

    __slots__ = ()

    def __init__(
        self, proxy: Proxy, board: Switchboard, backend: Backend, client: SocketType, gate: Gate, *, said: bytes
    ) -> None:
        super().__init__(proxy, board, backend, client, gate)
        self._pending[CLIENT] = said

    def _connected(self, state: EndpointState, events: int) -> None:
        said = len(self._pending[CLIENT])
        super()._connected(state, events)
        if self._phase == OPEN:
            self._board.moved[self._fds[CLIENT]] += said
            self._flush(CLIENT)


class Handover:
    """Makes transports of sockets that were accepted elsewhere, and relays what turns out to be no HTTP/1."""

    __slots__ = ("_board", "_proxy", "_tasks", "gate")

    def __init__(self, proxy: Proxy, board: Switchboard, gate: Gate) -> None:
        self._proxy = proxy
        self._board = board
        self.gate = gate
        self._tasks: set[asyncio.Task[None]] = set()

    def protocol(self) -> CountedHTTP:
        """For a connection that has entered the gate."""
        return CountedHTTP(self._proxy, self)

    def serve(self, line: SocketType, protocol: Callable[[], asyncio.Protocol] | None = None) -> None:
        """Speak HTTP on `line`, which is not watched by anyone; `protocol` makes one that has entered the gate.

        Without `protocol` it is `line` that has entered.
        """
        made = protocol() if protocol is not None else self._protocol_for(line)
        plain = socket.socket(line.family, line.type, line.proto, fileno=line.detach())
        task = self._proxy.loop.create_task(self._adopt(plain, made))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _protocol_for(self, line: SocketType) -> CountedHTTP:
        return IntroducedHTTP(self._proxy, self, line.ends) if isinstance(line, Introduced) else self.protocol()

    def relay(self, line: SocketType, backend: Backend, said: bytes, protocol: Verdict) -> None:
        """Relay `line`, of which `said` was read; what it leaves at the gate is not what it was read by."""
        count(backend, protocol)
        if not self.gate.advised:
            self.gate.advised = True
            log.info(
                "port %s of Service %s/%s says that it speaks HTTP/1, but a client spoke %s, which is relayed as TCP; "
                "if all clients do, set the port's appProtocol to %s",
                backend.key.port, backend.key.namespace, backend.key.service,
                *(("TLS", "https") if protocol == "tls" else ("HTTP/2", "kubernetes.io/h2c")),
            )  # fmt: skip
        self.resume(line, backend, said)

    def resume(self, line: SocketType, backend: Backend, said: bytes) -> None:
        """Relay `line`, of which `said` was read, without a word."""
        line.setblocking(False)
        self.gate.entered()
        ResumedRelay(self._proxy, self._board, backend, line, self.gate, said=said).start()

    async def close(self) -> None:
        """Wait for those that are under way; each takes a turn of the loop or two."""
        await asyncio.gather(*self._tasks)

    async def _adopt(self, plain: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await self._proxy.loop.connect_accepted_socket(lambda: protocol, plain)
        except OSError:  # the client is gone
            plain.close()
            self.gate.left()


def count(backend: Backend, protocol: str) -> None:
    """Count a connection whose first bytes told its protocol."""
    detected = backend.stats.detected
    detected[protocol] = detected.get(protocol, 0) + 1
