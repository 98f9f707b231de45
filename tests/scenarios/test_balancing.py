"""Who gets a request, from manifests to endpoints: checks, balancers, near and far, what fails and is left out."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mesh.backend import Backend
from tests.discovery.probes.servers import Handler, refused_port, serving
from tests.scenarios.dialogue import exchange
from tests.scenarios.manifests import endpoint_slice, policy, service
from tests.scenarios.world import Inside, inside, until

REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"


class Shop:
    """Little servers behind one Service; each says its number, and how it is when asked for ``/health``."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.sick: set[int] = set()
        self.slow: dict[int, float] = {}
        self.node: Inside

    def server(self, number: int) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.readuntil(b"\r\n\r\n"):
                checked = head.startswith(b"GET /health")
                await asyncio.sleep(0 if checked else self.slow.get(number, 0))
                status = 500 if checked and number in self.sick else 200
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 1\r\n\r\n%d" % (status, number))

        return handle

    async def ask(self, times: int) -> Counter[int]:
        """How many of `times` requests, one after the other, each server answered."""
        counts: Counter[int] = Counter()
        for _ in range(times):
            reply = await exchange(*self.node.address("web"), REQUEST)
            assert reply.status == 200
            counts[int(reply.body)] += 1
        return counts

    @property
    def backend(self) -> Backend:
        (only,) = [each for key, each in self.node.node.proxy.live.backends.items() if key.service == "web"]
        return only

    def eligible(self) -> list[int]:
        """The servers that may be picked."""
        return [self.ports.index(state.port) for state in self.backend.eligible if state.port in self.ports]


@asynccontextmanager
async def shop(
    folder: Path, count: int, *dead: int, nodes: tuple[str, ...] = (), **spec: object
) -> AsyncIterator[Shop]:
    """A Service of `count` servers and of ports where nobody listens, with a policy."""
    there = Shop()
    async with AsyncExitStack() as stack:
        for number in range(count):
            there.ports.append(await stack.enter_async_context(serving(there.server(number))))
        slices: list[dict[str, Any]] = [endpoint_slice("web", {"http": port}) for port in (*there.ports, *dead)]
        for each, name in zip(slices, nodes, strict=False):
            each["endpoints"][0]["nodeName"] = name
        objects = (service("web", {"http": 8080}), policy("web", **spec), *slices)
        there.node = await stack.enter_async_context(inside(folder, *objects))
        yield there


async def test_who_fails_its_check_gets_nothing_until_it_is_well(tmp_path: Path) -> None:
    check = {"type": "http", "path": "/health", "interval": "100ms", "timeout": "1s", "rise": 2, "fall": 2}
    async with shop(tmp_path, 3, healthCheck=check) as web:
        await until(lambda: len(web.eligible()) == 3)
        web.sick.add(1)
        await until(lambda: web.eligible() == [0, 2])
        assert await web.ask(20) == {0: 10, 2: 10}
        web.sick.clear()
        await until(lambda: len(web.eligible()) == 3)
        web.sick.update((0, 1, 2))
        await until(lambda: all(state.unhealthy for state in web.backend.endpoints.values()))
        assert sum((await web.ask(9)).values()) == 9, "when all checks fail, it is the checks that are not believed"


async def test_a_check_finds_the_dead_before_a_request_does(tmp_path: Path) -> None:
    async with shop(tmp_path, 2, refused_port(), healthCheck={"interval": "100ms", "timeout": "5s"}) as web:
        await until(lambda: len(web.eligible()) == len(web.backend.eligible) == 2)
        assert await web.ask(20) == {0: 10, 1: 10}
        assert not web.node.counters("web").retries


@pytest.mark.parametrize("kind", ["LeastRequest", "Random"])
async def test_lots(kind: str, tmp_path: Path) -> None:
    async with shop(tmp_path, 2, balancer={"type": kind}) as web:
        counts = await web.ask(60)
        assert min(counts.values()) > 10


async def test_least_request_spares_the_slow(tmp_path: Path) -> None:
    async with shop(tmp_path, 2, balancer={"type": "LeastRequest"}) as web:
        web.slow = {0: 0.2, 1: 0.002}
        async with asyncio.timeout(20), asyncio.TaskGroup() as asking:
            asked = [asking.create_task(web.ask(15)) for _ in range(6)]
        counts = sum((each.result() for each in asked), Counter())
        assert counts[1] > 2 * counts[0]


async def test_near_endpoints_first(tmp_path: Path) -> None:
    nodes = (socket.gethostname(), "elsewhere", "elsewhere")
    async with shop(tmp_path, 3, nodes=nodes, locality={"prefer": "Node"}) as web:
        assert await web.ask(9) == {0: 9}


async def test_half_of_the_endpoints_may_be_dead(tmp_path: Path) -> None:
    dead = {refused_port() for _ in range(2)}
    async with shop(tmp_path, 2, *dead, ejection={"first": "30s"}) as web:
        await web.ask(8)
        assert await web.ask(20) == {0: 10, 1: 10}
        assert web.node.counters("web").retries["tried"] == len(dead)
