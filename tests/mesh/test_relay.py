"""Relay: what the dialogues of `test_exchange` leave out."""

from __future__ import annotations

import asyncio

import pytest

from mesh.relay import MOST_INTERIM
from tests.mesh.dialogue import GET, OK, Wire, answering, get, mesh

EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"


@pytest.mark.parametrize(("count", "status"), [(MOST_INTERIM, b"200"), (MOST_INTERIM + 1, b"502")])
async def test_interim_responses_are_counted(count: int, status: bytes) -> None:
    async with mesh(answering(EARLY * count + OK)) as world:
        answer = await world.ask(GET)
        assert answer.startswith(EARLY * MOST_INTERIM + b"HTTP/1.1 " + status)


async def test_a_response_is_not_mistaken_for_the_next_ones_after_interim_ones() -> None:
    async with mesh(answering(EARLY + OK)) as world:
        wire = await world.dial()
        for _ in range(3):
            await wire.send(GET)
            assert await wire.exactly(len(EARLY + OK)) == EARLY + OK
        assert world.endpoints[0].connections == 1


async def test_bytes_are_counted_both_ways() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(get(method="POST", body=b"x" * 1000))
        assert await wire.exactly(len(OK)) == OK
        await world.settled()
        assert world.stats.bytes_in > 1000
        assert world.stats.bytes_out == len(OK)


async def test_a_response_in_the_midst_of_which_draining_begins_ends_its_connection() -> None:
    going_on = asyncio.Event()

    async def halting(wire: Wire) -> None:
        await wire.message()
        await wire.send(OK[:-1])
        await going_on.wait()
        await wire.send(OK[-1:])
        await wire.rest()

    async with mesh(halting) as world:
        wire = await world.dial()
        await wire.send(GET)
        assert await wire.exactly(len(OK) - 1) == OK[:-1]
        world.proxy.drain()
        going_on.set()
        assert await wire.rest() == OK[-1:]


async def test_a_request_that_waited_when_draining_began_is_answered() -> None:
    going_on = asyncio.Event()

    async def halting(wire: Wire) -> None:
        await wire.message()
        await wire.send(OK[:-1])
        await going_on.wait()
        await wire.send(OK[-1:])
        await answering(OK)(wire)

    async with mesh(halting) as world:
        wire = await world.dial()
        await wire.send(GET)
        assert await wire.exactly(len(OK) - 1) == OK[:-1]
        await wire.send(GET)
        await world.wait(lambda: bool(world.clients[0]._ahead))
        world.proxy.drain()
        going_on.set()
        assert await wire.rest() == OK[-1:] + OK[:-6] + b"\r\nConnection: close\r\n\r\nok"
