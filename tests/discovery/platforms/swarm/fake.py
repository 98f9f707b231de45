"""A small manager of a swarm on a unix socket of the test's own loop: it says what the test has it say."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import FakeEngine, answer, there
from tests.discovery.platforms.swarm import facts


class FakeSwarm(FakeEngine):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.manages = True
        self.joined = True
        self.services: dict[str, dict[str, Any]] = {}
        """By id."""
        self.tasks: dict[str, dict[str, Any]] = {}
        self.gateways: dict[str, str] | None = {}
        """Addresses by container; None: there is no such bridge."""
        self.others = 0
        """So many updates come too late, as somebody else was faster."""

    def put_service(self, *words: Any, **more: Any) -> dict[str, Any]:
        made = facts.service(*words, **more)
        self.services[made["ID"]] = made
        return made

    def put_task(self, name: str = facts.TASK, container: str = ID, **more: Any) -> None:
        """Have a task of the service `web` and its container."""
        self.tasks[name] = facts.task(name, **more)
        made = self.put(container, Running=True, StartedAt="now")
        made["Config"]["Labels"] = facts.container_labels(task=name)
        made["NetworkSettings"] = {"Networks": {"ov": {"IPAddress": "10.0.1.3"}}}
        if self.gateways is not None:
            self.gateways[container] = f"172.18.0.{len(self.gateways) + 3}"

    def tell_of_services(self) -> None:
        """Send the event of an update to all who listen."""
        self.send(
            {"Type": "service", "Action": "update", "Actor": {"ID": "x", "Attributes": {}}, "time": 1, "timeNano": 1}
        )

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1.41/services", self._services)
        app.router.add_get("/v1.41/services/{id}", self._service)
        app.router.add_post("/v1.41/services/{id}/update", self._update)
        app.router.add_get("/v1.41/tasks", self._tasks)
        app.router.add_get("/v1.41/networks/docker_gwbridge", self._gateway)

    async def _info(self, _: web.Request) -> web.Response:
        state = "active" if self.joined else "inactive"
        swarm = {"LocalNodeState": state, "ControlAvailable": self.manages}
        return answer({"SystemTime": "2026-01-01T10:00:00.123456789Z", "Swarm": swarm})

    async def _networks(self, _: web.Request) -> web.Response:
        drivers = {"bridge": "bridge", "docker_gwbridge": "bridge", "ov": "overlay"}
        return answer([{"Name": name, "Driver": driver, "Id": name, "Scope": ""} for name, driver in drivers.items()])

    async def _gateway(self, _: web.Request) -> web.Response:
        if self.gateways is None:
            return answer({"message": "network docker_gwbridge not found"}, status=404)
        there = {name: {"IPv4Address": f"{address}/16"} for name, address in self.gateways.items()}
        return answer({"Name": "docker_gwbridge", "Id": "docker_gwbridge", "Containers": there})

    async def _services(self, _: web.Request) -> web.Response:
        return answer(list(self.services.values()))

    async def _service(self, request: web.Request) -> web.Response:
        found = self.services.get(request.match_info["id"])
        return answer({"message": "no such service"}, status=404) if found is None else answer(found)

    async def _update(self, request: web.Request) -> web.Response:
        found = self.services[request.match_info["id"]]
        if self.others:
            self.others -= 1
            found["Version"]["Index"] += 1
        if request.query["version"] != str(found["Version"]["Index"]):
            return answer({"message": "rpc error: code = Unknown desc = update out of sequence"}, status=500)
        found["Spec"] = await request.json()
        found["Version"]["Index"] += 1
        return answer({"Warnings": None})

    async def _tasks(self, request: web.Request) -> web.Response:
        wanted = json.loads(request.query["filters"])["desired-state"]
        return answer([each for each in self.tasks.values() if each["DesiredState"] in wanted])


def fake_swarm(folder: Path) -> AbstractAsyncContextManager[FakeSwarm]:
    return there(FakeSwarm(folder))
