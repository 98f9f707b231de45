"""Copies: whatever their endpoint does, nothing is left of them and nobody notices."""

from __future__ import annotations

import asyncio

import pytest

from config.balancing import BackendLimits, LimitPolicy
from mesh import mirror
from mesh.mirror import send_copy
from tests.mesh.dialogue import GET, OK, Script, Wire, answering, mesh

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n"


def saying(*pieces: bytes, end: bool = False) -> Script:
    async def script(wire: Wire) -> None:
        while True:
            await wire.message()
            for piece in pieces:
                await wire.send(piece)
                await asyncio.sleep(0.002)
            if end:
                return

    return script


@pytest.mark.parametrize(
    ("script", "codes", "connections"),
    [
        (answering(OK), {200: 2}, 1),
        (answering(CHUNKED), {200: 2}, 1),
        (answering(INTERIM + OK), {200: 2}, 1),
        (answering(INTERIM * 40 + OK), {}, 2),
        (answering(CLOSING), {200: 2}, 2),
        (answering(OK + b"more"), {200: 2}, 2),
        (answering(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), {}, 2),
        (answering(b"nonsense\r\n\r\n"), {}, 2),
        (answering(CHUNKED.replace(b"ok\r\n", b"okx")), {200: 2}, 2),
        (saying(OK[:10], OK[10:]), {200: 2}, 1),
        (saying(OK[:-1], OK[-1:]), {200: 2}, 1),
        (saying(OK[:-1], end=True), {200: 2}, 2),
        (saying(end=True), {}, 2),
    ],
    ids=["length", "chunks", "interim", "endless interim", "close", "more than it said", "switch", "malformed head",
         "malformed body", "head in pieces", "body in pieces", "cut", "no answer"],
)  # fmt: skip
async def test_answers_are_thrown_away(script: Script, codes: dict[int, int], connections: int) -> None:
    async with mesh(script) as world:
        for _ in range(2):
            send_copy(world.proxy, world.backend, GET, bodiless=False)
            await world.wait(lambda: not world.proxy.copies)
        assert world.stats.codes == codes
        assert world.endpoints[0].connections == connections


async def test_endpoints_that_refuse_are_blamed() -> None:
    async with mesh(refusing=1) as world:
        send_copy(world.proxy, world.backend, GET, bodiless=False)
        await world.wait(lambda: not world.proxy.copies)
        assert not world.stats.codes
        assert [state.connect_failures for state in world.backend.endpoints.values()] == [1]


async def test_without_endpoints_nothing_is_sent() -> None:
    async with mesh() as world:
        send_copy(world.proxy, world.backend, GET, bodiless=False)
        assert not world.proxy.copies


async def test_only_so_many_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MOST", 3)
    monkeypatch.setattr(mirror, "PATIENCE", 0.1)
    async with mesh(saying()) as world:
        for _ in range(5):
            send_copy(world.proxy, world.backend, GET, bodiless=False)
        assert len(world.proxy.copies) == world.stats.in_flight == 3
        await world.wait(lambda: not world.proxy.copies)


async def test_a_copy_takes_no_more_room_than_there_is() -> None:
    limits = LimitPolicy(backend=BackendLimits(requests=1))
    async with mesh(saying(), limits=limits) as world:
        for _ in range(3):
            send_copy(world.proxy, world.backend, GET, bodiless=False)
        assert len(world.proxy.copies) == world.stats.in_flight == 1
        await world.endpoints[0].stop()
        await world.wait(lambda: not world.proxy.copies)


async def test_nobody_waits_for_an_endpoint_that_goes() -> None:
    async with mesh(saying()) as world:
        send_copy(world.proxy, world.backend, GET, bodiless=False)
        await world.wait(lambda: bool(world.endpoints[0].heads))
        world.use()
        await world.endpoints[0].stop()
        await world.wait(lambda: not world.proxy.copies)
