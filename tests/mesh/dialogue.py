"""Dialogues through a real proxy on loopback: a client's bytes in, scripted endpoints behind, bytes back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from config.policies import RetryPolicy, TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh.backend import Backend
from mesh.downstream import HTTPDownstream
from mesh.filters.chain import Filters
from mesh.plan import BackendKey, BackendPlan
from mesh.proxy import Proxy
from mesh.table import Entry, Listener, ListenerKey, Route, RoutingTable

PATIENCE = 8.0
"""Seconds after which a test that waits has failed."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def get(path: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: a", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Wire:
    """One end of a connection, with deadlines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(end)

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        """All until the other side ends; what came before a reset counts too."""
        parts = []
        async with asyncio.timeout(PATIENCE):
            try:
                while part := await self.reader.read(65_536):
                    parts.append(part)
            except ConnectionResetError:
                parts.append(b"<reset>")
        return b"".join(parts)

    async def message(self, bodiless: bool = False) -> tuple[bytes, bytes]:
        """A head and its body, framed by Content-Length or chunks, else none."""
        head = await self.until(b"\r\n\r\n")
        if bodiless:
            return head, b""
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
        if b"content-length" in fields:
            return head, await self.exactly(int(fields[b"content-length"]))
        if b"transfer-encoding" in fields:
            body = b""
            while size := int((await self.until(b"\r\n")).partition(b";")[0], 16):
                body += (await self.exactly(size + 2))[:-2]
            while await self.until(b"\r\n") != b"\r\n":
                pass
            return head, body
        return head, b""

    async def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """End with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


Script = Callable[[Wire], Awaitable[None]]


def answering(*answers: bytes) -> Script:
    """An endpoint that answers request after request, the last answer again and again."""

    async def script(wire: Wire) -> None:
        left = list(answers)
        while True:
            await wire.message()
            await wire.send(left.pop(0) if len(left) > 1 else left[0])

    return script


class FakeEndpoint:
    """Runs its script for each connection; `seen` collects what it is sent, if the script is none."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.server: asyncio.Server | None = None
        self.port = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        wire = Seeing(reader, writer, self)
        try:
            await self.script(wire)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()


class Seeing(Wire):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owner: FakeEndpoint) -> None:
        super().__init__(reader, writer)
        self.owner = owner

    async def message(self, bodiless: bool = False) -> tuple[bytes, bytes]:
        head, body = await super().message(bodiless)
        self.owner.heads.append(head)
        self.owner.bodies.append(body)
        return head, body


class Mesh:
    """A proxy with one listener in front of fake endpoints."""

    def __init__(
        self, scripts: list[Script], entry: Entry, refusing: int, filters: Filters | None, plan: dict[str, Any]
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.proxy = Proxy(self.loop, self.loop.time)
        self.endpoints = [FakeEndpoint(script) for script in scripts]
        key, room = BackendKey("default", "shop", "http"), self.proxy.live.room
        self.backend = Backend(key, self.loop.time, self.proxy.deadlines, room=room)
        self.key = ListenerKey("127.0.0.1", 8080)
        self._entry: Entry = entry
        self._refusing = refusing
        self._filters = filters
        self._plan = plan
        self._wires: list[Wire] = []
        self.clients: list[HTTPDownstream] = []
        self.addresses: list[Endpoint] = []

    @property
    def stats(self) -> Any:
        return self.backend.stats

    async def start(self) -> None:
        for endpoint in self.endpoints:
            await endpoint.start()
        dead = [_closed_port() for _ in range(self._refusing)]
        self.addresses = [Endpoint("127.0.0.1", port) for port in [*dead, *(e.port for e in self.endpoints)]]
        self.use(*self.addresses)
        listener = Listener(self.key, self._entry, "http", Route(self.backend, self._filters))
        self.proxy.table = RoutingTable(1, {self.key: listener})
        self._server = await self.loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tick()

    def use(self, *addresses: Endpoint) -> None:
        self.backend.apply(BackendPlan(self.backend.key, addresses, **self._plan))

    def _accept(self) -> HTTPDownstream:
        client = HTTPDownstream(self.proxy, self.key)
        self.clients.append(client)
        return client

    def _tick(self) -> None:
        self.proxy.deadlines.advance()
        self._timer = self.loop.call_later(0.02, self._tick)

    async def dial(self, buffer: int = 0) -> Wire:
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.setblocking(False)
        await self.loop.sock_connect(sock, ("127.0.0.1", self.port))
        wire = Wire(*await asyncio.open_connection(sock=sock, limit=2**20))
        self._wires.append(wire)
        return wire

    async def ask(self, data: bytes) -> bytes:
        """Send, and read until the proxy ends the connection; the client ends its side first."""
        wire = await self.dial()
        await wire.send(data)
        wire.writer.write_eof()
        return await wire.rest()

    async def wait(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)

    async def settled(self) -> None:
        """Nothing is in flight any more, and nobody holds what it should have given back."""
        await self.wait(lambda: not self.stats.in_flight)
        assert not self.backend.retry_budget.running
        assert all(not state.in_flight for state in self.backend.states())

    async def stop(self) -> None:
        self._timer.cancel()
        self._server.close()
        for wire in self._wires:
            await wire.close()
        for endpoint in self.endpoints:
            await endpoint.stop()
        for state in self.backend.states():
            for connection in tuple(state.connections):
                connection.close()  # type: ignore[attr-defined]
        await self.wait(lambda: not self.proxy.clients)
        await asyncio.sleep(0)


def _closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def mesh(
    *scripts: Script,
    entry: Entry = "NodePort",
    refusing: int = 0,
    trusted: str = "",
    timeouts: TimeoutPolicy | None = None,
    retries: RetryPolicy | None = None,
    filters: Filters | None = None,
    **plan: Any,
) -> AsyncIterator[Mesh]:
    """`refusing`: so many endpoints, picked first, refuse connections."""
    if timeouts is not None:
        plan["timeouts"] = timeouts
    if retries is not None:
        plan["retries"] = retries
    world = Mesh(list(scripts), entry, refusing, filters, plan)
    if trusted:
        world.proxy.trusted_proxies = (ip_network(trusted),)
    await world.start()
    try:
        yield world
        await world.settled()
    finally:
        await world.stop()
