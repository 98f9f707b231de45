"""A real Docker Swarm: what its services publish by label is served by weft, and scaled by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sidecar.load.report import Report
from tests.interop.engine import IMAGE, NEEDS_ENGINE, Engine, running_engine
from tests.scenarios.weft import Network, Weft, ask, running, wait_for
from tests.scenarios.world import all_well, endpoints, load, ready

pytestmark = NEEDS_ENGINE

SECOND = "weft-test/second"
"""The same application in another image."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("swarm"), swarm=True) as engine:
        engine.docker("network", "create", "--driver", "overlay", "--attachable", "ov")
        engine.docker("tag", IMAGE, SECOND)
        yield engine


@pytest.fixture(scope="module")
def manager(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """A weft in the manager's namespace."""
    network = Network.random()
    folder = written(tmp_path_factory.mktemp("swarm") / "manifests", engine, network)
    with engine.inside(), running(folder, network) as weft:
        yield weft


def written(folder: Path, engine: Engine, network: Network, *objects: Mapping[str, Any], **more: object) -> Path:
    """These manifests, and a NodeConfig with the swarm's platform only."""
    folder.mkdir()
    node = network.node_config({}, platforms=["swarm"], docker={"host": engine.host}, **more)
    items = {"apiVersion": "v1", "kind": "List", "items": [node, *objects]}
    (folder / "manifests.json").write_text(json.dumps(items))
    return folder


@pytest.fixture
def weft(engine: Engine, manager: Weft) -> Iterator[Weft]:
    """The test is in the engine's namespace, and leaves no services."""
    with engine.inside():
        yield manager
    engine.clear()


def create(engine: Engine, name: str, *options: str, replicas: int = 3, image: str = IMAGE) -> None:
    words = ("--endpoint-mode", "dnsrr", "--network", "ov", "--replicas", str(replicas))
    engine.docker("service", "create", "--detach", "--no-resolve-image", "--name", name, *words, *options, image)


def answers(address: str) -> bool:
    try:
        return ask(address).status == 200
    except OSError:
        return False


def published(weft: Weft, name: str, port: int, count: int) -> str:
    """Where a published port is served, once so many tasks stand behind it."""
    address = f"{weft.network.node}:{port}"
    wait_for(lambda: len(ready(weft, name, str(port))) == count, weft.told, 20)
    wait_for(lambda: answers(address), weft.told)
    return address


async def under_load(address: str, act: Callable[[], Awaitable[None]], *, rate: float, seconds: float) -> Report:
    """What became of GET requests while `act` was done."""
    async with asyncio.TaskGroup() as group:
        loading = group.create_task(load(address, rate=rate, seconds=seconds))
        await asyncio.sleep(0.3)
        await act()
    return loading.result()


async def test_a_published_service_is_scaled_and_updated_without_losing_a_request(
    engine: Engine, weft: Weft, size: Callable[[int, int], int]
) -> None:
    create(engine, "web", "--label", "weft.dev/publish=8088:8080/tcp", "--stop-grace-period", "2s")
    address = published(weft, "web", 8088, 3)

    async def act() -> None:
        await asyncio.to_thread(engine.docker, "service", "scale", "--detach", "web=4")
        await asyncio.to_thread(wait_for, lambda: len(ready(weft, "web", "8088")) == 4, weft.told, 20)
        await asyncio.to_thread(engine.docker, "service", "scale", "--detach", "web=2")
        await asyncio.to_thread(wait_for, lambda: len(endpoints(weft, "web", "8088")) == 2, weft.told, 20)

    report = await under_load(address, act, rate=size(100, 500), seconds=size(6, 20))
    assert all_well(report), (report.statuses, report.errors, weft.told())
