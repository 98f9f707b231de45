"""A real Docker Swarm: what its services publish by label is served by weft, and scaled by it."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.load.report import Report
from tests.interop.engine import IMAGE, NEEDS_ENGINE, Engine, running_engine
from tests.interop.hosts import FAR, NEAR, Nodes, cable, plug_in, written
from tests.policy.source import ROOT
from tests.scenarios.manifests import policy, service
from tests.scenarios.weft import Network, Weft, ask, run_weft, running, wait_for
from tests.scenarios.world import all_well, load, until

pytestmark = NEEDS_ENGINE

SECOND = "weft-test/second"
"""The same application in another image."""
OVERLAY = ("--network", "ov")
PATIENCE = 40.0
TARGET = 4
SLOW_MS = 400
HELD = 20
RATE = 40
"""So many requests a second, each for so long, are 16 in flight: 4 tasks."""
LANE = {
    "scaleTargetRef": {"kind": "SwarmService", "name": "quick"}, "target": TARGET, "utilizationPercent": 100,
    "window": "6s", "maxReplicas": 6,
}  # fmt: skip
"""Of a fast lane."""
INTRODUCED = {
    "targetRef": {"kind": "Service", "name": "shop", "sectionName": "8095"},
    "protocol": "tcp",
    "proxyProtocol": {"send": "v1"},
}
"""Of a policy: the tasks behind a published port are told their clients."""
CLIENT = "127.0.0.77"
"""Where a client of the tests comes from that is to be told from others."""


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Iterator[Engine]:
    """The engine as a manager, with one end of a cable."""
    with cable(engine), engine.as_swarm("init", "--advertise-addr", NEAR):
        engine.docker("network", "create", "--driver", "overlay", "--attachable", "ov")
        engine.docker("tag", IMAGE, SECOND)
        yield engine


@pytest.fixture(scope="module")
def manager(swarm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    """A weft in the manager's namespace."""
    network = Network.random()
    folder = written(
        tmp_path_factory.mktemp("manager") / "manifests", swarm, network, scaler("loop", 2, 5), scaler("zero", 0, 2),
        service("lane", {"http": 8080}), policy("lane", scaling=LANE), policy("shop", **INTRODUCED),
        autoscaler={"period": "1s"},
    )  # fmt: skip
    with swarm.inside(), running(folder, network) as weft:
        yield weft
    assert "Traceback" not in weft.told(), weft.told()[:10_000]


def scaler(name: str, least: int, window: int) -> dict[str, Any]:
    """An autoscaler of a Swarm service; `window` in seconds."""
    metric = {
        "metric": {"name": "weft_http_requests_in_flight"},
        "target": {"type": "AverageValue", "averageValue": str(TARGET)},
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "weft.dev/v1", "kind": "SwarmService", "name": name},
            "minReplicas": least,
            "maxReplicas": 6,
            "metrics": [{"type": "Pods", "pods": metric}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}},
        },
    }


@pytest.fixture
def weft(swarm: Engine, manager: Weft) -> Iterator[Weft]:
    """The test is in the engine's namespace, and leaves no services."""
    with swarm.inside():
        yield manager
    swarm.clear()


def create(engine: Engine, name: str, *options: str, replicas: int = 3) -> None:
    """A service whose tasks answer as soon as they run, and end soon when they are told to."""
    words = ["--replicas", str(replicas), "--stop-grace-period", "2s", *options]
    engine.docker("service", "create", "--detach", "--no-resolve-image", "--name", name, *words, IMAGE)


def publish(engine: Engine, name: str, ports: str, *options: str, replicas: int = 3) -> None:
    words = ("--endpoint-mode", "dnsrr", "--label", f"weft.dev/publish={ports}", *OVERLAY, *options)
    create(engine, name, *words, replicas=replicas)


def tasks(weft: Weft, name: str) -> list[tuple[str, bool]]:
    """The endpoints of a Service's first port: the replica, and whether it is ready."""
    listed = [each for each in weft.admin("/api/v1/endpoints").json["endpoints"] if each["service"] == name]
    return [(each["replica"], each["ready"]) for each in listed if each["servicePort"] == listed[0]["servicePort"]]


def settled(weft: Weft, name: str, count: int) -> bool:
    """Whether so many tasks stand behind a Service, all ready, and none twice."""
    there = tasks(weft, name)
    return len(there) == count == len({replica for replica, ready in there if ready})


def grown(weft: Weft, name: str, count: int) -> bool:
    """Whether at least so many tasks are ready: a machine that is slow has more requests in flight."""
    return sum(ready for _, ready in tasks(weft, name)) >= count


def answers(address: str) -> bool:
    try:
        return ask(address).status == 200
    except OSError:
        return False


def served(weft: Weft, name: str, port: int, count: int) -> str:
    """Where a published port is served, once so many tasks stand behind it."""
    address = f"{weft.network.node}:{port}"
    wait_for(lambda: settled(weft, name, count) and answers(address), weft.told, PATIENCE)
    return address


async def under_load(
    address: str, act: Callable[[], Awaitable[None]], *, path: str = "/", rate: float, seconds: float, connections: int
) -> list[Report]:
    """What became of GET requests that were sent, in stretches of so many seconds, until `act` was done."""
    done, reports = asyncio.Event(), []

    async def keep_on() -> None:
        while not done.is_set():
            reports.append(await load(address, path, rate=rate, seconds=seconds, connections=connections))

    async with asyncio.TaskGroup() as group:
        group.create_task(keep_on())
        await asyncio.sleep(0.3)
        await act()
        done.set()
    return reports


def status(weft: Weft) -> str:
    """What ``weft status`` prints."""
    return run_weft("status", "--admin", weft.network.admin, code=0).stdout


def echoed(host: str, port: int) -> tuple[str, int]:
    """What the echo of a task got for a hello from `CLIENT`, and from which of its ports."""
    with socket.create_connection((host, port), PATIENCE, source_address=(CLIENT, 0)) as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(partial(client.recv, 65_536), b"")).decode(), client.getsockname()[1]


async def test_a_service_is_scaled_and_updated_without_losing_a_request(
    engine: Engine, weft: Weft, size: Callable[[int, int], int]
) -> None:
    publish(engine, "shop", "8088:8080,8095:9090/tcp", "--update-order", "start-first")
    address = await asyncio.to_thread(served, weft, "shop", 8088, 3)
    before = {replica for replica, _ in tasks(weft, "shop")}
    assert "X-Forwarded-For: 127.0.0.1" in (await asyncio.to_thread(ask, address)).json["lines"], "the client's own"
    said, source = await asyncio.to_thread(echoed, weft.network.node, 8095)
    assert said == f"PROXY TCP4 {CLIENT} {weft.network.node} {source} 8095\r\nhello"

    async def act() -> None:
        await asyncio.to_thread(engine.docker, "service", "scale", "--detach", "shop=4")
        await until(lambda: settled(weft, "shop", 4), weft.told)
        await asyncio.to_thread(engine.docker, "service", "scale", "--detach", "shop=2")
        await until(lambda: settled(weft, "shop", 2), weft.told)
        words = ("service", "update", "--detach", "--no-resolve-image", "--image", SECOND, "shop")
        await asyncio.to_thread(engine.docker, *words)
        await until(
            lambda: settled(weft, "shop", 2) and not before & {replica for replica, _ in tasks(weft, "shop")}, weft.told
        )

    with ExitStack() as silent:
        host, _, number = address.partition(":")
        early = [silent.enter_context(socket.create_connection((host, int(number)), PATIENCE)) for _ in range(8)]
        for report in await under_load(address, act, rate=size(40, 500), seconds=size(3, 25), connections=16):
            assert all_well(report), (report.statuses, report.errors, weft.told())
        for client in early:  # as browsers have them
            client.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 "), weft.told()


def test_ports_that_are_not_wefts_are_told(engine: Engine, weft: Weft) -> None:
    words = [sys.executable, "-c", LISTEN, weft.network.node, "9999"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as taken:
        try:
            assert taken.stdout is not None
            assert taken.stdout.readline()
            create(engine, "docks", "--publish", "8090:8080", replicas=1)
            publish(engine, "web", "8090:8080,8091:8080,9999:8080", replicas=1)
            served(weft, "web", 8091, 1)
            text = wait_for(
                lambda: (said := status(weft)) and "is taken by another program" in said and said, weft.told
            )
        finally:
            taken.kill()
    assert "docks: port 8090/tcp is published by Docker itself" in text
    assert "web: not published: port 8090/tcp is Docker's, which publishes it for docks" in text


def test_the_stack_of_deploy_publishes_its_demo(swarm: Engine, weft: Weft, tmp_path: Path) -> None:
    page = yaml.safe_load((ROOT / "deploy" / "swarm.yaml").read_text())
    demo = page["services"]["demo"] | {"image": IMAGE}
    del demo["command"], page["volumes"], page["networks"]["host"]
    file = tmp_path / "stack.yaml"
    file.write_text(yaml.safe_dump({**page, "services": {"demo": demo}}))
    swarm.docker("stack", "deploy", "--resolve-image", "never", "--compose-file", str(file), "weft")
    try:
        served(weft, "demo", 8088, 3)
        services = weft.admin("/api/v1/services").json["services"]
        (found,) = (each for each in services if each["name"] == "demo")
        assert (found["namespace"], found["type"]) == ("weft", "LoadBalancer")
    finally:
        swarm.docker("stack", "rm", "weft")


LISTEN = """
import socket, sys, time
taken = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("there", flush=True)
time.sleep(600)
"""


async def test_the_loop_closes(engine: Engine, weft: Weft, size: Callable[[int, int], int]) -> None:
    publish(engine, "loop", "8092:8080/tcp", "--label", "weft.dev/protocol=http", replicas=2)
    address = await asyncio.to_thread(served, weft, "loop", 8092, 2)
    wanted = math.ceil(RATE * SLOW_MS / 1000 / TARGET)

    def reached(condition: Callable[[Weft, str, int], bool], count: int) -> Awaitable[Any]:
        return until(partial(condition, weft, "loop", count), lambda: f"{decided(weft)}\n{weft.told()}")

    grow = partial(reached, grown, wanted)
    path = f"/slow?ms={SLOW_MS}"
    for report in await under_load(address, grow, path=path, rate=RATE, seconds=size(3, 20), connections=64):
        assert all_well(report), (report.statuses, report.errors, weft.told())
    await reached(settled, 2)


@pytest.mark.soak
async def test_the_fast_lane_scales_a_service(engine: Engine, weft: Weft, size: Callable[[int, int], int]) -> None:
    create(engine, "quick", *OVERLAY, "--label", "weft.dev/service=lane", replicas=1)
    await until(partial(settled, weft, "lane", 1), weft.told)
    address = weft.address("lane")
    grow = partial(until, partial(grown, weft, "lane", math.ceil(RATE * SLOW_MS / 1000 / TARGET)), weft.told)
    path = f"/slow?ms={SLOW_MS}"
    for report in await under_load(address, grow, path=path, rate=RATE, seconds=size(3, 10), connections=64):
        assert all_well(report), (report.statuses, report.errors, weft.told())
    await until(partial(settled, weft, "lane", 1), weft.told)


def decided(weft: Weft) -> Any:
    return weft.admin("/api/v1/autoscalers").json["autoscalers"]


@pytest.mark.soak
def test_a_request_wakes_a_service_that_sleeps_at_zero(engine: Engine, weft: Weft) -> None:
    labels = ("--label", "weft.dev/publish=8094:8080", "--label", "weft.dev/service=shop/front")
    create(engine, "zero", "--endpoint-mode", "vip", *OVERLAY, *labels, replicas=0)
    address = f"{weft.network.node}:8094"
    wait_for(lambda: "scaled to zero; a request wakes it" in status(weft), weft.told, PATIENCE)
    for _ in range(2):
        began = time.monotonic()
        with ThreadPoolExecutor(HELD) as pool:
            asked = [pool.submit(ask, address, f"/{number}") for number in range(HELD)]
            assert [each.result().status for each in asked] == [200] * HELD, weft.told()
        print(f"from zero: {HELD} answers after {time.monotonic() - began:.3f} s")
        wait_for(lambda: not tasks(weft, "front"), weft.told, PATIENCE)


@pytest.fixture
def worker(swarm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A second engine in a namespace of its own, which has joined the swarm."""
    with running_engine(tmp_path_factory.mktemp("worker")) as worker:
        plug_in(swarm, worker)
        token = swarm.docker("swarm", "join-token", "--quiet", "worker")
        with worker.as_swarm("join", "--token", token, "--advertise-addr", FAR, f"{NEAR}:2377"):
            yield worker
            swarm.clear()


def replicas_at(address: str) -> set[str]:
    """Who answers some requests."""
    return {ask(address).json["replica"] for _ in range(6)}


@pytest.mark.soak
def test_tasks_of_another_node_are_reached_through_its_agent(swarm: Engine, worker: Engine, tmp_path: Path) -> None:
    with ExitStack() as processes:
        nodes = Nodes(tmp_path, swarm, worker, processes, scaler("dozing", 0, 60), platform="swarm")
        publish(swarm, "both", "8093:8080", "--label", "weft.dev/service=pair", replicas=2)
        replicas: set[str] = set()
        for engine, weft, address, other in (
            (swarm, nodes.wefts["near"], NEAR, "far"),
            (worker, nodes.wefts["far"], FAR, "near"),
        ):
            with engine.inside():
                wait_for(partial(settled, weft, "pair", 2), nodes.told, PATIENCE)
                wait_for(partial(answers, f"{address}:8093"), nodes.told)
                wait_for(lambda where=f"{address}:8093": len(replicas_at(where)) == 2, nodes.told)
                found = {each["node"]: each["address"] for each in weft.admin("/api/v1/endpoints").json["endpoints"]}
                replicas |= replicas_at(f"{address}:8093")
            assert found.pop(other) in {NEAR, FAR}
            assert all(own.startswith("172.18.") for own in found.values())
        assert len(replicas) == 2
        woken_from(swarm, worker, nodes)
        assert "Traceback" not in nodes.told(), nodes.told()[:10_000]


def woken_from(swarm: Engine, worker: Engine, nodes: Nodes) -> None:
    """A node that is no manager says what sleeps, and a request there wakes it."""
    labels = ("--label", "weft.dev/publish=8096:8080", "--label", "weft.dev/service=shop/nap")
    create(swarm, "dozing", "--endpoint-mode", "vip", *OVERLAY, *labels, replicas=0)
    with worker.inside():
        wait_for(lambda: "scaled to zero; a request wakes it" in status(nodes.wefts["far"]), nodes.told, PATIENCE)
        assert ask(f"{FAR}:8096").status == 200, nodes.told()
        assert "scaled to zero" not in status(nodes.wefts["far"])
