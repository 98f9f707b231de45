"""The loop closes: load rises, replicas come; load falls, they go, and nobody notices."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.editing import Folder, reads, serving_of, wait_reload
from tests.scenarios.manifests import deployment, policy, service
from tests.scenarios.weft import Weft, ask, run_weft, wait_for
from tests.scenarios.world import all_well, load, ready, until

IN_FLIGHT = "weft_http_requests_in_flight"
TARGET = 4
SLOW_MS = 500
RATE = 40
"""So many requests a second, each for so long, are 20 in flight: 5 replicas."""


def autoscaler(metric: dict[str, Any], least: int = 2, most: int = 8, **behavior: Any) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app"},
        "spec": {
            "scaleTargetRef": target, "minReplicas": least, "maxReplicas": most, "metrics": [metric],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}, **behavior},
        },
    }  # fmt: skip


def of_service(name: str, each: str) -> dict[str, Any]:
    described = {"apiVersion": "v1", "kind": "Service", "name": "app"}
    target = {"type": "AverageValue", "averageValue": each}
    return {"type": "Object", "object": {"describedObject": described, "metric": {"name": name}, "target": target}}


def of_pods(name: str, each: str) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": each}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": target}}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "manifests", autoscaler={"period": "1s"})


@pytest.fixture
def weft(folder: Folder, request: pytest.FixtureRequest) -> Iterator[Weft]:
    folder.put("app", deployment("app", 1), service("app", app="app"), autoscaler(*request.param))
    with serving_of(folder) as weft:
        yield weft


def told(weft: Weft) -> dict[str, Any]:
    """What the autoscaler decided last."""
    found = weft.admin("/api/v1/autoscalers").json["autoscalers"]
    if not found:
        return {}  # the manifest has not been read yet
    (found,) = found
    return dict(found)


def running(weft: Weft) -> int:
    """How many replicas there are to be."""
    return int(told(weft).get("desiredReplicas") or 0)


@pytest.mark.parametrize("weft", [(of_service(IN_FLIGHT, str(TARGET)),)], indirect=True)
async def test_replicas_follow_the_requests_in_flight_and_none_fails(weft: Weft) -> None:
    await until(lambda: running(weft) == 2, weft.told)
    loading = asyncio.create_task(
        load(weft.address("app"), f"/slow?ms={SLOW_MS}", rate=RATE, seconds=9, connections=64)
    )
    wanted = math.ceil(RATE * SLOW_MS / 1000 / TARGET)
    await until(lambda: running(weft) >= wanted, lambda: f"{told(weft)}\n{weft.told()}")
    assert running(weft) <= wanted + 2
    report = await loading
    assert all_well(report), report
    light = asyncio.create_task(load(weft.address("app"), f"/slow?ms={SLOW_MS}", rate=8, seconds=9, connections=64))
    held = await until(lambda: (found := told(weft))["word"] == "ScaleDownStabilized" and found)
    assert held["desiredReplicas"] >= wanted, "the window holds what recent load needed"
    await until(lambda: running(weft) == 2, lambda: f"{told(weft)}\n{weft.told()}")
    report = await light
    assert all_well(report), "who went was drained first"


@pytest.mark.parametrize("weft", [(of_pods("weft_http_requests_per_second", "10"),)], indirect=True)
async def test_requests_per_second_of_each_replica_and_what_is_told_of_it(weft: Weft) -> None:
    await until(lambda: running(weft) == 2, weft.told)
    loading = asyncio.create_task(load(weft.address("app"), rate=60, seconds=6, connections=64))
    await until(lambda: running(weft) >= 5, lambda: f"{told(weft)}\n{weft.told()}")
    page = weft.admin("/metrics").body.decode()
    assert 'weft_autoscaler_desired_replicas{kind="HorizontalPodAutoscaler",namespace="default",name="app"} ' in page
    assert 'metric="pods metric weft_http_requests_per_second",index="0"' in page
    shown = await asyncio.to_thread(weft_autoscale, weft, "explain", "app")
    assert "rounded up" in shown
    assert "conditions\n  AbleToScale: True" in shown
    assert all_well(await loading)


@pytest.mark.parametrize("weft", [(of_service(IN_FLIGHT, "1"), 3, 3)], indirect=True)
async def test_the_replica_that_is_at_work_stays(weft: Weft, folder: Folder) -> None:
    await until(lambda: len(ready(weft, "app")) == 3, weft.told)
    working = asyncio.create_task(asyncio.to_thread(ask, weft.address("app"), "/slow?ms=6000"))
    await until(lambda: at_work(weft), weft.told)
    lower = autoscaler(of_service(IN_FLIGHT, "1"), 1, 3, scaleDown={"stabilizationWindowSeconds": 0})
    folder.put("app", deployment("app", 1), service("app", app="app"), lower)
    await until(lambda: len(ready(weft, "app")) == 1, weft.told)
    assert not working.done(), "it was shed in vain: nothing was at work any more"
    answer = await working
    assert answer.status == 200
    assert (await asyncio.to_thread(ask, weft.address("app"))).json["replica"] == answer.json["replica"]


def at_work(weft: Weft) -> bool:
    page = weft.admin("/metrics").body.decode()
    return bool(re.search(r'weft_http_requests_in_flight\{.*service="app",.*\} 1\n', page))


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


@pytest.mark.parametrize("weft", [(CPU, 1, 3)], indirect=True)
def test_without_a_request_utilization_is_unknown_and_status_says_so(weft: Weft) -> None:
    found = wait_for(lambda: (found := told(weft)).get("word") == "FailedGetResourceMetric" and found)
    wait_for(lambda: "missing request for cpu in container main" in json.dumps(told(weft)), weft.told)
    assert found["desiredReplicas"] == 1
    objects = weft.admin("/api/v1/config").json["objects"]
    (scaler,) = (each for each in objects if each["kind"] == "HorizontalPodAutoscaler")
    assert scaler["status"]["state"] == "degraded"


@pytest.mark.parametrize("weft", [(of_service(IN_FLIGHT, "4"), 3)], indirect=True)
def test_a_reload_keeps_the_number_and_zero_switches_off(weft: Weft, folder: Folder) -> None:
    wait_for(lambda: running(weft) == 3, weft.told)
    hpa = autoscaler(of_service(IN_FLIGHT, "4"), 3)
    before = reads(weft)
    folder.put("app", deployment("app", 2), service("app", app="app"), hpa)
    wait_reload(weft, before)
    for _ in range(2):  # one decision may have begun before
        wait_next(weft)
    assert "from=2" not in weft.err.read_text(), "two replicas were never wanted, or they would have been too few"
    folder.put("app", deployment("app", 0), service("app", app="app"), hpa)
    wait_for(lambda: told(weft).get("word") == "ScalingDisabled", weft.told)
    assert running(weft) == 0


def wait_next(weft: Weft) -> None:
    """Until there is another decision."""
    last = told(weft)["at"]
    wait_for(lambda: told(weft)["at"] != last, weft.told)


def weft_autoscale(weft: Weft, *words: str) -> str:
    return run_weft("autoscale", *words, "--admin", weft.network.admin, code=0).stdout


async def test_the_fast_lane_answers_a_burst_within_seconds(folder: Folder) -> None:
    scaling = {"target": 5, "utilizationPercent": 80, "minReplicas": 1, "maxReplicas": 8, "window": "6s"}
    folder.put("app", deployment("app", 1), service("app", app="app"), policy("app", scaling=scaling))
    with serving_of(folder) as weft:
        await until(lambda: running(weft) == 1, weft.told)
        loading = asyncio.create_task(
            load(weft.address("app"), f"/slow?ms={SLOW_MS}", rate=RATE, seconds=8, connections=64)
        )
        await until(lambda: told(weft)["conditions"][0]["reason"] == "Panic", lambda: str(told(weft)))
        await until(lambda: 4 <= running(weft) <= 7, lambda: str(told(weft)))
        assert all_well(await loading)
        assert told(weft)["kind"] == "TrafficPolicy"
        await until(lambda: running(weft) == 1, lambda: str(told(weft)))
