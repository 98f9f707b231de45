"""Handing accepted sockets to the HTTP path."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mesh.connector import dial
from mesh.descriptors import Descriptors
from mesh.gate import Gate
from mesh.handover import Handover
from mesh.sockets import listen
from mesh.table import ListenerKey
from tests.mesh.dialogue import GET, OK, answering
from tests.mesh.relaying import echo, gone, relaying, until

pytestmark = pytest.mark.both_loops


async def test_a_socket_becomes_an_http_connection_and_leaves_its_gate() -> None:
    async with relaying(answering(OK), protocol="http") as world:
        gate = Gate(Descriptors(100), world.key, limit=10)
        handover = Handover(world.proxy, world.listeners._board, gate)
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
        assert Handover(world.proxy, world.listeners._board, Gate(Descriptors(100), other, limit=1)).gate.key == other


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
NOT_HTTP_1 = {
    "http2": (PREFACE, "http2"),
    "http2 with more": (PREFACE + bytes(range(256)) * 200, "http2"),
    "tls": (HELLO + b"\x55" * 506, "tls"),
    "tls with the end of a head in it": (HELLO + b"\r\n\r\n" + b"\x55" * 502, "tls"),
    "tls as large as a head may be": (HELLO + b"\x55" * 70_000, "tls"),
}


@pytest.mark.parametrize("case", NOT_HTTP_1)
@pytest.mark.parametrize("split", [None, 5, 17])
async def test_what_is_no_http_1_is_relayed_from_its_first_byte(case: str, split: int | None) -> None:
    said, protocol = NOT_HTTP_1[case]
    async with relaying(echo, protocol="http") as world:
        wire = await world.connect()
        if split:
            await wire.send(said[:split])
            await asyncio.sleep(0.02)
        await wire.send(said[split or 0 :])
        assert await wire.exactly(len(said)) == said
        await wire.send(b"and on")
        assert await wire.exactly(6) == b"and on"
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await until(lambda: not world.open)
        assert world.stats.detected == {protocol: 1}
        assert (world.stats.tcp_total, world.stats.tcp_open, world.stats.in_flight) == (1, 0, 0)
        assert world.stats.bytes_in == world.stats.bytes_out == len(said) + 6
        await until(lambda: not world.proxy.clients)
        assert world.listeners._descriptors.free == world.descriptors - 256 - 1


async def test_a_client_that_ends_with_its_first_bytes() -> None:
    async with relaying(echo, protocol="http") as world:
        wire = await world.connect()
        await wire.send(HELLO)
        wire.writer.write_eof()
        assert await wire.rest() == HELLO


@pytest.mark.parametrize("said", [PREFACE, HELLO])
async def test_after_a_request_it_is_refused(said: bytes) -> None:
    async with relaying(answering(OK), protocol="http") as world:
        wire = await world.connect()
        await wire.send(GET)
        assert (await wire.message())[1] == b"ok"
        await wire.send(said)
        assert (await wire.rest()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
        assert world.stats.detected == {}
        assert world.endpoints[0].connections == 1


@pytest.mark.parametrize(
    "said", [b"\x16\x02\x01\x00", b"PRI / HTTP/2.0\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n", b"\0\0\0\1"]
)
async def test_what_is_neither_is_refused(said: bytes) -> None:
    async with relaying(echo, protocol="http") as world:
        wire = await world.connect()
        await wire.send(said)
        assert (await wire.rest()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
        assert world.endpoints[0].connections == 0


async def test_without_an_endpoint_it_is_reset() -> None:
    async with relaying(echo, protocol="http") as world:
        world.use()
        wire = await world.connect()
        await wire.send(HELLO)
        assert await gone(wire) == "reset"
        await until(lambda: not world.open and not world.proxy.clients)


async def test_an_endpoint_that_refuses_costs_nothing_that_was_said() -> None:
    async with relaying(echo, echo, protocol="http") as world:
        assert world.endpoints[0].server is not None
        world.endpoints[0].server.close()
        for _ in range(3):
            wire = await world.connect()
            await wire.send(HELLO)
            assert await wire.exactly(len(HELLO)) == HELLO


async def test_it_is_logged_once_per_port(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mesh.handover"):
        async with relaying(echo, protocol="http") as world:
            for _ in range(3):
                wire = await world.connect()
                await wire.send(HELLO)
                await wire.exactly(len(HELLO))
    [line] = [record.getMessage() for record in caplog.records if record.name == "mesh.handover"]
    assert "default/shop" in line
    assert "appProtocol to https" in line
