"""Accepting: what comes in at a listening socket, as long as there is room for it.

A full listener really stops accepting, so that the kernel's backlog holds what comes next, and goes on when
there is room again.  Connections that are relayed as TCP, or may turn out to be, meet at the switchboard; those
of HTTP are transports of the loop, for which it accepts by itself.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from functools import partial
from select import EPOLLIN, POLLIN, poll
from socket import SocketType
from typing import Final, Protocol

from mesh.gate import Gate, turn_away, way, welcome
from mesh.handover import CountedHTTP, Handover
from mesh.introduction import Introduction
from mesh.node_health import Inquiry
from mesh.peer import Introduced, within
from mesh.proxy import Proxy
from mesh.reasons import DENIED, SOURCE_REFUSED
from mesh.sniffer import Sniffer
from mesh.sockets import BACKLOG
from mesh.switchboard import Switchboard
from mesh.table import Listener
from mesh.tcp import Relay
from mesh.tls.handshake import Handshake, Handshakes
from mesh.udp import DatagramAcceptor

BURST: Final = 32
"""Connections that one listener accepts before others have their turn."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor(Protocol):
    """Accepts at one listening socket, which it does not own."""

    accepting: bool

    async def resume(self) -> None:
        """Accept, if there is room."""

    def pause(self) -> None:
        """Accept no more until `resume`; clients wait in the backlog."""

    def empty(self) -> None:
        """Take in what waits in the kernel's queue, so that closing the socket turns nobody away."""

    async def close(self) -> None:
        """Accept no more; what was accepted lives on."""


class RelayAcceptor:
    """Accepts what is relayed as TCP, what is yet to be told, and where not everybody is let in."""

    def __init__(self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate) -> None:
        self._proxy = proxy
        self._board = board
        # Without the wrapper of the standard library around it, which costs more than the system call.
        self._accept = listening._accept  # type: ignore[attr-defined]
        self._fd = listening.fileno()
        self._family = listening.family.value
        self._gate = gate
        self._handover = Handover(proxy, board, gate)
        self.accepting = False

    async def resume(self) -> None:
        self.accept()

    def accept(self) -> None:
        """As `resume`, at once."""
        if not self.accepting and self._gate.room > 0:
            self.accepting = True
            self._board.watch(self._fd, self, EPOLLIN)

    def pause(self) -> None:
        if self.accepting:
            self.accepting = False
            self._board.forget(self._fd)

    def empty(self) -> None:
        waiting = poll()
        waiting.register(self._fd, POLLIN)
        for _ in range(BACKLOG // BURST):
            if self._gate.room <= 0 or not waiting.poll(0):
                return
            self.on_event(self._fd, EPOLLIN)

    async def close(self) -> None:
        self.pause()
        await self._handover.close()

    def on_event(self, fd: int, events: int) -> None:
        gate, room = self._gate, self._gate.room
        for _ in range(min(BURST, room)):
            try:
                accepted, address = self._accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    gate.lacks(error, self._proxy.clock())
                    self._stop()
                    return
                continue  # the client is gone already
            line = SocketType(self._family, socket.SOCK_STREAM, 0, accepted)
            line.setblocking(False)
            gate.entered()
            self._receive(line, self._proxy.table.listeners.get(gate.key), address)
        if room <= BURST and gate.room <= 0:
            self._stop()

    def _stop(self) -> None:
        self.pause()
        self._gate.closed()

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError("a listening socket has no bytes")

    def _receive(self, line: SocketType, listener: Listener | None, address: tuple[str, int]) -> None:
        if listener is None or (listener.sources and not welcome(listener, address[0])):
            if listener is not None:
                listener.route.backend.failed(SOURCE_REFUSED)
            turn_away(self._proxy, self._gate, line, listener, SOURCE_REFUSED)
        else:
            self._serve(line, listener)

    def _serve(self, line: SocketType, listener: Listener) -> None:
        if listener.entry == "HealthCheck":
            Inquiry(self._proxy, self._board, listener, line, self._gate).start()
        elif listener.protocol == "tcp":
            self._relay(listener, line)
        elif listener.protocol == "http":
            self._handover.serve(line)
        else:
            Sniffer(self._proxy, self._board, listener, line, self._handover).start()

    def _relay(self, listener: Listener, line: SocketType) -> None:
        backend = way(listener.route, line)
        if backend is None:
            turn_away(self._proxy, self._gate, line, listener, DENIED)
        else:
            Relay(self._proxy, self._board, backend, line, self._gate).start()


class IntroducedAcceptor(RelayAcceptor):
    """Accepts whatever is spoken where trusted proxies say for whom they speak; others speak for themselves."""

    def __init__(self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate) -> None:
        super().__init__(proxy, board, listening, gate)
        self._handshakes = Handshakes(proxy, self._handover)

    async def close(self) -> None:
        await super().close()
        await self._handshakes.close()

    def _receive(self, line: SocketType, listener: Listener | None, address: tuple[str, int]) -> None:
        if listener is not None and within(address[0], listener.introduced_by):
            stage = Introduction(self._proxy, self._board, listener, line, gate=self._gate, go_on=self._introduced)
            stage.start()
        else:
            super()._receive(line, listener, address)

    def _introduced(self, line: SocketType, listener: Listener) -> None:
        try:
            client = line.getpeername()
        except OSError:  # it is gone
            line.close()
            self._gate.left()
        else:
            super()._receive(line, listener, client)

    def _serve(self, line: SocketType, listener: Listener) -> None:
        if listener.protocol == "https":
            ends = line.ends if isinstance(line, Introduced) else None
            self._handover.serve(line, partial(self._handshakes.protocol, ends))
        else:
            super()._serve(line, listener)


class StreamAcceptor:
    """Accepts HTTP."""

    def __init__(self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate) -> None:
        self._proxy = proxy
        self._listening = listening
        self._gate = gate
        self._handover = Handover(proxy, board, gate)
        self._server: asyncio.Server | None = None
        self.accepting = False

    async def resume(self) -> None:
        if not self.accepting and self._gate.room > 0:
            self.accepting = True
            try:
                # The loop closes what it is given; the kernel listens on as long as there is another descriptor.
                listening = self._listening.dup()
                self._server = await self._proxy.loop.create_server(self._accepted, sock=listening, backlog=BACKLOG)
            except OSError as error:
                self._gate.lacks(error, self._proxy.clock())
                self.accepting = False
            if not self.accepting:
                self.pause()

    def pause(self) -> None:
        self.accepting = False
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def empty(self) -> None:
        for _ in range(min(BACKLOG, self._gate.room)):
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            line.setblocking(False)
            self._handover.serve(line, self._accepted)

    async def close(self) -> None:
        self.pause()
        await self._handover.close()

    def _accepted(self) -> CountedHTTP | Handshake:
        self._gate.entered()
        if self._gate.room <= 0:
            self._proxy.loop.call_soon(self._stop)  # not while the loop is accepting
        return self._protocol()

    def _protocol(self) -> CountedHTTP | Handshake:
        return self._handover.protocol()

    def _stop(self) -> None:
        self.pause()
        self._gate.closed()


class SecureAcceptor(StreamAcceptor):
    """Accepts TLS."""

    def __init__(self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate) -> None:
        super().__init__(proxy, board, listening, gate)
        self._handshakes = Handshakes(proxy, self._handover)

    def _protocol(self) -> Handshake:
        return self._handshakes.protocol()

    async def close(self) -> None:
        await super().close()
        await self._handshakes.close()


AcceptorType = type[StreamAcceptor] | type[RelayAcceptor] | type[DatagramAcceptor]


def acceptor_type(listener: Listener) -> AcceptorType:
    """Who accepts for `listener`."""
    if listener.key.transport == "UDP":
        return DatagramAcceptor
    if listener.introduced_by:
        return IntroducedAcceptor
    if listener.protocol == "https":
        return SecureAcceptor
    if listener.protocol == "http" and not listener.sources and listener.entry != "HealthCheck":
        return StreamAcceptor
    return RelayAcceptor
