"""A small Docker Engine on a unix socket of the test's own loop: it says what the test has it say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

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
        self.past: list[dict[str, Any]] = []
        """Events of containers that are told to who asks for them later."""
        self.told = 1_767_261_601_000_000_000
        """When the last event happened: a second after the containers began."""
        self.cut_events = False
        """End each stream of events as soon as somebody wants one."""
        self.images = {"shop:1"}
        self.made = 0
        self.stopped: list[tuple[str, str]] = []
        """Containers that were to be stopped, and the seconds that each was given."""
        self.written = ""
        """The last that each container has written."""
        self._runner: web.AppRunner | None = None

    def put(self, container: str = ID, **state: Any) -> dict[str, Any]:
        """Have a container that runs."""
        self.containers[container] = {**inspected(**state), "Id": container}
        return self.containers[container]

    def tell(self, action: str, container: str = ID, **attributes: str) -> None:
        """Send an event of a container to all who listen."""
        labels = self.containers[container]["Config"]["Labels"]
        actor = {"ID": container, "Attributes": {**labels, **attributes}}
        self.told += 1
        event = {"Type": "container", "Action": action, "Actor": actor, "time": 1, "timeNano": self.told}
        self.past.append(event)
        self.send(event)

    def exit(self, container: str, code: int = 0) -> None:
        """Have the program of a container end."""
        self.containers[container]["State"] |= {"Running": False, "ExitCode": code}
        self.tell("die", container, exitCode=str(code))

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
        app.router.add_get("/v1.41/containers/{id}/stats", self._stats)
        app.router.add_get("/v1.41/containers/{id}/logs", self._logs)
        app.router.add_post("/v1.41/containers/create", self._create)
        app.router.add_post("/v1.41/containers/{id}/start", self._start)
        app.router.add_post("/v1.41/containers/{id}/stop", self._stop)
        app.router.add_delete("/v1.41/containers/{id}", self._remove)
        app.router.add_post("/v1.41/images/create", self._pull)
        app.router.add_get("/v1.41/events", self._events)
        self._add_routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()

    def _add_routes(self, app: web.Application) -> None:
        """For engines that answer more."""

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
        return answer({"ApiVersion": "1.41", "Version": "20.10.24"})

    async def _info(self, _: web.Request) -> web.Response:
        return answer({"SystemTime": "2026-01-01T10:00:00.123456789Z"})

    async def _networks(self, _: web.Request) -> web.Response:
        return answer([{"Name": "bridge", "Driver": "bridge", "Id": "b", "Scope": "local"}])

    async def _list(self, _: web.Request) -> web.Response:
        running = [each for each in self.containers.values() if each["State"]["Running"]]
        return answer([{"Id": each["Id"], "Labels": each["Config"]["Labels"]} for each in running])

    async def _inspect(self, request: web.Request) -> web.Response:
        found = self.containers.get(request.match_info["id"])
        if found is None:
            return answer({"message": "No such container"}, status=404)
        return answer(found)

    async def _stats(self, request: web.Request) -> web.Response:
        memory = {"usage": 3000, "stats": {"inactive_file": 1000}}
        processor = {"cpu_usage": {"total_usage": 2_500_000_000}, "system_cpu_usage": 1}
        return answer({"cpu_stats": processor, "memory_stats": memory})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["Image"] not in self.images:
            return answer({"message": f"No such image: {asked['Image']}"}, status=404)
        self.made += 1
        name = f"{self.made:064x}"
        made = self.put(name, Running=False)
        made["Name"], made["Asked"] = request.query["name"], asked
        made["Config"] |= {"Labels": asked["Labels"], "Tty": False}
        made["NetworkSettings"] = {"Networks": {"bridge": {"IPAddress": f"172.17.0.{self.made + 1}"}}}
        return answer({"Id": name}, status=201)

    async def _start(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if "fails" in self.containers[name]["Asked"].get("Entrypoint", ()):
            return answer({"message": "it fails"}, status=400)
        self.containers[name]["State"] |= {"Running": True, "StartedAt": f"run {len(self.asked)}"}
        self.tell("start", name)
        return web.Response(status=204)

    async def _stop(self, request: web.Request) -> web.Response:
        if (name := self._find(request)) is None:
            return answer({"message": "No such container"}, status=404)
        if not self.containers[name]["State"]["Running"]:
            return web.Response(status=304)
        self.tell("kill", name, signal="15")
        self.stopped.append((name, request.query["t"]))
        self.exit(name)
        return web.Response(status=204)

    async def _remove(self, request: web.Request) -> web.Response:
        if (found := self._find(request)) is None:
            return answer({"message": "No such container"}, status=404)
        self.tell("destroy", found)
        del self.containers[found]
        return web.Response(status=204)

    async def _logs(self, _: web.Request) -> web.Response:
        line = self.written.encode()
        head = b"\x01\0\0\0" + len(line).to_bytes(4, "big")
        return web.Response(body=head + line, headers={"Content-Type": "application/vnd.docker.raw-stream"})

    def _find(self, request: web.Request) -> str | None:
        wanted = request.match_info["id"]
        return next((each["Id"] for each in self.containers.values() if wanted in (each["Id"], each["Name"])), None)

    async def _pull(self, request: web.Request) -> web.Response:
        return answer({"message": "denied"}, status=500)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        listener: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.listeners.append(listener)
        if not self.cut_events:
            for event in self.past[-256:]:
                listener.put_nowait(event)
        try:
            while not self.cut_events and (event := await listener.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self.listeners.remove(listener)
        return response


def answer(document: object, status: int = 200) -> web.Response:
    """As an engine does, which names no charset."""
    body = json.dumps(document).encode()
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json"})


Some = TypeVar("Some", bound=FakeEngine)


@asynccontextmanager
async def there(engine: Some) -> AsyncIterator[Some]:
    """The engine, which answers."""
    await engine.begin()
    try:
        yield engine
    finally:
        await engine.end()


def fake_engine(folder: Path) -> AbstractAsyncContextManager[FakeEngine]:
    return there(FakeEngine(folder))
