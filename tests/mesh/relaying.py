"""A world of relayed connections: real listeners on loopback, scripted endpoints behind them."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from config.policies import RetryPolicy, TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh.backend import Backend
from mesh.deadlines import Deadlines
from mesh.listener import Listeners
from mesh.plan import BackendKey, BackendPlan
from mesh.proxy import Proxy
from mesh.table import AppProtocol, Listener, ListenerKey, Route, RoutingTable
from tests.mesh.dialogue import PATIENCE, FakeEndpoint, Script, Wire

KEY = BackendKey("default", "shop", "db")


async def echo(wire: Wire) -> None:
    """Say what is said, and end when it ends."""
    while data := await wire.reader.read(65536):
        await wire.send(data)


async def silent(wire: Wire) -> None:
    await wire.reader.read()


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for `condition`, and fail if it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


class World:
    """A proxy, its listeners, and one Backend with an endpoint per script."""

    def __init__(self, scripts: tuple[Script, ...], protocol: AppProtocol, limits: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        self.proxy = Proxy(loop, loop.time)
        self.proxy.deadlines = Deadlines(loop.time, tick=0.02, patience=0.1)
        self.descriptors = limits.pop("descriptors", 4096)
        self.timeouts = TimeoutPolicy(**limits.pop("timeouts", {}))
        self.retries = RetryPolicy(**limits.pop("retries", {}))
        self.plan = limits.pop("plan", {})
        self.filters = limits.pop("filters", None)
        self.limits = limits
        self.protocol: AppProtocol = protocol
        self.listeners = Listeners(self.proxy, limit=self.descriptors)
        self.backend = Backend(KEY, loop.time, self.proxy.deadlines, room=self.proxy.live.room)
        self.endpoints = [FakeEndpoint(script) for script in scripts]
        self.key = ListenerKey("127.0.0.1", 0)
        self.wires: list[Wire] = []
        """Ended with the world."""
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def stats(self) -> Any:
        return self.backend.stats

    @property
    def port(self) -> int:
        bound = self.listeners.states[self.key].bound
        assert bound is not None
        return bound.port

    @property
    def open(self) -> int:
        return self.listeners.states[self.key].connections

    async def start(self) -> None:
        self._tick()
        for endpoint in self.endpoints:
            await endpoint.start()
        self.use(*(Endpoint("127.0.0.1", endpoint.port) for endpoint in self.endpoints))
        await self.serve(self.protocol)

    def use(self, *endpoints: Endpoint) -> None:
        self.backend.apply(BackendPlan(KEY, endpoints, timeouts=self.timeouts, retries=self.retries, **self.plan))

    async def serve(self, protocol: AppProtocol, **changes: Any) -> None:
        self.limits |= changes
        listener = Listener(self.key, "ClusterIP", protocol, Route(self.backend, self.filters), **self.limits)
        await self.publish({self.key: listener})

    async def publish(self, listeners: dict[ListenerKey, Listener]) -> None:
        self.proxy.table = RoutingTable(self.proxy.table.generation + 1, listeners)
        self.listeners.reconcile(self.proxy.table)
        async with asyncio.timeout(PATIENCE):
            await self.listeners.settled()

    async def connect(self, **options: Any) -> Wire:
        async with asyncio.timeout(PATIENCE):
            wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self.wires.append(wire)
        return wire

    async def ending(self) -> str:
        """How a new connection ends, which may be while it is made."""
        try:
            wire = await self.connect()
        except ConnectionResetError:
            return "reset"
        return await gone(wire)

    def _tick(self) -> None:
        self.proxy.deadlines.advance()
        self._ticking = self.proxy.loop.call_later(0.02, self._tick)

    async def stop(self) -> None:
        for wire in self.wires:
            wire.writer.transport.abort()
        await self.listeners.close()
        self.listeners.abort()
        for endpoint in self.endpoints:
            await endpoint.stop()
        await asyncio.sleep(0.02)
        if self._ticking is not None:
            self._ticking.cancel()
        gc.collect()  # a socket that was left open is warned about in the test that left it


@asynccontextmanager
async def relaying(*scripts: Script, protocol: AppProtocol = "tcp", **limits: Any) -> AsyncIterator[World]:
    world = World(scripts or (echo,), protocol, limits)
    try:
        await world.start()
        yield world
    finally:
        await world.stop()


async def gone(wire: Wire) -> str:
    """How the connection ended: ``end`` or ``reset``; what comes before does not matter."""
    async with asyncio.timeout(PATIENCE):
        try:
            while await wire.reader.read(65536):
                pass
        except ConnectionResetError:
            return "reset"
    return "end"


def begun(address: tuple[str, int]) -> socket.socket:
    """A client that begins to connect; three of them fill a backlog of 0, and nobody else is answered."""
    line = socket.socket()
    line.setblocking(False)
    line.connect_ex(address)
    return line


def closed_port() -> int:
    """A port of loopback where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]  # type: ignore[no-any-return]
