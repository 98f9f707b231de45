"""Detection on real connections: whoever gets the bytes gets all of them."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest

from mesh import sniffer
from tests.mesh.dialogue import GET, OK, Wire, answering
from tests.mesh.relaying import echo, gone, relaying, until

pytestmark = pytest.mark.both_loops

CLIENTS = {
    "http": (GET, "http"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    "tls": (b"\x16\x03\x01\x00\x05hello", "tls"),
    "tcp": (b"\0\0\0\x08\x04\xd2\x16\x2f", "tcp"),
}


@pytest.mark.parametrize("case", CLIENTS)
async def test_what_a_client_speaks_is_carried_and_counted(case: str) -> None:
    data, protocol = CLIENTS[case]
    async with relaying(answering(OK) if protocol == "http" else echo, protocol="detect") as world:
        for expected in (1, 2):
            wire = await world.connect()
            await wire.send(data)
            if protocol == "http":
                head, body = await wire.message()
                assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"ok")
                assert world.endpoints[0].heads[-1].lower().count(b"x-request-id") == 1, "it went the HTTP path"
            else:
                assert await wire.exactly(len(data)) == data
            assert world.stats.detected == {protocol: expected}
            assert world.stats.tcp_total == (0 if protocol == "http" else expected)
            await wire.close()
            await until(lambda: not world.open)


@pytest.mark.parametrize("end", range(1, 8))
async def test_split_first_bytes(end: int) -> None:
    async with relaying(answering(OK), protocol="detect") as world:
        wire = await world.connect()
        await wire.send(GET[:end])
        await asyncio.sleep(0.02)
        await wire.send(GET[end:])
        assert (await wire.message())[1] == b"ok"
        assert world.stats.detected == {"http": 1}


async def test_a_server_that_speaks_first_is_waited_for() -> None:
    async def greet(wire: Wire) -> None:
        await wire.send(b"220 ready\r\n")
        await echo(wire)

    async with relaying(greet, protocol="detect") as world:
        began = world.proxy.loop.time()
        wire = await world.connect()
        assert await wire.exactly(11) == b"220 ready\r\n"
        assert world.proxy.loop.time() - began >= sniffer.PATIENCE * 0.7
        await wire.send(b"GET / HTTP/1.1\r\n")
        assert await wire.exactly(16) == b"GET / HTTP/1.1\r\n"
        assert world.stats.detected == {"silent": 1}


async def test_what_came_in_time_counts_though_the_loop_was_held_up() -> None:
    async with relaying(answering(OK), protocol="detect") as world:
        wire = await world.connect()
        await until(lambda: world.proxy.clients)
        (sniffing,) = world.proxy.clients
        assert isinstance(sniffing, sniffer.Sniffer)
        os.write(wire.writer.get_extra_info("socket").fileno(), GET)
        sniffing.on_deadline(0)  # before the loop looks at the socket
        assert (await wire.message())[1] == b"ok"
        assert world.stats.detected == {"http": 1}


async def test_a_half_said_word_becomes_tcp() -> None:
    async with relaying(echo, protocol="detect") as world:
        wire = await world.connect()
        await wire.send(b"GE")
        assert await wire.exactly(2) == b"GE"
        assert world.stats.detected == {"tcp": 1}


async def test_a_half_said_word_and_the_end_becomes_tcp_at_once() -> None:
    async with relaying(echo, protocol="detect") as world:
        wire = await world.connect()
        await wire.send(b"GE")
        wire.writer.write_eof()
        assert await wire.rest() == b"GE"


async def test_a_client_that_only_listens() -> None:
    async def greet(wire: Wire) -> None:
        await wire.send(b"the time is now")

    async with relaying(greet, protocol="detect") as world:
        wire = await world.connect()
        wire.writer.write_eof()
        assert await wire.rest() == b"the time is now"


async def test_silence_where_http_is_required() -> None:
    async with relaying(echo, protocol="detect", http_required=True) as world:
        wire = await world.connect()
        assert (await wire.rest()).startswith(b"HTTP/1.1 408 ")
        await until(lambda: not world.open)
        assert world.stats.detected == {"silent": 1}
        assert world.stats.reasons == {"http_request_error": 1}
        assert world.endpoints[0].connections == 0


async def test_a_slow_request_where_http_is_required() -> None:
    async with relaying(answering(OK), protocol="detect", http_required=True) as world:
        wire = await world.connect()
        await wire.send(GET[:2])
        await asyncio.sleep(0.3)
        await wire.send(GET[2:])
        assert (await wire.message())[1] == b"ok"


@pytest.mark.parametrize("said", [b"", b"GE"])
async def test_the_end_where_http_is_required(said: bytes) -> None:
    """What has not said that it is HTTP is not relayed there, however it ends."""
    async with relaying(echo, protocol="detect", http_required=True) as world:
        wire = await world.connect()
        await wire.send(said)
        wire.writer.write_eof()
        assert not (await wire.rest()).startswith(said or b"?")
        await until(lambda: not world.open)
        assert world.endpoints[0].connections == 0
        assert world.stats.tcp_total == 0


async def test_a_client_that_resets_while_it_is_waited_for() -> None:
    async with relaying(echo, protocol="detect") as world:
        wire = await world.connect()
        await until(lambda: world.open)
        wire.reset()
        await until(lambda: not world.open)
        assert not world.proxy.clients
        assert world.endpoints[0].connections == 0


async def test_it_is_logged_once_per_port(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mesh.sniffer"):
        async with relaying(echo, protocol="detect") as world:
            for _ in range(3):
                wire = await world.connect()
                await wire.send(b"\0")
                await wire.exactly(1)
    [line] = [record.getMessage() for record in caplog.records if record.name == "mesh.sniffer"]
    assert "default/shop" in line
    assert "appProtocol to http or tcp" in line


async def test_aborted_with_the_listeners() -> None:
    async with relaying(echo, protocol="detect") as world:
        wire = await world.connect()
        await until(lambda: world.open)
        await world.listeners.close()
        world.listeners.abort()
        assert await gone(wire) == "reset"
