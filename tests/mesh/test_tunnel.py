"""Upgrades: which are offered, which are accepted, and what a tunnel does until both sides have ended."""

from __future__ import annotations

import asyncio

import pytest

from config.policies import TimeoutPolicy
from mesh.access_log import AccessRecord
from mesh.reasons import OVERSTAYED
from tests.mesh.dialogue import Script, Wire, answering, get, mesh

UPGRADE = get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


def echoing(first: bytes = b"") -> Script:
    async def script(wire: Wire) -> None:
        head = await wire.until(b"\r\n\r\n")
        assert b"Connection: upgrade\r\nUpgrade: websocket\r\n" in head
        await wire.send(SWITCH + first)
        while part := await wire.reader.read(65_536):
            await wire.send(part)
        await wire.send(b"bye")

    return script


async def test_a_tunnel_carries_bytes_both_ways_and_half_closes() -> None:
    async with mesh(echoing(b"hi")) as world:
        wire = await world.dial()
        await wire.send(UPGRADE + b"early")
        assert await wire.exactly(len(SWITCH) + 7) == SWITCH + b"hiearly"
        await wire.send(b"\0\xff" * 100_000)
        assert await wire.exactly(200_000) == b"\0\xff" * 100_000
        assert world.stats.in_flight == 1
        assert world.stats.codes == {101: 1}
        wire.writer.write_eof()
        assert await wire.rest() == b"bye"
        await world.settled()
        assert world.stats.codes == {101: 1}
        assert world.stats.bytes_in > 200_000


async def test_a_tunnel_ends_with_its_endpoint() -> None:
    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.send(SWITCH)
        wire.reset()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        assert (await wire.rest()).startswith(SWITCH)


async def test_a_tunnel_ends_with_its_client() -> None:
    async with mesh(echoing()) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        await wire.exactly(len(SWITCH))
        wire.reset()
        await world.settled()


async def test_a_tunnel_stays_when_its_endpoint_is_withdrawn() -> None:
    async with mesh(echoing()) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        await wire.exactly(len(SWITCH))
        world.use()
        await wire.send(b"still")
        assert await wire.exactly(5) == b"still"
        wire.writer.write_eof()
        assert await wire.rest() == b"bye"


async def test_a_tunnel_on_which_nothing_moves_is_closed() -> None:
    async with mesh(echoing(), timeouts=TimeoutPolicy(tunnel_idle=0.1)) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        assert await wire.rest() == SWITCH


async def test_a_tunnel_that_the_proxy_gives_up_says_why() -> None:
    async with mesh(echoing()) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        assert await wire.exactly(len(SWITCH)) == SWITCH
        records: list[AccessRecord] = []
        world.proxy.access_log = records.append  # type: ignore[assignment]  # a tunnel leaves no other kind
        for client in tuple(world.proxy.clients):
            client.give_up(OVERSTAYED)  # type: ignore[attr-defined]
        assert await wire.rest() == b""
        assert [record.reason for record in records] == ["http_response_timeout"]
        assert world.stats.reasons == {"http_response_timeout": 1}


@pytest.mark.parametrize("token", ["h2c", "TLS/1.0", "websocket2"])
async def test_other_protocols_are_not_offered(token: str) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with mesh(answering(ok)) as world:
        request = get("/", "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {token}", "HTTP2-Settings: x")
        assert await world.ask(request) == ok
        head = world.endpoints[0].heads[0].lower()
        assert b"upgrade" not in head
        assert b"http2-settings" not in head


async def test_an_upgrade_may_be_declined() -> None:
    ok = b"HTTP/1.1 426 No\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n"
    async with mesh(answering(ok)) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(UPGRADE)
            assert await wire.until(b"\r\n\r\n") == b"HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n"


async def test_a_protocol_that_was_not_offered_is_refused() -> None:
    async with mesh(answering(SWITCH.replace(b"websocket", b"evil"))) as world:
        assert b"error=http_upgrade_failed" in await world.ask(UPGRADE)


async def test_a_tunnel_has_back_pressure() -> None:
    gate = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await wire.send(SWITCH)
        await gate.wait()
        wire.reset()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        await wire.exactly(len(SWITCH))
        wire.writer.write(b"x" * 50_000_000)
        await world.wait(lambda: world.clients[0].held)
        gate.set()
        await world.settled()


async def test_a_client_that_ended_before_its_tunnel_began() -> None:
    heard: list[bytes] = []

    async def script(wire: Wire) -> None:
        await wire.message()
        await asyncio.sleep(0.05)
        await wire.send(SWITCH)
        heard.append(await wire.rest())

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(UPGRADE)
        wire.writer.write_eof()
        await world.wait(lambda: heard == [b""])
