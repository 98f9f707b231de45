"""A small Docker Engine on a unix socket of the test's own loop: it says what the test has it say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.discovery.platforms.docker.facts import ID, inspected


class FakeEngine:
    """`begin` and `end` are what a restart is made of."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "engine.sock"
        self.host = f"unix://{self.socket}"
        self.containers: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        """Paths, in the order in which they were asked for."""
        self.listeners: list[asyncio.Queue[dict[str, Any] | None]] = []
        self.answers = asyncio.Event()
        """Cleared: the engine is there, and answers nothing."""
        self.answers.set()
        self.cut_events = False
        """End each stream of events as soon as somebody wants one."""
        self._runner: web.AppRunner | None = None

    def put(self, container: str = ID, **state: Any) -> dict[str, Any]:
        """Have a container that runs."""
        self.containers[container] = {**inspected(**state), "Id": container}
        return self.containers[container]

    def tell(self, action: str, container: str = ID, **attributes: str) -> None:
        """Send an event of a container to all who listen."""
        labels = self.containers[container]["Config"]["Labels"]
        actor = {"ID": container, "Attributes": {**labels, **attributes}}
        self.send({"Type": "container", "Action": action, "Actor": actor, "time": 1, "timeNano": 1})

    def send(self, event: dict[str, Any] | None) -> None:
        for listener in self.listeners:
            listener.put_nowait(event)

    async def begin(self) -> None:
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/version", self._version)
        app.router.add_get("/v1.41/info", self._info)
        app.router.add_get("/v1.41/networks", self._networks)
        app.router.add_get("/v1.41/containers/json", self._list)
        app.router.add_get("/v1.41/containers/{id}/json", self._inspect)
        app.router.add_get("/v1.41/events", self._events)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def end(self) -> None:
        if self._runner is not None:
            self.send(None)
            self.answers.set()
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.asked.append(request.path)
        await self.answers.wait()
        return await handler(request)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41", "Version": "20.10.24"})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"SystemTime": "2026-01-01T10:00:00.123456789Z"})

    async def _networks(self, _: web.Request) -> web.Response:
        return web.json_response([{"Name": "bridge", "Driver": "bridge", "Id": "b", "Scope": "local"}])

    async def _list(self, _: web.Request) -> web.Response:
        running = [each for each in self.containers.values() if each["State"]["Running"]]
        return web.json_response([{"Id": each["Id"], "Labels": each["Config"]["Labels"]} for each in running])

    async def _inspect(self, request: web.Request) -> web.Response:
        found = self.containers.get(request.match_info["id"])
        if found is None:
            return web.json_response({"message": "No such container"}, status=404)
        return web.json_response(found)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        listener: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.listeners.append(listener)
        try:
            while not self.cut_events and (event := await listener.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self.listeners.remove(listener)
        return response


@asynccontextmanager
async def fake_engine(folder: Path) -> AsyncIterator[FakeEngine]:
    engine = FakeEngine(folder)
    await engine.begin()
    try:
        yield engine
    finally:
        await engine.end()
