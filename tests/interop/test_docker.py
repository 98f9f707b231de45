"""A real Docker Engine, whose containers weft observes: found at once, and gone without a request being lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest

from sidecar.load.report import Report
from tests.conftest import SOAK
from tests.interop.engine import NEEDS_ENGINE, Engine
from tests.interop.hosts import written
from tests.scenarios.manifests import service
from tests.scenarios.weft import Network, Weft, ask, running, wait_for
from tests.scenarios.world import all_well, endpoints, load, ready

pytestmark = NEEDS_ENGINE

ENDS = {
    "kill": ("kill",),
    "stop": ("stop", "--time", "5"),
    "pause": ("pause",),
    "remove": ("rm", "--force"),
    "sicken": ("exec",),
}
FOUND_SECONDS = 1.0 if SOAK else 3.0
OTHERS = ("found", "reload", "networks", "restart")
CHECKED = ("--health-cmd", "test ! -e /tmp/sick", "--health-interval", "500ms", "--health-retries", "1")


@pytest.fixture(scope="module")
def observer(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """A weft in the engine's namespace, with a Service for each test."""
    network = Network.random()
    objects = [service(name, {"http": 8080}) for name in (*ENDS, *OTHERS)]
    folder = written(tmp_path_factory.mktemp("docker") / "manifests", engine, network, *objects, platforms=["docker"])
    with engine.inside(), running(folder, network) as weft:
        yield weft


@pytest.fixture
def weft(engine: Engine, observer: Weft) -> Iterator[Weft]:
    """The test is in the engine's namespace, and leaves no containers."""
    with engine.inside():
        yield observer
    engine.clear()


def behind(engine: Engine, name: str, *options: str) -> str:
    return engine.run("--label", f"weft.dev/service={name}", *options)


def start(engine: Engine, weft: Weft, name: str, count: int, *options: str) -> list[str]:
    """Containers that answer, behind the Service `name`."""
    made = [behind(engine, name, *options) for _ in range(count)]
    wait_for(lambda: len(ready(weft, name)) == count, weft.told)
    for address in ready(weft, name):
        wait_for(partial(answers, address))
    return made


def answers(address: str) -> bool:
    try:
        return ask(address).status == 200
    except OSError:
        return False


def test_a_container_is_found_within_a_second(engine: Engine, weft: Weft) -> None:
    container = behind(engine, "found")
    began = time.monotonic()
    wait_for(lambda: ready(weft, "found") == [f"{engine.address(container)}:8080"], weft.told)
    assert time.monotonic() - began < FOUND_SECONDS
    wait_for(lambda: answers(weft.address("found")), weft.told)


def test_a_hup_is_a_reload(engine: Engine, weft: Weft) -> None:
    shell = ("sh", "-c", "trap : HUP; while true; do sleep 0.1; done")
    healthy = ("--health-cmd", "true", "--health-interval", "500ms")  # it does not listen
    container = engine.run("--label", "weft.dev/service=reload", *healthy, command=shell)
    wait_for(lambda: ready(weft, "reload"), weft.told)
    engine.docker("kill", "--signal", "HUP", container)
    other = behind(engine, "found")
    wait_for(lambda: ready(weft, "found"), weft.told)
    engine.docker("kill", other)
    wait_for(lambda: not ready(weft, "found"), weft.told)  # so the HUP was heard of, too
    assert ready(weft, "reload")
    engine.docker("kill", "--signal", "QUIT", container)
    wait_for(lambda: not ready(weft, "reload"), weft.told)


async def test_networks_come_and_go(engine: Engine, weft: Weft) -> None:
    engine.docker("network", "create", "second")
    try:
        (container,) = start(engine, weft, "networks", 1, "--network", "second", "--label", "weft.dev/network=second")
        engine.docker("network", "disconnect", "second", container)
        wait_for(lambda: not endpoints(weft, "networks"), weft.told)
        engine.docker("network", "connect", "second", container)
        wait_for(lambda: ready(weft, "networks"), weft.told)
    finally:
        engine.clear()
        engine.docker("network", "rm", "second")


@pytest.mark.parametrize("end", ENDS)
async def test_no_get_is_lost_when_a_container_ends(
    engine: Engine, weft: Weft, end: str, size: Callable[[int, int], int]
) -> None:
    count = size(2, 3)
    containers = start(engine, weft, end, count, *(CHECKED if end == "sicken" else ()))
    words = [*ENDS[end], containers[0], *(("touch", "/tmp/sick") if end == "sicken" else ())]

    async def act() -> None:
        await asyncio.to_thread(engine.docker, *words)

    report = await under_load(weft, end, act, rate=size(50, 500), seconds=size(2, 10))
    assert all_well(report), (report.statuses, report.errors, weft.told())
    wait_for(lambda: len(ready(weft, end)) == count - 1, weft.told)


async def test_an_engine_that_restarts_changes_nothing(
    engine: Engine, weft: Weft, size: Callable[[int, int], int]
) -> None:
    count = size(2, 3)
    containers = start(engine, weft, "restart", count)

    async def act() -> None:
        await asyncio.to_thread(engine.kill)
        await asyncio.sleep(0.3)
        assert not standing(weft)["connected"]
        assert len(ready(weft, "restart")) == count
        await asyncio.to_thread(engine.start)
        await asyncio.to_thread(engine.docker, "kill", containers[0])

    report = await under_load(weft, "restart", act, rate=size(50, 500), seconds=size(4, 10))
    assert all_well(report), (report.statuses, report.errors, weft.told())
    wait_for(lambda: standing(weft)["connected"] and len(ready(weft, "restart")) == count - 1, weft.told)


def standing(weft: Weft) -> dict[str, object]:
    (found,) = weft.admin("/api/v1/platforms").json["platforms"]
    return dict(found)


async def under_load(
    weft: Weft, name: str, act: Callable[[], Awaitable[None]], *, rate: float, seconds: float
) -> Report:
    """What became of GET requests while `act` was done."""
    async with asyncio.TaskGroup() as group:
        loading = group.create_task(load(weft.address(name), rate=rate, seconds=seconds))
        await asyncio.sleep(0.5)
        await act()
    return loading.result()
