from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
)
from config.resources.core import ServicePort
from config.resources.workloads import HTTPGetAction, Probe, ResourceRequirements
from config.settings import NodeConfigSpec
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.process import ProcessPlatform
from discovery.prober import Prober
from tests.discovery.platforms.local import (
    PORT,
    SERVER,
    SHOP,
    SLEEPER,
    STUBBORN,
    Drains,
    Program,
    alive,
    config,
    eventually,
    platform_in,
    service,
)

pytestmark = pytest.mark.both_loops


def ready(platform: ProcessPlatform) -> list[Replica]:
    return [replica for replica in platform.replicas() if replica.ready]


def pids(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def noting(script: str) -> str:
    """The script, leaving the number of its process in its folder when it comes to sleep."""
    return script.replace("time.sleep", "import os; open(str(os.getpid()), 'w').close()\ntime.sleep")


async def test_manifests_to_ready_replicas(tmp_path: Path) -> None:
    program = Program(tmp_path, SERVER)
    wanted = config(program.deployment(3, ports=(PORT,)), service(ServicePort(port=80, target_port="http")))
    prober = Prober(random.Random(1), time.monotonic)
    async with platform_in(tmp_path, prober) as platform:
        seen: list[tuple[Replica, ...]] = []
        platform.subscribe(seen.append)
        await platform.apply(wanted)
        assert [len(replicas) for replicas in seen] == [3], "published at once, before they are ready"
        await eventually(lambda: len(ready(platform)) == 3)
        assert seen[-1] == platform.replicas()
        assert [replica.address for replica in platform.replicas()] == ["127.97.0.1", "127.97.0.2", "127.97.0.3"]
        for replica in platform.replicas():
            with socket.create_connection((replica.address, replica.ports[0].port), timeout=5) as client:
                assert client.recv(1) == b""
        (status,) = platform.statuses()
        assert (status.desired, status.running, status.ready, status.complete) == (3, 3, 3, True)
        assert await platform.read(SHOP) == status
    assert platform.replicas() == ()
    assert seen[-1] == ()
    await prober.close()


async def test_a_readiness_probe_decides(tmp_path: Path) -> None:
    script = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.path.exists("good") else 503)
        self.end_headers()
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT_HTTP"])), Handler).serve_forever()
"""
    program = Program(tmp_path, script)
    probe = Probe(http_get=HTTPGetAction(port="http"), period_seconds=1, failure_threshold=1)
    prober = Prober(random.Random(1), time.monotonic)
    async with platform_in(tmp_path, prober) as platform:
        wanted = program.deployment(1, ports=(PORT,), readiness_probe=probe)
        await platform.apply(config(wanted, folder=tmp_path))
        await eventually(lambda: "503" in platform.statuses()[0].message)
        (tmp_path / "good").touch()
        await eventually(lambda: ready(platform))
        (tmp_path / "good").unlink()
        await eventually(lambda: not ready(platform))
    await prober.close()


async def test_scaling_up_and_down(tmp_path: Path) -> None:
    drains = Drains()
    program = Program(tmp_path)
    async with platform_in(tmp_path, drained=drains) as platform:
        await platform.apply(config(program.deployment(1)))
        await eventually(lambda: len(ready(platform)) == 1)
        await platform.set(SHOP, 3)
        await eventually(lambda: len(ready(platform)) == 3)
        victim = platform.replicas()[0].id
        drains.gate.clear()
        await platform.set(SHOP, 2, (victim,))
        assert [replica.id for replica in platform.replicas() if replica.terminating] == [victim]
        assert (await platform.read(SHOP)).desired == 2
        await eventually(lambda: drains.asked == [victim])
        drains.gate.set()
        await eventually(lambda: len(platform.replicas()) == 2)


async def test_usage_and_age(tmp_path: Path) -> None:
    program = Program(tmp_path)
    resources = ResourceRequirements(requests={"cpu": "50m"}, limits={"cpu": "1", "memory": "1Gi"})
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(1, resources=resources)))
        await eventually(lambda: len(ready(platform)) == 1)
        (status,) = (await platform.read(SHOP)).replicas
        assert not status.pending
        assert 0 < status.started <= status.since
        linux = Path("/proc/self/stat").exists()
        await eventually(lambda: (platform.usage(SHOP)[status.id][0].memory or 0) > 100_000 or not linux)
        ((replica, (used,)),) = platform.usage(SHOP).items()
        assert (replica, used.container) == (status.id, "main")
        assert used.requests == {"cpu": "50m", "memory": "1Gi"}, "a limit stands for a request"
        assert (used.cpu_seconds is not None) == linux
        assert platform.usage(WorkloadRef("Deployment", "default", "other")) == {}
        assert platform.usage(WorkloadRef("Job", "default", "shop")) == {}


async def test_the_number_of_an_autoscaled_one_is_not_the_manifests(tmp_path: Path) -> None:
    program = Program(tmp_path)
    target = CrossVersionObjectReference(kind="Deployment", name="shop")
    spec = HorizontalPodAutoscalerSpec(scale_target_ref=target, max_replicas=9)
    hpa = HorizontalPodAutoscaler(metadata=ObjectMeta(name="hpa", namespace="default"), spec=spec)

    def scaled(replicas: int) -> ConfigSet:
        made = config(program.deployment(replicas))
        return msgspec.structs.replace(made, autoscalers={Named("default", "hpa"): hpa})

    async with platform_in(tmp_path) as platform:
        await platform.apply(scaled(1))
        await platform.set(SHOP, 3)
        seen = []
        for replicas in (2, 0, 2):
            await platform.apply(scaled(replicas))
            seen.append(platform.desired(Named("default", "shop")))
        assert seen == [3, 0, 2], "only 0 is heard, which switches it off, and what switches it on"


async def test_a_deployment_that_goes_is_not_scaled(tmp_path: Path) -> None:
    program, drains = Program(tmp_path), Drains()
    async with platform_in(tmp_path, drained=drains) as platform:
        await platform.apply(config(program.deployment(1)))
        await eventually(lambda: len(ready(platform)) == 1)
        drains.gate.clear()
        await platform.apply(config())
        with pytest.raises(KeyError):
            await platform.set(SHOP, 3)
        drains.gate.set()


async def test_a_changed_template_replaces_replicas_without_a_gap(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(2)))
        await eventually(lambda: len(ready(platform)) == 2)
        before = {replica.id for replica in platform.replicas()}
        fewest: list[int] = []
        platform.subscribe(lambda replicas: fewest.append(sum(replica.ready for replica in replicas)))
        await platform.apply(config(program.deployment(2, args=("new",))))
        await eventually(lambda: platform.statuses()[0].complete and len(platform.replicas()) == 2)
        assert not before & {replica.id for replica in platform.replicas()}
        assert min(fewest) >= 2


async def test_a_deployment_that_is_gone(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(2)))
        await eventually(lambda: len(ready(platform)) == 2)
        await platform.apply(ConfigSet())
        await eventually(lambda: platform.statuses() == ())
        assert platform.replicas() == ()
        for call in (platform.read(SHOP), platform.set(SHOP, 1), platform.read(WorkloadRef("Job", "default", "shop"))):
            with pytest.raises(KeyError):
                await call


async def test_an_image_without_a_command_names_the_line_to_add(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(2, command=(), image="my-app:v1"), folder=tmp_path))
        (status,) = platform.statuses()
        assert status.message.startswith(f"{tmp_path}/shop.yaml:3:1: Deployment/default/shop: spec.template.spec.")
        assert "add to the NodeConfig `spec.images: {my-app:v1: [python3, -m, my.app]}`" in status.message
        images = NodeConfigSpec(images={"my-app:*": program.command})
        await platform.apply(config(program.deployment(2, command=(), image="my-app:v1"), node=images))
        await eventually(lambda: len(ready(platform)) == 2)


async def test_kill_9_of_a_replica(tmp_path: Path) -> None:
    program = Program(tmp_path, noting(SLEEPER))
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(1), folder=tmp_path))
        await eventually(lambda: pids(tmp_path) and ready(platform))
        (first,) = pids(tmp_path)
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: len(pids(tmp_path)) == 2 and ready(platform))
        (status,) = platform.statuses()
        assert status.restarts == 1
        assert status.replicas[0].last_end == "main: ended by SIGKILL"


async def test_closing_drains_then_stops_everything(tmp_path: Path) -> None:
    drains = Drains()
    program = Program(tmp_path, noting(SLEEPER))
    async with platform_in(tmp_path, drained=drains) as platform:
        await platform.apply(config(program.deployment(3), folder=tmp_path))
        await eventually(lambda: len(pids(tmp_path)) == 3)
    assert len(drains.asked) == 3
    assert not [pid for pid in pids(tmp_path) if alive(pid)]


async def test_closing_in_a_hurry_kills(tmp_path: Path) -> None:
    program = Program(tmp_path, noting(STUBBORN))
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(2, grace=600), folder=tmp_path))
        await eventually(lambda: len(pids(tmp_path)) == 2)
        closing = asyncio.ensure_future(platform.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not [pid for pid in pids(tmp_path) if alive(pid)]


PARENT = """
import asyncio, sys
from pathlib import Path
from tests.discovery.platforms.local import Program, config, platform_in

async def main(folder):
    async with platform_in(folder) as platform:
        program = Program(folder, (folder / "text").read_text())
        await platform.apply(config(program.deployment(3, grace=600), folder=folder))
        await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


ORPHANS = {
    "that end when asked": (3, SLEEPER),
    "that must be killed": (3, STUBBORN),
    "that moved to sessions of their own": (6, "import os\nif not os.fork(): os.setsid()\n" + SLEEPER),
}


@pytest.mark.parametrize("name", ORPHANS)
def test_no_orphans_when_weft_is_killed(tmp_path: Path, name: str) -> None:
    expected, script = ORPHANS[name]
    (tmp_path / "text").write_text(noting(script))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], start_new_session=True)
    try:
        until(lambda: len(pids(tmp_path)) == expected)
        assert all(alive(pid) for pid in pids(tmp_path))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(alive(pid) for pid in pids(tmp_path)))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_logs_of_all_replicas(tmp_path: Path) -> None:
    program = Program(tmp_path, "import os; print('hello from', os.environ['HOSTNAME'], flush=True)\n" + SLEEPER)
    async with platform_in(tmp_path) as platform:
        await platform.apply(config(program.deployment(2)))
        for replica in platform.statuses()[0].replicas:
            path = Path(replica.logs[0])
            assert path.parent == tmp_path / "state" / "logs"
            await eventually(lambda path=path: path.exists() and path.read_text())
            assert path.read_text() == f"hello from {replica.id}\n"


async def test_starting_is_parallel(tmp_path: Path) -> None:
    program = Program(tmp_path, "import time; time.sleep(1)\n" + SERVER)
    prober = Prober(random.Random(1), time.monotonic)
    async with platform_in(tmp_path, prober) as platform:
        began = time.monotonic()
        await platform.apply(
            config(program.deployment(5, ports=(PORT,)), service(ServicePort(port=80, target_port=8080)))
        )
        await eventually(lambda: len(ready(platform)) == 5)
        assert time.monotonic() - began < 4.5, "one after the other they take 5 s"
    await prober.close()
