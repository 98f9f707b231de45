"""Connections on which neither side has said anything, when one of them does, or when their endpoint ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.mesh.dialogue import GET, OK, Wire, answering
from tests.mesh.relaying import World, echo, gone, relaying, silent, until

pytestmark = pytest.mark.both_loops


async def silent_client(world: World) -> Wire:
    """A client that has said nothing until it was connected to an endpoint."""
    before = world.stats.tcp_open
    wire = await world.connect()
    await until(lambda: sum(len(state.connections) for state in world.backend.endpoints.values()) > before)
    return wire


def in_flight(world: World) -> int:
    return sum(state.in_flight for state in world.backend.endpoints.values())


async def test_a_client_that_connects_before_it_has_a_request_is_served_as_http() -> None:
    async with relaying(answering(OK), protocol="detect") as world:
        wire = await silent_client(world)
        for _ in range(2):
            await wire.send(GET)
            head, body = await wire.message()
            assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"ok")
            assert b"x-request-id" in world.endpoints[0].heads[-1].lower(), "it went the HTTP path"
        assert (world.stats.tcp_open, world.open, in_flight(world)) == (0, 1, 0)
        assert world.stats.detected == {"silent": 1}
        await wire.close()
        await until(lambda: not world.open)
        assert not world.proxy.clients


@pytest.mark.parametrize("said", [b"\0\1\2", b"get key\r\n", b"GE", b"\x16\x03\x01\x00\x05hello"])
async def test_a_client_that_speaks_something_else_is_relayed(said: bytes) -> None:
    async with relaying(echo, protocol="detect") as world:
        wire = await silent_client(world)
        for data in (said, b"GET / HTTP/1.1\r\n\r\n"):
            await wire.send(data)
            assert await wire.exactly(len(data)) == data
        await wire.close()
        await until(lambda: not world.open)
        assert (world.stats.tcp_open, in_flight(world)) == (0, 0)


async def test_after_the_endpoint_ended_without_a_word_another_is_taken() -> None:
    ending = asyncio.Event()

    async def end(wire: Wire) -> None:
        await ending.wait()

    async with relaying(end, end, echo, protocol="detect") as world:
        wires = [await silent_client(world) for _ in range(3)]
        ending.set()
        await until(lambda: world.endpoints[2].connections == 3)
        assert (world.stats.tcp_open, world.stats.tcp_total) == (3, 3)
        for wire in wires:
            await wire.send(b"\0")
            assert await wire.exactly(1) == b"\0"
            await wire.close()
        await until(lambda: not world.open)
        assert (world.stats.tcp_open, in_flight(world)) == (0, 0)


async def test_endpoints_that_all_end_without_a_word_are_tried_once_each() -> None:
    async def end(wire: Wire) -> None:
        return

    async with relaying(end, end, protocol="detect") as world:
        wire = await world.connect()
        assert await gone(wire) == "end"
        assert [each.connections for each in world.endpoints] == [1, 1]
        await wire.close()
        await until(lambda: not world.open)
        assert (world.stats.tcp_open, in_flight(world)) == (0, 0)


async def test_a_request_that_meets_the_end_of_its_endpoint_is_answered_by_another() -> None:
    """The endpoint's end and the request come in one turn of the loop, whichever of them is seen first."""
    ending = asyncio.Event()

    async def end(wire: Wire) -> None:
        await ending.wait()

    async with relaying(end, answering(OK), protocol="detect") as world:
        wires = [await silent_client(world) for _ in range(2)]
        await world.endpoints[0].stop()
        ending.set()
        for wire in wires:
            await wire.send(GET)
            assert (await wire.message())[1] == b"ok"


async def test_a_silent_client_that_goes_leaves_nothing() -> None:
    for leave in (Wire.reset, lambda wire: wire.writer.transport.abort(), lambda wire: wire.writer.write_eof()):
        async with relaying(silent, protocol="detect") as world:
            wire = await silent_client(world)
            leave(wire)
            await until(lambda: not world.open)
            assert (world.stats.tcp_open, in_flight(world)) == (0, 0)


async def test_a_silent_client_is_aborted_with_the_listeners() -> None:
    async with relaying(silent, protocol="detect") as world:
        wire = await silent_client(world)
        await world.listeners.close()
        world.listeners.abort()
        assert await gone(wire) == "reset"
