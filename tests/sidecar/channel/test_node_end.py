"""The channel in a node: a drain waits for the others, and not for ever."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from discovery.endpoint import WorkloadRef
from mesh.live import Live
from mesh.stats import StatsFrame
from sidecar.channel import node_end as module
from sidecar.channel.guard import Runs
from sidecar.channel.messages import Autoscaled, Wanted
from sidecar.channel.node_end import NodeEnd
from sidecar.channel.received import Received
from sidecar.channel.scaling import ref_of
from tests.sidecar.channel.channels import Node, Registry, connected, manifest, registry, until


def _steps() -> Any:
    yield
    return StatsFrame()


@asynccontextmanager
async def ending(there: Registry, state: Path) -> AsyncIterator[NodeEnd]:
    received = Received(state, lambda: None, Runs())
    received.prepare()
    proxy: Any = SimpleNamespace(frames=SimpleNamespace(steps=_steps), in_flight=lambda _: 0, live=Live(time.monotonic))
    end = NodeEnd([there.address], there.token("ends"), received, proxy, role="node")
    async with asyncio.TaskGroup() as beside:
        running = beside.create_task(end.run())
        yield end
        running.cancel()


async def test_a_drain_ends_when_all_have_confirmed_and_nothing_is_in_flight(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as there:
        other = Node(there, there.token("other"))
        async with ending(there, tmp_path) as end, connected(other):
            other.channel.in_force(serial=6)
            await until(lambda: (node := there.nodes.get("other")) and node.serial == 6)
            draining = asyncio.create_task(end.drained("web-1", asyncio.get_running_loop().time() + 60))
            await asyncio.sleep(0.1)
            assert not draining.done()
            other.channel.in_force(serial=7, busy=["web-1"])
            await asyncio.sleep(0.1)
            assert not draining.done()
            other.channel.in_force(busy=())
            async with asyncio.timeout(10):
                await draining


async def test_who_does_not_confirm_is_named_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.4)
    async with registry(tmp_path / "registry") as there:
        there.token("absent")
        there.leases = {"absent"}
        async with ending(there, tmp_path) as end:
            with caplog.at_level(logging.WARNING):
                await end.drained("web-1", asyncio.get_running_loop().time() + 60)
    assert "not confirmed in time by absent" in caplog.text


async def test_what_it_was_sent_is_said_to_be_in_force_once_it_was_read(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as there, ending(there, tmp_path) as end:
        there.shelf.change([manifest("Service", "web")])
        await until(lambda: end._received.written == there.shelf.generation)
        assert end.answers()["/api/v1/channel"]()[1]["manifests"] == 0
        end._received.reading()
        end.in_force()
        await until(lambda: (node := there.nodes.get("ends")) and node.manifests == there.shelf.generation)


async def test_a_service_of_a_swarm_that_somebody_waits_for_is_woken(tmp_path: Path) -> None:
    web, name = WorkloadRef("SwarmService", "default", "web"), "SwarmService:default/web"
    async with registry(tmp_path / "registry") as there, ending(there, tmp_path) as end:
        woken: list[str] = []
        there.nodes.wake = woken.append
        there.nodes.define(Autoscaled((Wanted(name, sleeps=True),)))
        await until(lambda: end.wakes(web) and not end.held(web))
        assert await end.wake(web)
        await until(lambda: woken == [name])
    assert ref_of(name) == web
