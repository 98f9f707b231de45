"""Idle connections: the newest first, none that waited too long."""

from __future__ import annotations

import asyncio

from mesh.pool import take
from tests.mesh.dialogue import GET, OK, Wire, answering, mesh

KEEP_ALIVE = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=%d\r\nContent-Length: 0\r\n\r\n"


async def test_the_newest_is_used_first() -> None:
    gate = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            await wire.message()
            await gate.wait()
            await wire.send(OK)

    async with mesh(script) as world:
        wires = [await world.dial() for _ in range(3)]
        for wire in wires:
            await wire.send(GET)
        state = world.backend.endpoints[world.addresses[0].where]
        await world.wait(lambda: world.endpoints[0].connections == 3 and state.in_flight == 3)
        gate.set()
        for wire in wires:
            await wire.exactly(len(OK))
        assert len(state.idle) == 3
        newest = state.idle[-1]
        assert take(state, world.proxy.deadlines.now) is newest
        newest.close()
        assert take(state, world.proxy.deadlines.now + 3600) is None
        await world.wait(lambda: not state.connections)


async def test_endpoints_that_announce_when_they_close_are_left_before() -> None:
    for seconds, timeout in ((1, 0), (3, 2), (60, 4)):
        async with mesh(answering(KEEP_ALIVE % seconds)) as world:
            wire = await world.dial()
            await wire.send(GET)
            await wire.until(b"\r\n\r\n")
            state = world.backend.endpoints[world.addresses[0].where]
            assert [upstream.timeout for upstream in state.idle] == [timeout]


async def test_what_idles_too_long_is_closed() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        state = world.backend.endpoints[world.addresses[0].where]
        state.idle[0].deadline = world.proxy.deadlines.now
        await world.wait(lambda: not state.connections)
        assert not state.idle
