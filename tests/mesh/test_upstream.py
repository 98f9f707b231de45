"""Connections to endpoints: who knows of them, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from mesh import upstream
from mesh.http1.response import read_plain_response
from tests.mesh.dialogue import GET, OK, Wire, answering, mesh


async def test_the_endpoint_knows_its_connections() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        state = world.backend.endpoints[world.addresses[0].where]
        assert len(state.connections) == len(state.idle) == 1
        world.use()
        await world.wait(lambda: not state.connections)
        assert not state.idle


async def test_an_idle_connection_that_the_endpoint_closes_is_forgotten() -> None:
    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(OK)

    async with mesh(script) as world:
        for _ in range(3):
            assert await world.ask(GET) == OK
            state = world.backend.endpoints[world.addresses[0].where]
            await world.wait(lambda: not state.connections)  # noqa: B023  # it is called before the loop goes on
            assert not state.idle


async def test_a_client_that_leaves_ends_the_connection_of_its_request() -> None:
    left = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.rest()
        left.set()

    async with mesh(script) as world:
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: bool(world.endpoints[0].heads))
        wire.reset()
        async with asyncio.timeout(5):
            await left.wait()
        await world.settled()
        assert not world.backend.endpoints[world.addresses[0].where].connections


async def test_an_idle_connection_is_not_used_once_its_endpoint_has_ended_it() -> None:
    """The loop says only in its next turn that it is lost; what is no idempotent request would be so too."""
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        state = world.backend.endpoints[world.addresses[0].where]
        [connection] = state.idle
        assert not connection.eof_received()
        assert not state.idle
        assert not state.connections
        connection.transport.abort()


async def test_a_head_in_pieces_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def counting(data: bytes) -> object:
        reads.append(len(data))
        return read_plain_response(data)

    async def script(wire: Wire) -> None:
        await wire.message()
        for byte in OK:
            await wire.send(bytes([byte]))
            await asyncio.sleep(0)

    monkeypatch.setattr(upstream, "read_plain_response", counting)
    async with mesh(script) as world:
        assert await world.ask(GET) == OK
    assert len(reads) <= 2


async def test_each_head_is_read_for_what_it_says() -> None:
    """Though most are the same as the last one."""
    longer = OK.replace(b"2\r\n\r\nok", b"3\r\n\r\nyes")
    answers = [OK, OK, OK.replace(b"200", b"404"), OK, longer, OK[:-2] + b"no"]
    async with mesh(answering(*answers)) as world:
        wire = await world.dial()
        for answer in answers:
            await wire.send(GET)
            assert await wire.exactly(len(answer)) == answer
        assert world.stats.codes == {200: 5, 404: 1}
