"""Connections that wait for room at an endpoint, and which endpoint is told of those that left."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from config.balancing import BackendLimits, EndpointLimits, LimitPolicy, QueuePolicy
from discovery.endpoint import Endpoint
from mesh.reasons import CUT_SHORT
from tests.mesh.relaying import begun, echo, gone, relaying, until

pytestmark = pytest.mark.both_loops


def limited(queue: int = 10, seconds: float = 8.0, **counts: Any) -> dict[str, Any]:
    return {"limits": LimitPolicy(queue=QueuePolicy(queue, seconds), **counts)}


@pytest.mark.parametrize(
    "counts", [{"endpoint": EndpointLimits(connections=1)}, {"backend": BackendLimits(connections=1)}]
)
async def test_a_client_waits_until_another_has_gone(counts: dict[str, Any]) -> None:
    async with relaying(echo, plan=limited(**counts)) as world:
        first, second = await world.connect(), await world.connect()
        await first.send(b"one")
        assert await first.exactly(3) == b"one"
        await second.send(b"two")
        await until(lambda: world.backend.limits is not None and len(world.backend.limits) == 1)
        assert world.endpoints[0].connections == 1
        first.reset()
        assert await second.exactly(3) == b"two"
        second.reset()
        await until(lambda: not world.open)
        assert world.stats.tcp_open == 0


async def test_who_waits_in_vain_is_reset() -> None:
    async with relaying(echo, plan=limited(seconds=0.1, endpoint=EndpointLimits(connections=1))) as world:
        first = await world.connect()
        await first.send(b"one")
        assert await first.exactly(3) == b"one"
        assert await world.ending() == "reset"
        assert world.stats.reasons == {"connection_limit_reached": 1}
        await first.send(b"two")
        assert await first.exactly(3) == b"two"


async def test_a_place_is_free_again_when_nobody_could_be_connected_to() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [begun(full.getsockname()) for _ in range(3)]
        plan = limited(seconds=60.0, backend=BackendLimits(connections=1))
        async with relaying(echo, timeouts={"connect": 0.2}, plan=plan) as world:
            world.use(Endpoint("127.0.0.1", full.getsockname()[1]))
            first, second = await world.connect(), await world.connect()
            await until(lambda: world.backend.limits is not None and len(world.backend.limits) == 1)
            assert [await gone(first), await gone(second)] == ["reset", "reset"]
            assert world.stats.reasons == {"connection_timeout": 2}
        for filler in fillers:
            filler.close()


async def test_a_full_queue_is_joined_by_nobody() -> None:
    async with relaying(echo, plan=limited(queue=0, endpoint=EndpointLimits(connections=1))) as world:
        first = await world.connect()
        await first.send(b"one")
        assert await first.exactly(3) == b"one"
        assert await world.ending() == "reset"


async def test_who_waits_is_refused_when_the_listener_closes() -> None:
    async with relaying(echo, plan=limited(endpoint=EndpointLimits(connections=1))) as world:
        first, second = await world.connect(), await world.connect()
        await first.send(b"one")
        assert await first.exactly(3) == b"one"
        await until(lambda: world.backend.limits is not None and len(world.backend.limits) == 1)
        for client in tuple(world.proxy.clients):
            client.give_up(CUT_SHORT)  # type: ignore[attr-defined]
        assert await gone(second) == "reset"
        assert world.backend.limits is not None
        assert len(world.backend.limits) == 0
