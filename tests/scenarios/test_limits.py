"""Limits of a port that does not say what it speaks: requests and TCP connections share room, and wait in one queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import Reply, exchange
from tests.scenarios.manifests import endpoint_slice, policy, service
from tests.scenarios.weft import PATIENCE
from tests.scenarios.world import Inside, inside

pytestmark = pytest.mark.both_loops

GET = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"
STREAM = b"\0stream"


class Endpoint:
    """Answers requests and echoes streams; knows how many connections it has that are in use."""

    def __init__(self) -> None:
        self.used = self.most = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            self.used += 1
            self.most = max(self.most, self.used)
            try:
                if data != STREAM:
                    await asyncio.sleep(0.02)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
                else:
                    writer.write(data)
                    await reader.read()
            finally:
                self.used -= 1


class Stream:
    """A client that speaks no HTTP."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    async def open(self) -> bool:
        """Whether it is echoed, and not reset."""
        self.reader, self.writer = await asyncio.open_connection(*self.address)
        self.writer.write(STREAM)
        try:
            return await self.reader.readexactly(len(STREAM)) == STREAM
        except (ConnectionResetError, asyncio.IncompleteReadError):
            await self.close()
            return False

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionResetError):
            await self.writer.wait_closed()


@asynccontextmanager
async def web(folder: Path, *endpoints: Endpoint, **limits: Any) -> AsyncIterator[Inside]:
    async with AsyncExitStack() as servers:
        ports = [await servers.enter_async_context(serving(endpoint)) for endpoint in endpoints]
        unnamed = service("web", {"": 8080})
        slices = [endpoint_slice("web", {"": port}) for port in ports]
        node = await servers.enter_async_context(inside(folder, unnamed, *slices, policy("web", limits=limits)))
        yield node


async def until(node: Inside, waiting: int) -> None:
    """So many wait for room."""
    async with asyncio.timeout(PATIENCE):
        while node.counters("web").queued != waiting:
            await asyncio.sleep(0.005)


async def test_who_waits_longest_is_first_whatever_it_speaks(tmp_path: Path) -> None:
    endpoint, ended = Endpoint(), []
    async with web(tmp_path, endpoint, backend={"connections": 2}) as node:
        address = node.address("web")
        streams = [Stream(address) for _ in range(4)]
        assert [await stream.open() for stream in streams[:2]] == [True, True]

        async def ask(name: str) -> None:
            assert (await exchange(*address, GET)).body == b"fine"
            ended.append(name)

        async def relay(name: str, stream: Stream) -> None:
            assert await stream.open()
            ended.append(name)
            await stream.close()

        async with asyncio.TaskGroup() as clients:
            for number, work in enumerate((ask("a"), relay("b", streams[2]), ask("c"), relay("d", streams[3])), 1):
                clients.create_task(work)
                await until(node, number)
            await streams[0].close()
        assert ended == ["a", "b", "c", "d"]
        assert endpoint.most == 2
        await streams[1].close()


async def test_an_endpoint_is_never_given_more_than_it_takes(tmp_path: Path) -> None:
    endpoints = [Endpoint(), Endpoint()]
    async with web(tmp_path, *endpoints, endpoint={"connections": 2, "requests": 3}) as node:
        address = node.address("web")

        async def mixed(number: int) -> bool:
            if number % 3:
                return (await exchange(*address, GET)).status == 200
            stream = Stream(address)
            opened = await stream.open()
            await stream.close()
            return opened

        assert all(await asyncio.gather(*(mixed(number) for number in range(20))))
        assert [endpoint.most for endpoint in endpoints] == [2, 2]


async def test_who_waits_too_long_is_told_in_its_own_way(tmp_path: Path) -> None:
    async with web(tmp_path, Endpoint(), endpoint={"connections": 1}, queue={"length": 2, "deadline": "200ms"}) as node:
        address = node.address("web")
        stream = Stream(address)
        assert await stream.open()
        late = Stream(address)
        reply, opened = await asyncio.gather(exchange(*address, GET), late.open())
        assert isinstance(reply, Reply)
        assert (reply.status, reply.error, opened) == (503, "connection_limit_reached", False)
        assert "waited as long as it may" in reply.fields["proxy-status"]
        assert node.counters("web").reasons == {"connection_limit_reached": 2}
        await stream.close()
