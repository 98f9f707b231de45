"""The DNS server: UDP and TCP (RFC 7766) in front of a responder.

UDP has no transport object: the socket is read dry, a batch at a time, and each datagram is answered before the
next one is read.  TCP connections are pipelined, bounded in number and in what each may have under way, and
closed when idle.  What is more than a question goes to the authority, if there is one; what the responder hands
back goes to `elsewhere`, which answers later, or is refused.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final, cast

from discovery.registry import wildcard
from discovery.registry.asked import Elsewhere
from discovery.registry.authority import Authority
from discovery.registry.gate import Gate, Verdict, instead
from discovery.registry.responder import Responder
from discovery.registry.wire import Query

BATCH: Final = 64
"""Datagrams in a row before the rest of the loop has its turn."""
LARGEST_QUERY: Final = 4096
LARGEST_UPDATE: Final = 65535
"""By TCP, where there is an authority."""
MOST_CONNECTIONS: Final = 256
MOST_UNDER_WAY: Final = 32
"""Queries of one connection that are being looked up elsewhere."""
IDLE_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Server:
    """Serves on sockets that are bound already, from `start` to `close`."""

    def __init__(
        self, responder: Responder, elsewhere: Elsewhere, authority: Authority | None = None, gate: Gate | None = None
    ) -> None:
        """`gate`: who is answered, and how often; None: everybody, always."""
        self._gate = gate
        self._responder = responder
        self._elsewhere = elsewhere
        self._authority = authority
        self._loop = asyncio.get_running_loop()
        self._udp: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.connections: dict[Connection, None] = {}
        """Open ones; the one that has been quiet for longest comes first."""

    async def start(self, udp: socket.socket, tcp: socket.socket) -> None:
        """Serve on both, which belong to the server from now on."""
        self._udp = udp
        udp.setblocking(False)
        reader = self._readable_on_all if wildcard.prepare(udp) else self._readable
        self._loop.add_reader(udp.fileno(), reader, udp)
        self._listener = await self._loop.create_server(self._connection, sock=tcp)
        self._check()

    async def close(self) -> None:
        """Stop at once."""
        if self._timer is not None:
            self._timer.cancel()
        if self._udp is not None:
            self._loop.remove_reader(self._udp.fileno())
            self._udp.close()
            self._udp = None
        for connection in tuple(self.connections):
            connection.abort()
        if self._authority is not None:
            await self._authority.close()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    def _readable(self, udp: socket.socket) -> None:
        finished = self._responder.finished
        gate = self._gate
        for _ in range(BATCH):
            try:
                message, client = udp.recvfrom(LARGEST_QUERY)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that an earlier answer caused
                continue
            if gate is not None and not self._admits(gate, udp, message, client):
                continue
            kept = finished.get(message[2:])
            if kept is None:
                self._respond(udp, message, client)
                continue
            kept.tally[0] += 1
            try:
                udp.sendto(message[:2] + kept.next(), client)
            except OSError:  # the client is gone or slow: it asks again
                continue

    def _readable_on_all(self, udp: socket.socket) -> None:
        """The same for a socket of all addresses."""
        for _ in range(BATCH):
            try:
                message, client, ancillary = wildcard.receive(udp, LARGEST_QUERY)
            except BlockingIOError:
                return
            except OSError:
                continue
            if self._gate is None or self._admits(self._gate, udp, message, client, ancillary):
                self._respond(udp, message, client, ancillary)

    def _admits(
        self,
        gate: Gate,
        udp: socket.socket,
        message: bytes,
        client: tuple[str, int],
        ancillary: wildcard.Ancillary | tuple[()] = (),
    ) -> bool:
        """Whether a datagram is answered; else its sender gets what the gate says."""
        verdict = gate.verdict(client[0], self._loop.time())
        if verdict is Verdict.ANSWER:
            return True
        refusal = instead(message, verdict)
        if refusal is not None:
            try:
                udp.sendmsg((refusal,), ancillary, 0, client)
            except OSError as error:
                log.debug("a refusal could not be sent to %s: %s", client[0], error)
        return False

    def allows(self, address: str) -> bool:
        """Whether connections from `address` are taken."""
        return self._gate is None or self._gate.admits(address)

    def _respond(
        self,
        udp: socket.socket,
        message: bytes,
        client: tuple[str, int],
        ancillary: wildcard.Ancillary | tuple[()] = (),
    ) -> None:
        def send(answer: bytes | None) -> None:
            if udp is self._udp and answer is not None:
                try:
                    udp.sendmsg((answer,), ancillary, 0, client)
                except OSError as error:
                    log.debug("an answer to %s could not be sent: %s", client[0], error)

        if self._authority is not None and self._authority.take(message, client[0], send):
            return
        outcome = self._responder.respond(message)
        if isinstance(outcome, Query):
            self._elsewhere.look_up(outcome, client[0], False, send)
        elif outcome is not None:
            send(outcome)

    def _connection(self) -> Connection:
        return Connection(self, self._responder, self._elsewhere, self._authority)

    def admit(self, connection: Connection) -> None:
        """A connection was made or did something; if there are too many, the quietest goes."""
        self.connections.pop(connection, None)
        self.connections[connection] = None
        if len(self.connections) > MOST_CONNECTIONS:
            next(iter(self.connections)).abort()

    def _check(self) -> None:
        """Close what is idle."""
        now = self._loop.time()
        for connection in tuple(self.connections):
            if now - connection.active < IDLE_SECONDS:
                break
            if connection.is_busy:
                connection.active = now
                self.admit(connection)
            else:
                connection.abort()
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check)


class Connection(asyncio.Protocol):
    """One client's TCP connection: queries behind their lengths (RFC 1035 section 4.2.2), answers as they come."""

    def __init__(self, server: Server, responder: Responder, elsewhere: Elsewhere, authority: Authority | None) -> None:
        self._server = server
        self._responder = responder
        self._elsewhere = elsewhere
        self._authority = authority
        self._largest = LARGEST_QUERY if authority is None else LARGEST_UPDATE
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._pending = bytearray()
        self._under_way = 0
        self._slow = False
        self._ended = False
        self.active = 0.0
        """When it last brought a query, in seconds of the loop's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = (transport.get_extra_info("peername") or ("",))[0]
        self.active = self._loop.time()
        if self._server.allows(self._client):
            self._server.admit(self)
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._room.set()
        self._server.connections.pop(self, None)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        self._proceed()

    def eof_received(self) -> bool:
        """The client asks no more, and still gets its answers."""
        self._ended = True
        self._proceed()
        return True

    def pause_writing(self) -> None:
        self._slow = True
        self._room.clear()

    def resume_writing(self) -> None:
        self._slow = False
        self._room.set()
        self._proceed()

    def abort(self) -> None:
        self._server.connections.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    def _proceed(self) -> None:
        """Answer what has come, as far as the client takes answers."""
        while self._transport is not None and self._free and (query := self._take()) is not None:
            self.active = self._loop.time()
            self._server.admit(self)
            self._answer(query)
        if self._transport is None or self._transport.is_closing():
            return
        if self._ended and not self._under_way and not self._slow:
            self._transport.close()
        elif self._free and not self._ended:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being worked on, which has time-outs of its own."""
        return bool(self._under_way)

    @property
    def _free(self) -> bool:
        return self._under_way < MOST_UNDER_WAY and not self._slow

    def _take(self) -> bytes | None:
        """The next query, if it is there as a whole."""
        length = int.from_bytes(self._pending[:2], "big")
        if length > self._largest:
            self.abort()
            return None
        if len(self._pending) < 2 + length or len(self._pending) < 2:
            return None
        query = bytes(self._pending[2 : 2 + length])
        del self._pending[: 2 + length]
        return query

    def _answer(self, message: bytes) -> None:
        self._under_way += 1
        if self._authority is not None and self._authority.take(message, self._client, self._answered, self):
            return
        self._under_way -= 1
        outcome = self._responder.respond(message, tcp=True)
        if isinstance(outcome, Query):
            self._under_way += 1
            self._elsewhere.look_up(outcome, self._client, True, self._answered)
        elif outcome is not None:
            self.write(outcome)
        else:
            self.abort()

    def _answered(self, answer: bytes | None) -> None:
        """What takes its time is there; None: there is no answer to that."""
        self._under_way -= 1
        if answer is not None:
            self.write(answer)
        self._loop.call_soon(self._proceed)

    def write(self, message: bytes) -> None:
        """Send one message."""
        if self._transport is not None:
            self.active = self._loop.time()
            self._transport.write(len(message).to_bytes(2, "big") + message)

    async def room(self) -> None:
        """Wait until most of what was written is taken.  Raises ConnectionError when the client is gone."""
        await self._room.wait()
        if self._transport is None:
            raise ConnectionError("the connection is closed")
