"""healthCheckNodePort: what a balancer outside is told."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from discovery.endpoint import Endpoint
from mesh.eligibility import Rules
from mesh.node_health import LARGEST, answer, local_endpoints
from mesh.plan import BackendPlan
from mesh.table import Listener, Route
from tests.mesh.making import KEY, plan
from tests.mesh.relaying import World, gone, relaying, until

pytestmark = pytest.mark.both_loops

HERE = Rules(local_only=True, node="here")


def at(node: str, address: str = "10.0.0.1", port: int = 80, **fields: bool) -> Endpoint:
    return Endpoint(address, port, node=node, **fields)


@dataclass(frozen=True)
class Case:
    endpoints: tuple[Endpoint, ...]
    count: int


CASES = {
    "none": Case((), 0),
    "elsewhere": Case((at("there"),), 0),
    "here and there": Case((at("here"), at("there", "10.0.0.2")), 1),
    "not ready": Case((at("here", ready=False),), 0),
    "terminating": Case((at("here", ready=True, terminating=True),), 0),
    "two ports of one address": Case((at("here"), at("here", port=81)), 1),
    "two": Case((at("here"), at("here", "10.0.0.2")), 2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_is_counted_and_said(case: Case) -> None:
    asked = plan(*case.endpoints, rules=HERE)
    assert local_endpoints(asked) == case.count
    head, _, body = answer(asked).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == (b"HTTP/1.1 200 OK" if case.count else b"HTTP/1.1 503 Service Unavailable")
    assert b"X-Load-Balancing-Endpoint-Weight: %d" % case.count in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert json.loads(body) == {
        "service": {"namespace": "default", "name": "shop"},
        "localEndpoints": case.count,
        "serviceProxyHealthy": True,
    }


async def serve(world: World) -> None:
    world.backend.apply(BackendPlan(KEY, (at("here"),), rules=HERE))
    await world.publish({world.key: Listener(world.key, "HealthCheck", "http", Route(world.backend))})


@pytest.mark.parametrize(
    "pieces", [[b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], [b"GET", b" / HTTP/1.0\r\n", b"\r\n"]]
)
async def test_it_is_asked_over_a_connection(pieces: list[bytes]) -> None:
    async with relaying() as world:
        await world.publish({})
        await serve(world)
        wire = await world.connect()
        for piece in pieces:
            await wire.send(piece)
            await asyncio.sleep(0.01)
        assert (await wire.until(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert await gone(wire) == "end"
        wire.writer.close()
        await until(lambda: world.open == 0)
        assert not world.proxy.clients


async def test_who_asks_for_too_much_is_left() -> None:
    async with relaying() as world:
        await world.publish({})
        await serve(world)
        wire = await world.connect()
        await wire.send(b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST)
        assert await gone(wire) in ("end", "reset")
        await until(lambda: world.open == 0)


async def test_who_asks_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.node_health.PATIENCE", 0.05)
    async with relaying() as world:
        await world.publish({})
        await serve(world)
        assert await gone(await world.connect()) in ("end", "reset")
        await until(lambda: world.open == 0)
