"""The traffic of the registry's own process: drains wait for it as for any node's."""

from __future__ import annotations

import asyncio

from discovery.catalog import Snapshot
from sidecar.channel.nodes import Nodes
from sidecar.channel.own_traffic import OwnTraffic

OWN = "here (weft up)"


async def test_a_drain_waits_for_the_table_here() -> None:
    loop = asyncio.get_running_loop()
    nodes = Nodes(list, loop.time)
    own = OwnTraffic(nodes, OWN, "up", lambda _: 0)
    own.carrying.put_in_force(Snapshot(generation=1))
    own.start(7, 1)
    assert await nodes.confirmed(7, loop.time()) == ()
    own.carrying.copied(8, 2)
    assert await nodes.confirmed(8, loop.time()) == (OWN,)
    waiting = asyncio.create_task(nodes.confirmed(8, loop.time() + 20))
    await asyncio.sleep(0)
    own.carrying.put_in_force(Snapshot(generation=2))
    assert await waiting == ()
    own.in_force(manifests=3)
    known = nodes.get(OWN)
    assert known is not None
    assert (known.serial, known.manifests) == (8, 3)
    await own.close()
    assert await nodes.confirmed(9, loop.time()) == ()


async def test_a_drain_waits_for_what_is_in_flight_here() -> None:
    loop = asyncio.get_running_loop()
    nodes = Nodes(list, loop.time)
    own = OwnTraffic(nodes, OWN, "up", lambda _: 0)
    own.start(7, 1)
    own.in_force(busy=["web-1"])
    assert await nodes.idle("web-1", loop.time()) == (OWN,)
    own.in_force(busy=())
    assert await nodes.idle("web-1", loop.time()) == ()
    await own.close()
