"""Streams through an endpoint that terminates: some time, and then an end; elsewhere they stay."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from discovery.endpoint import Endpoint
from mesh.deadlines import Deadlines
from mesh.farewell import Farewell
from tests.mesh.dialogue import OK, PATIENCE, Wire, get, mesh
from tests.mesh.relaying import echo, gone, relaying
from tests.mesh.test_tunnel import SWITCH, UPGRADE, echoing

LONG = 3600.0


def test_it_ends_once_when_its_time_has_come() -> None:
    now = [100.0]
    wheel, ended = Deadlines(lambda: now[0]), list[float]()
    wheel.watch(Farewell(103.0, lambda: ended.append(now[0])))
    for _ in range(60):
        now[0] += 0.1
        wheel.advance()
    assert len(ended) == 1
    assert 103.0 <= ended[0] < 103.3


def terminating(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, ready=False, serving=True, terminating=True)


@pytest.mark.parametrize("unready_first", [False, True])
async def test_a_relayed_connection_is_ended_after_a_while(unready_first: bool) -> None:
    async with relaying(echo) as world:
        world.proxy.farewell = LONG
        endpoint = Endpoint("127.0.0.1", world.endpoints[0].port)
        wire = await world.connect()
        await wire.send(b"a")
        assert await wire.exactly(1) == b"a"
        if unready_first:
            world.use(replace(endpoint, ready=False, serving=False))
        await wire.send(b"b")
        assert await wire.exactly(1) == b"b"
        world.proxy.farewell = 0.1
        world.use(terminating(endpoint))
        async with asyncio.timeout(PATIENCE):
            assert await gone(wire) == "reset"


async def test_a_tunnel_is_ended_after_a_while() -> None:
    async with mesh(echoing()) as world:
        world.proxy.farewell = 0.1
        wire = await world.dial()
        await wire.send(UPGRADE)
        await wire.exactly(len(SWITCH))
        world.use(terminating(world.addresses[0]))
        async with asyncio.timeout(PATIENCE):
            await wire.rest()
        await world.settled()


async def test_an_exchange_is_finished_where_it_is() -> None:
    gate = asyncio.Event()

    async def late(wire: Wire) -> None:
        await wire.message()
        await gate.wait()
        await wire.send(OK)

    async with mesh(late, late) as world:
        wire = await world.dial()
        await wire.send(get())
        await world.wait(lambda: any(endpoint.heads for endpoint in world.endpoints))
        world.use(*map(terminating, world.addresses))
        busy = [bool(endpoint.heads) for endpoint in world.endpoints]
        world.use(*(terminating(a) if b else a for a, b in zip(world.addresses, busy, strict=True)))
        gate.set()
        assert await wire.exactly(len(OK)) == OK
        assert [bool(endpoint.heads) for endpoint in world.endpoints] == busy
