"""A Service that sleeps at zero, whose Deployment is containers of a real Docker Engine: a request wakes it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.interop.engine import IMAGE, NEEDS_ENGINE, Engine
from tests.interop.hosts import written
from tests.scenarios.manifests import deployment, service
from tests.scenarios.test_autoscaling import IN_FLIGHT, autoscaler, of_service, told
from tests.scenarios.test_zero import NOISE, SLACK, answers
from tests.scenarios.weft import Network, Weft, ask, running, wait_for
from tests.scenarios.world import all_well, load, until

pytestmark = NEEDS_ENGINE
PORT = 8080
HELD = 20
EACH = 10
RATE = 50
SLOW_MS = 500


@pytest.fixture
def weft(engine: Engine, tmp_path: Path) -> Iterator[Weft]:
    """One in the engine's namespace; what it runs there are no containers yet."""
    network, app = Network.random(), deployment("app", 0)
    app["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 2
    app["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
    zero = autoscaler(of_service(IN_FLIGHT, str(EACH)), 0, 3, scaleDown={"stabilizationWindowSeconds": 2})
    objects = (app, service("app", {"http": PORT}, app="app"), zero)
    more = {"platforms": ["docker"], "autoscaler": {"period": "1s"}}
    folder = written(tmp_path / "manifests", engine, network, *objects, **more)
    with engine.inside():
        with running(folder, network) as weft:
            yield weft
        engine.clear()


def own_start(engine: Engine) -> float:
    """Seconds that a container by itself needs until it answers."""
    began = time.monotonic()
    address = f"{engine.address(engine.run())}:{PORT}"
    wait_for(lambda: answers(address))
    return time.monotonic() - began


def test_a_request_wakes_containers_and_they_go_to_sleep_again(engine: Engine, weft: Weft) -> None:
    wait_for(lambda: told(weft).get("word") == "ScaledToZero", weft.told)
    own = own_start(engine)
    engine.clear()
    address, began = weft.address("app"), time.monotonic()
    with ThreadPoolExecutor(HELD) as pool:
        asked = [pool.submit(ask, address, f"/{number}") for number in range(HELD)]
        assert [each.result().status for each in asked] == [200] * HELD, weft.told()
    took = time.monotonic() - began
    print(f"from zero: {HELD} answers after {took:.3f} s; a container by itself needs {own:.3f} s")
    assert took < own + SLACK + NOISE, weft.told()
    wait_for(lambda: not engine.docker("ps", "--all", "--quiet"), weft.told)
    assert ask(address).status == 200, "and again"


@pytest.mark.soak
async def test_containers_follow_the_load(engine: Engine, weft: Weft) -> None:
    wanted, steps = math.ceil(RATE * SLOW_MS / 1000 / EACH), list[int]()

    def runs(count: int) -> bool:
        steps.append(told(weft).get("currentReplicas", 0))
        return steps[-1] == count

    async with asyncio.TaskGroup() as group:
        path = f"/slow?ms={SLOW_MS}"
        loading = group.create_task(load(weft.address("app"), path, rate=RATE, seconds=15, connections=64))
        await until(lambda: runs(wanted), lambda: f"{told(weft)}\n{weft.told()}")
        await until(lambda: len(engine.docker("ps", "--quiet").split()) == wanted, weft.told)
    assert all_well(loading.result()), weft.told()
    assert max(steps) == wanted
    await until(lambda: runs(0), weft.told)
    await until(lambda: not engine.docker("ps", "--all", "--quiet"), weft.told)
