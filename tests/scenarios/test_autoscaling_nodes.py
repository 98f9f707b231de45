"""Many nodes, one autoscaler: what all of them see decides at the registry, and counts come down to who runs it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scenarios.manifests import deployment, service
from tests.scenarios.test_autoscaling import IN_FLIGHT, RATE, SLOW_MS, TARGET, autoscaler, of_service, running, told
from tests.scenarios.test_channel import mesh, serves
from tests.scenarios.weft import wait_for
from tests.scenarios.world import all_well, load, ready, until

APP = service("app", app="app")


async def test_load_at_one_node_scales_what_another_runs(
    tmp_path: Path, record_testsuite_property: Callable[[str, Any], None]
) -> None:
    with mesh(tmp_path, autoscaler={"period": "1s"}) as made:
        made.apply(APP, deployment("app", 2), autoscaler(of_service(IN_FLIGHT, str(TARGET))))
        runs = made.node("runs", "--run", "default/app")
        sends = made.node("sends")
        for each in (runs, sends):
            await asyncio.to_thread(serves, each, 2)
        await until(lambda: running(made.registry) == 2, made.registry.told)
        step = time.monotonic()
        loading = asyncio.create_task(
            load(sends.address("app"), f"/slow?ms={SLOW_MS}", rate=RATE, seconds=9, connections=64)
        )
        wanted = math.ceil(RATE * SLOW_MS / 1000 / TARGET)
        await until(lambda: running(made.registry) > 2, lambda: f"{told(made.registry)}\n{made.registry.told()}")
        record_testsuite_property("seconds from step to decision", time.monotonic() - step)
        await until(lambda: len(ready(sends, "app")) > 2, runs.told)
        record_testsuite_property("seconds from step to ready replica", time.monotonic() - step)
        await until(lambda: running(made.registry) >= wanted, lambda: str(told(made.registry)))
        assert running(made.registry) <= wanted + 2
        await until(lambda: len(ready(sends, "app")) == running(made.registry), runs.told)
        assert all_well(await loading)
        await until(lambda: running(made.registry) == 2, lambda: f"{told(made.registry)}\n{made.registry.told()}")
        await until(lambda: len(ready(sends, "app")) == 2, runs.told)
        assert told(made.registry)["standby"] == ""


def test_what_sleeps_at_a_node_has_its_manifests_number_once_nothing_scales_it(tmp_path: Path) -> None:
    with mesh(tmp_path, autoscaler={"period": "1s"}) as made:
        scaler = autoscaler(of_service(IN_FLIGHT, str(TARGET)), 0, 3, scaleDown={"stabilizationWindowSeconds": 1})
        made.apply(APP, deployment("app", 3), scaler)
        runs = made.node("runs", "--run", "default/app")
        for step in (3, 0):
            wait_for(lambda step=step: len(ready(runs, "app")) == step)  # type: ignore[misc]
        made.weft("delete", "hpa", "app")
        wait_for(lambda: len(ready(runs, "app")) == 3)
