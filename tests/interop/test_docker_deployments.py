"""Deployments as containers of a real Docker Engine: rolled out without a lost request, and found again."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.usage import read
from sidecar.load.generator import Generator
from sidecar.load.schedule import poisson
from sidecar.load.target import parse_target
from tests.interop.engine import IMAGE, NEEDS_ENGINE, Engine
from tests.scenarios.manifests import deployment, service
from tests.scenarios.weft import Network, Weft, ask, run_weft, running, wait_for
from tests.scenarios.world import all_well, endpoints, ready, until

pytestmark = NEEDS_ENGINE
GRACE_SECONDS = 5


@pytest.fixture
def inside(engine: Engine) -> Iterator[Engine]:
    """The test is in the engine's namespace, and leaves no containers."""
    with engine.inside():
        yield engine
    engine.clear()


class Site:
    """A folder with a Deployment of the application and its Service, for the engine."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder, self.network = folder, Network.random()
        folder.mkdir()
        node = self.network.node_config({}, platforms=["docker"], docker={"host": engine.host})
        (folder / "node.json").write_text(json.dumps(node))
        (folder / "service.json").write_text(json.dumps(service("web", {"http": 8080}, app="web")))

    def put(
        self,
        replicas: int = 3,
        *,
        spec: Mapping[str, Any] | None = None,
        annotations: Mapping[str, str] | None = None,
        image: str = IMAGE,
        grace: int = GRACE_SECONDS,
        **more: Any,
    ) -> None:
        """Write the Deployment anew; `spec` and `annotations`: of the Deployment, `more`: of its container."""
        made = deployment("web", replicas)
        made["metadata"]["annotations"] = annotations or {}
        template = made["spec"]["template"]["spec"]
        template["terminationGracePeriodSeconds"] = grace
        template["containers"][0].update({"image": image, **more})
        made["spec"].update(spec or {})
        (self.folder / "deployment.json").write_text(json.dumps(made))

    def running(self) -> Any:
        return running(self.folder, self.network)


@pytest.fixture
def site(inside: Engine, tmp_path: Path) -> Site:
    return Site(tmp_path / "manifests", inside)


def replicas(weft: Weft) -> set[str]:
    """Of those that are ready."""
    return {each["replica"] for each in endpoints(weft, "web") if each["ready"]}


async def posts_and_gets(weft: Weft, rate: float, seconds: float) -> Any:
    """What became of a load that is half POSTs, each with a body."""
    url = f"http://{weft.address('web')}/"
    targets = [parse_target(url), parse_target(url, "POST", body=b"x" * 2000)]
    runs = [
        Generator(each, poisson(rate / 2, random.Random(7)), 16, timeout=10.0).run(rate / 2, seconds)
        for each in targets
    ]
    return await asyncio.gather(*runs)


async def test_a_rolling_update_under_load_loses_nothing(site: Site, size: Callable[[int, int], int]) -> None:
    site.put()
    with site.running() as weft:
        before = replicas(weft)
        assert len(before) == 3
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(posts_and_gets(weft, size(50, 500), size(8, 20)))
            await asyncio.sleep(0.5)
            site.put(env=[{"name": "NEW", "value": "1"}])
        for report in loading.result():
            assert all_well(report), (report.statuses, report.errors, weft.told())
        wait_for(lambda: len(replicas(weft)) == 3 and not replicas(weft) & before, weft.told)


async def test_replicas_are_found_again_after_a_crash(site: Site, inside: Engine) -> None:
    site.put()
    with site.running() as weft:
        before, containers = replicas(weft), running_containers(inside)
        weft.process.send_signal(signal.SIGKILL)
        weft.process.wait()
    assert running_containers(inside) == containers
    with site.running() as weft:
        wait_for(lambda: replicas(weft) == before, weft.told)
        assert running_containers(inside) == containers
        assert weft.stop() == 0
    assert running_containers(inside) == containers
    site.put(1)
    with site.running() as weft:
        wait_for(lambda: len(inside.docker("ps", "--all", "--quiet").split()) == 1, weft.told)
        (site.folder / "deployment.json").unlink()
        wait_for(lambda: not inside.docker("ps", "--all", "--quiet"), weft.told)


def test_an_image_that_does_not_run_stops_the_rollout(site: Site, inside: Engine) -> None:
    site.put(2)
    with site.running() as weft:
        before = replicas(weft)
        site.put(2, command=["/nothing"])
        wait_for(lambda: "/nothing" in weft.told(), weft.told)
        assert replicas(weft) == before
        assert ask(weft.address("web")).status == 200
        site.put(2, image="127.0.0.1:1/absent")
        wait_for(lambda: "ErrImagePull: 127.0.0.1:1/absent" in weft.told(), weft.told)
        assert replicas(weft) == before


@pytest.mark.soak
@pytest.mark.parametrize("rolls_back", [False, True])
async def test_a_broken_image_under_load_loses_nothing(site: Site, rolls_back: bool) -> None:
    site.put()
    annotations = {"weft.dev/rollback-on-failure": "true"} if rolls_back else {}
    with site.running() as weft:
        before = replicas(weft)
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(posts_and_gets(weft, 500, 12))
            await asyncio.sleep(0.5)
            site.put(spec={"progressDeadlineSeconds": 4}, annotations=annotations, command=["/nothing"])
            await until(lambda: told(weft)["rolledBack" if rolls_back else "exceeded"], weft.told)
        for report in loading.result():
            assert all_well(report), (report.statuses, report.errors, weft.told())
        assert (bool(told(weft)["rolledBack"]), replicas(weft)) == (rolls_back, before)


def told(weft: Weft) -> dict[str, Any]:
    """What is said of the rollout, and whether it exceeded its deadline."""
    (found,) = weft.admin("/api/v1/rollouts").json["rollouts"]
    return {**found, "exceeded": "ProgressDeadlineExceeded" in {each["reason"] for each in found["conditions"]}}


def test_weft_rollout(site: Site, inside: Engine) -> None:
    site.put(2)
    with site.running() as weft:
        before = replicas(weft)
        assert rollout(weft, "restart") == "deployment.apps/web restarted"
        assert rollout(weft, "status").endswith("successfully rolled out")
        restarted = replicas(weft)
        assert len(restarted) == 2
        assert not restarted & before
        assert rollout(weft, "undo") == "deployment.apps/web rolled back"
        assert rollout(weft, "status").endswith("successfully rolled out")
        assert not replicas(weft) & restarted
        assert [line.split()[0] for line in rollout(weft, "history").splitlines()[2:]] == ["2", "3"]
        wait_for(lambda: len(running_containers(inside)) == 2, weft.told)


def rollout(weft: Weft, what: str) -> str:
    """What ``weft rollout`` prints, which ends well."""
    options = ("--state", str(weft.state), "--admin", weft.network.admin)
    done = run_weft("rollout", what, "web", *options)
    assert done.returncode == 0, (done.stdout, done.stderr, weft.told())
    return done.stdout.strip()


def test_who_ends_or_fails_its_probe_is_started_anew(site: Site, inside: Engine) -> None:
    probe = {"exec": {"command": ["sh", "-c", "test ! -e /tmp/sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    site.put(1, livenessProbe=probe, resources={"limits": {"cpu": "500m", "memory": "128Mi"}})
    with site.running() as weft:
        (first,) = running_containers(inside)
        assert inside.inspect(first)["HostConfig"]["Memory"] == 128 * 1024 * 1024
        inside.docker("exec", first, "touch", "/tmp/sick")
        wait_for(lambda: replicas(weft) and running_containers(inside) not in ({first}, set()), weft.told)
        (second,) = running_containers(inside)
        inside.docker("kill", second)
        wait_for(lambda: not ready(weft, "web"), weft.told)
        assert "liveness probe failed" in weft.told()


@pytest.mark.soak
def test_its_hooks_run_in_the_container(site: Site, inside: Engine) -> None:
    """Neither start nor end goes on before a hook has found the file that it waits for."""
    site.put(0)
    with site.running() as weft:
        site.put(1, grace=120, lifecycle={"postStart": waits_for("begin"), "preStop": waits_for("end")})
        (container,) = wait_for(lambda: running_containers(inside), weft.told)
        wait_for(lambda: waits(inside, container, "begin"), weft.told)
        assert "its postStart hook is not done" in weft.admin("/readyz").body.decode()
        assert not replicas(weft)
        inside.docker("exec", container, "touch", "/tmp/begin")
        wait_for(lambda: replicas(weft), weft.told)
        assert ask(weft.address("web")).status == 200
        site.put(0, grace=120, lifecycle={"postStart": waits_for("begin"), "preStop": waits_for("end")})
        wait_for(lambda: waits(inside, container, "end"), weft.told)
        assert running_containers(inside) == {container}
        inside.docker("exec", container, "touch", "/tmp/end")
        wait_for(lambda: not running_containers(inside), weft.told)

        site.put(1, lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "exit 4"]}}})
        wait_for(lambda: "PostStartHookError: exit code 4; next start in" in weft.told(), weft.told)
        assert not replicas(weft)
        site.put(1, lifecycle={"postStart": {"exec": {"command": ["true"]}}})
        wait_for(lambda: replicas(weft), weft.told)


def waits_for(name: str) -> dict[str, Any]:
    """A hook that says where it is, and is done when there is a file of that name."""
    return {"exec": {"command": ["sh", "-c", f"touch /tmp/{name}-hook; while ! test -e /tmp/{name}; do sleep 1; done"]}}


def waits(engine: Engine, container: str, name: str) -> bool:
    return f"{name}-hook" in engine.docker("exec", container, "ls", "/tmp").split()


async def test_what_a_container_uses_is_known(inside: Engine) -> None:
    container, commands = inside.run(), list[str]()
    connection = Connection(inside.host)
    try:
        seconds, memory = read(await connection.stats(container))
        assert seconds is not None
        assert memory is not None
        assert 0 < seconds < 60
        assert 1e6 < memory < 1e9
        assert await connection.execute(container, ["sh", "-c", "exit 3"], commands.append) == 3
        assert not await connection.executes(commands[0])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await connection.execute(container, ["sleep", "60"], commands.append)
        assert await connection.executes(commands[1])
    finally:
        await connection.close()


def running_containers(engine: Engine) -> set[str]:
    return set(engine.docker("ps", "--quiet", "--no-trunc").split())
