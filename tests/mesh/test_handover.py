"""Handing accepted sockets to the HTTP path."""

from __future__ import annotations

import asyncio

import pytest

from mesh.connector import dial
from mesh.descriptors import Descriptors
from mesh.gate import Gate
from mesh.handover import Handover
from mesh.sockets import listen
from mesh.table import ListenerKey
from tests.mesh.dialogue import GET, OK, answering
from tests.mesh.relaying import relaying, until

pytestmark = pytest.mark.both_loops


async def test_a_socket_becomes_an_http_connection_and_leaves_its_gate() -> None:
    async with relaying(answering(OK), protocol="http") as world:
        gate = Gate(Descriptors(100), world.key, limit=10)
        handover = Handover(world.proxy, gate)
        with listen("127.0.0.1", 0) as listening:
            client = dial("127.0.0.1", listening.getsockname()[1])
            accepted, _ = await world.proxy.loop.sock_accept(listening)
            line = type(client)(accepted.family, accepted.type, 0, accepted.detach())
            line.setblocking(False)
            gate.entered()
            handover.serve(line)
            await handover.close()
        client.send(GET)
        async with asyncio.timeout(5):
            data = b""
            while not data.endswith(b"ok"):
                await asyncio.sleep(0.01)
                try:
                    data += client.recv(4096)
                except BlockingIOError:
                    continue
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert gate.open == 1
        client.close()
        await until(lambda: gate.open == 0)


async def test_the_key_is_the_gates() -> None:
    async with relaying(answering(OK), protocol="http") as world:
        other = ListenerKey("127.0.0.1", 1)
        assert Handover(world.proxy, Gate(Descriptors(100), other, limit=1)).gate.key == other
