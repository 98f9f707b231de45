"""Small DNS servers and clients of the tests' own, by dnspython."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import cast

import dns.flags
import dns.message
import dns.rrset

from discovery.registry.asked import Elsewhere, Reply
from discovery.registry.authority import Authority
from discovery.registry.gate import Gate
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.server import Server
from discovery.registry.wire import Query

Say = Callable[[bytes, bool], list[bytes]]
"""What is sent for a query, which came by TCP or not."""


class Upstream(asyncio.DatagramProtocol):
    """A resolver that says what it is told to."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[bytes] = []
        self.address = Resolver("127.0.0.1", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked.append(data)
        for answer in self.say(data, False):
            self._transport.sendto(answer, addr)

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            self.asked.append(query)
            for answer in self.say(query, True):
                writer.write(len(answer).to_bytes(2, "big") + answer)
        finally:
            writer.close()


@asynccontextmanager
async def upstream(say: Say) -> AsyncIterator[Upstream]:
    udp, tcp = sockets()
    made = Upstream(say)
    made.address = Resolver(*udp.getsockname())
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, sock=udp)
    server = await asyncio.start_server(made.stream, sock=tcp)
    try:
        yield made
    finally:
        transport.close()
        server.close()
        await server.wait_closed()


def sockets(address: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on one free port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(100):
        tcp = socket.create_server((address, 0), family=family)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname()[:2])
        except OSError:
            udp.close()
            tcp.close()
            continue
        tcp.setblocking(False)
        udp.setblocking(False)
        return udp, tcp
    raise AssertionError("no free port")


def response(query: bytes, *records: str, rcode: int = 0, flags: int = dns.flags.RA) -> bytes:
    """An answer with `records`, as ``NAME TTL TYPE DATA``; those after a ``;`` go to the authority section."""
    made = dns.message.make_response(dns.message.from_wire(query))
    made.set_rcode(rcode)
    made.flags |= flags
    for text in records:
        name, ttl, kind, data = text.lstrip(";").split(" ", 3)
        section = made.authority if text.startswith(";") else made.answer
        section.append(dns.rrset.from_text(name, int(ttl), "IN", kind, data))
    return made.to_wire()


class Nowhere:
    """Remembers what it was asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Query, str, bool, Reply]] = []

    def look_up(self, query: Query, client: str, tcp: bool, send: Reply) -> None:
        self.asked.append((query, client, tcp, send))


@asynccontextmanager
async def serving(
    responder: Responder,
    elsewhere: Elsewhere,
    address: str = "127.0.0.1",
    authority: Authority | None = None,
    gate: Gate | None = None,
) -> AsyncIterator[tuple[Server, tuple[str, int]]]:
    """A server, and where it listens."""
    udp, tcp = sockets(address)
    where = udp.getsockname()[:2]
    server = Server(responder, elsewhere, authority, gate)
    await server.start(udp, tcp)
    try:
        yield server, where
    finally:
        await server.close()


def chance() -> Random:
    return Random(1)
