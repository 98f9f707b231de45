"""How a start is told: what is new when it is, what is missing when it takes long."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from typing import Any

import pytest

from sidecar import progress as module
from sidecar.announcer import Announcer
from sidecar.progress import Progress
from sidecar.readiness import Missing
from tests.sidecar.making import WEB_DOOR, workload


class Running:
    """A start that the test plays."""

    def __init__(self) -> None:
        self.subscribed: list[Callable[[], None]] = []
        self.ready = 0

    def subscribe(self, callback: Callable[[], None]) -> None:
        self.subscribed.append(callback)

    def doors(self) -> list[Any]:
        return [WEB_DOOR._replace(ready=self.ready > 0)]

    def workloads(self) -> list[Any]:
        return [workload(self.ready, 2)]

    def missing(self) -> Any:
        return [] if self.ready == 2 else [Missing("Deployment default/web", "not ready")]

    def not_in_force(self) -> Any:
        return iter(())

    def become(self, ready: int) -> None:
        self.ready = ready
        for tell in self.subscribed:
            tell()


def telling(running: Running, out: io.StringIO) -> Progress:
    return Progress(running, Announcer(out), lambda _doors: ["curl it"], time.monotonic())  # type: ignore[arg-type]


async def until(out: io.StringIO, text: str) -> None:
    async with asyncio.timeout(5):
        while text not in out.getvalue():
            await asyncio.sleep(0.005)


async def test_what_is_new_is_told_until_all_is_there() -> None:
    out, running = io.StringIO(), Running()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(telling(running, out).tell())
        await asyncio.sleep(0)
        assert out.getvalue() == ""
        running.become(1)
        await until(out, "web  1/2 replicas ready\nweb:http  http://127.96.0.9:80/\n")
        running.become(2)
    assert "ready in 0." in out.getvalue()
    assert out.getvalue().endswith("try:\n  curl it\n\n")


async def test_what_is_missing_is_told_once_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    out, running = io.StringIO(), Running()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(telling(running, out).tell())
        await until(out, "still waiting for:\n  Deployment default/web: not ready\n")
        running.become(1)
        await until(out, "1/2")
        running.become(2)
    assert out.getvalue().count("still waiting") == 1


async def test_what_else_listens_is_told_before_it_is_ready() -> None:
    out, running = io.StringIO(), Running()
    running.ready = 2
    places = [("DNS", "127.0.0.1:53")]
    await Progress(running, Announcer(out), lambda _: [], time.monotonic(), lambda: places).tell()  # type: ignore[arg-type]
    assert "\nDNS  127.0.0.1:53\nready in" in out.getvalue()


def test_the_end_is_told() -> None:
    out = io.StringIO()
    telling(Running(), out).stopped()
    assert out.getvalue() == "stopped\n"
