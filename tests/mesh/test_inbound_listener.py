"""Inbound listeners: connections and datagrams reach exactly the endpoint behind, are counted and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from discovery.endpoint import Endpoint
from mesh.inbound_listener import InboundListeners, Whose
from mesh.sockets import Taken
from mesh.table import ListenerKey
from tests.mesh.dialogue import PATIENCE, Wire
from tests.mesh.relaying import World, closed_port, echo, gone, relaying, silent, until
from tests.mesh.test_udp import Speaker

pytestmark = pytest.mark.both_loops

SHOP = Whose("default", "shop", "web")
ANYWHERE = ListenerKey("127.0.0.1", 0)


@asynccontextmanager
async def inbound(world: World) -> AsyncIterator[InboundListeners]:
    try:
        yield world.listeners.inbound
    finally:
        world.listeners.inbound.close_all()


async def dial(world: World, key: ListenerKey) -> Wire:
    async with asyncio.timeout(PATIENCE):
        wire = Wire(*await asyncio.open_connection(key.address, key.port))
    world.wires.append(wire)
    return wire


def endpoint(world: World, number: int, **says: Any) -> Endpoint:
    return Endpoint("127.0.0.1", world.endpoints[number].port, **says)


def counted(listeners: InboundListeners) -> dict[str, float]:
    """Samples by name and the label that tells them apart."""
    found = {}
    for family in listeners.families():
        for name, labels, value in family.samples:
            assert not isinstance(labels, str)
            found[" ".join([name, *(labels[key] for key in ("transport", "direction", "reason") if key in labels)])] = (
                value
            )
    return found


async def named(wire: Wire) -> None:
    """Say who answers."""
    sock = wire.writer.get_extra_info("sockname")
    await wire.send(b"%d\n" % sock[1])
    await wire.reader.read()


async def test_every_connection_reaches_the_endpoint_behind_and_no_other() -> None:
    async with relaying(named, named, named) as world, inbound(world) as listeners:
        doors = [listeners.open(ANYWHERE, SHOP, endpoint(world, number), 10) for number in range(3)]
        for number in (0, 1, 2, 1, 0, 0):
            wire = await dial(world, doors[number])
            assert await wire.until(b"\n") == b"%d\n" % world.endpoints[number].port
        assert world.stats.tcp_total == 0
        assert counted(listeners)["weft_inbound_connections_total TCP"] == 6
        assert counted(listeners)["weft_inbound_listeners"] == 3


async def test_readiness_is_for_who_dials_to_judge() -> None:
    async with relaying(named) as world, inbound(world) as listeners:
        door = listeners.open(ANYWHERE, SHOP, endpoint(world, 0, ready=False, serving=False), 10)
        listeners.change(door, endpoint(world, 0, ready=False, terminating=True), 10)
        wire = await dial(world, door)
        assert await wire.until(b"\n") == b"%d\n" % world.endpoints[0].port


async def test_bytes_are_counted_and_connections_too() -> None:
    async with relaying(echo) as world, inbound(world) as listeners:
        door = listeners.open(ANYWHERE, SHOP, endpoint(world, 0, replica_id="shop-1"), 10)
        wire = await dial(world, door)
        await wire.send(b"hello")
        assert await wire.exactly(5) == b"hello"
        assert (listeners.connections(door), world.proxy.in_flight("shop-1")) == (1, 1)
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await until(lambda: not listeners.connections(door))
        assert world.proxy.in_flight("shop-1") == 0
        assert counted(listeners) == {
            "weft_inbound_listeners": 1,
            "weft_inbound_connections_total TCP": 1,
            "weft_inbound_connections_open TCP": 0,
            "weft_inbound_bytes_total in": 5,
            "weft_inbound_bytes_total out": 5,
        }


async def test_a_closed_listener_refuses_and_lets_go_on() -> None:
    async with relaying(echo) as world, inbound(world) as listeners:
        door = listeners.open(ANYWHERE, SHOP, endpoint(world, 0, replica_id="shop-1"), 10)
        wire = await dial(world, door)
        await wire.send(b"before")
        assert await wire.exactly(6) == b"before"
        listeners.close(door)
        with pytest.raises(ConnectionRefusedError):
            await dial(world, door)
        await wire.send(b"after")
        assert await wire.exactly(5) == b"after"
        assert world.proxy.in_flight("shop-1") == 1
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await until(lambda: not world.proxy.in_flight("shop-1"))
        assert counted(listeners)["weft_inbound_connections_total TCP"] == 1


async def test_an_endpoint_that_refuses_resets_and_is_tried_again_at_once() -> None:
    async with relaying(named) as world, inbound(world) as listeners:
        door = listeners.open(ANYWHERE, SHOP, Endpoint("127.0.0.1", closed_port()), 10)
        for _ in range(2):
            wire = await dial(world, door)
            assert await gone(wire) == "reset"
        assert counted(listeners)["weft_inbound_errors_total connection_refused"] == 2
        listeners.change(door, endpoint(world, 0), 10)
        assert await (await dial(world, door)).until(b"\n") == b"%d\n" % world.endpoints[0].port


async def test_a_full_listener_has_the_next_one_wait() -> None:
    async with relaying(named) as world, inbound(world) as listeners:
        door = listeners.open(ANYWHERE, SHOP, endpoint(world, 0), 1)
        first = await dial(world, door)
        await first.until(b"\n")
        second = await dial(world, door)
        await until(lambda: listeners.connections(door) == 1)
        assert counted(listeners)["weft_inbound_connections_total TCP"] == 1
        first.writer.transport.abort()
        assert await second.until(b"\n") == b"%d\n" % world.endpoints[0].port


async def test_an_address_that_is_taken_is_told() -> None:
    async with relaying(silent) as world, inbound(world) as listeners:
        taken = ListenerKey("127.0.0.1", world.endpoints[0].port)
        with pytest.raises(Taken, match="nodeAddresses"):
            listeners.open(taken, SHOP, endpoint(world, 0), 10)
        assert len(listeners) == 0


async def test_datagrams_go_to_the_endpoint_behind_and_answers_come_back() -> None:
    async with relaying(silent) as world, inbound(world) as listeners:
        resolver, client = Speaker(), Speaker()
        door = listeners.open(
            ListenerKey("127.0.0.1", 0, "UDP"), SHOP, Endpoint(resolver.address, resolver.port, replica_id="r"), 10
        )
        client.says(b"ask", door[:2])
        asked, back = await resolver.hears()
        assert (asked, world.proxy.in_flight("r")) == (b"ask", 1)
        resolver.says(b"answer", back)
        assert await client.hears() == (b"answer", door[:2])
        assert counted(listeners)["weft_inbound_connections_total UDP"] == 1
        listeners.close(door)
        assert world.proxy.in_flight("r") == 0
        resolver.line.close()
        client.line.close()
