"""A new template: rolled out, stopped, rolled back, undone, restarted; and no request is lost, be it a POST."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar.load.generator import Generator
from sidecar.load.report import Report
from sidecar.load.schedule import poisson
from sidecar.load.target import Target, parse_target
from tests.scenarios.editing import Folder, serving_of
from tests.scenarios.manifests import deployment, service
from tests.scenarios.weft import Weft, run_weft, wait_for
from tests.scenarios.world import all_well, ready, until

RATE = 100.0
BODY = b"x" * 2000
AT_ONCE = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
ROLLBACK = {"weft.dev/rollback-on-failure": "true"}


def app(word: str, annotations: dict[str, str] | None = None, gate: str = "", **spec: Any) -> dict[str, Any]:
    made = deployment("app", 3, WORD=word, GATE=gate)
    made["metadata"]["annotations"] = {"kubernetes.io/change-cause": f"made {word}", **(annotations or {})}
    made["spec"] |= spec
    return made


def broken(**changes: Any) -> dict[str, Any]:
    made = app("broken", progressDeadlineSeconds=3, **changes)
    made["spec"]["template"]["spec"]["containers"][0]["command"] = [sys.executable, "-c", "raise SystemExit(3)"]
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "manifests")
    made.put("app", app("one"), service("app", app="app"))
    return made


@pytest.fixture
def weft(folder: Folder) -> Iterator[Weft]:
    with serving_of(folder) as weft:
        yield weft


def told(weft: Weft) -> dict[str, Any]:
    (found,) = weft.admin("/api/v1/rollouts").json["rollouts"]
    return dict(found)


def revision(weft: Weft) -> int:
    return int(told(weft)["revision"])


def rollout(weft: Weft, *words: str, expected: int = 0, meanwhile: Callable[[Path], None] | None = None) -> str:
    """What ``weft rollout`` says."""
    options = ("--state", str(weft.state), "--admin", weft.network.admin)
    done = run_weft("rollout", *words, *options, meanwhile=meanwhile)
    assert done.returncode == expected, (done.stdout, done.stderr, weft.told())
    return done.stdout + done.stderr


async def follow(weft: Weft, at: int, **more: Any) -> str:
    """Follow the rollout of revision `at`, which was asked for just now, with ``weft rollout status``."""
    return await asyncio.to_thread(rollout, weft, "status", "app", "--revision", str(at), **more)


@asynccontextmanager
async def under_load(weft: Weft) -> AsyncIterator[None]:
    """GETs and POSTs all the while, of which none may fail."""
    url, over = f"http://{weft.address('app')}/", asyncio.Event()

    async def load(target: Target) -> list[Report]:
        reports = []
        while not over.is_set():
            reports.append(await Generator(target, poisson(RATE, random.Random(7)), 16, timeout=10.0).run(RATE, 1.0))
        return reports

    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(load(target)) for target in (parse_target(url), parse_target(url, "POST", body=BODY))
        ]
        try:
            yield
        finally:
            over.set()
    for report in (each for task in running for each in task.result()):
        assert all_well(report), (report, weft.told())


async def test_a_rolling_update(weft: Weft, folder: Folder, tmp_path: Path) -> None:
    before, gate = ready(weft, "app"), tmp_path / "gate"
    gate.touch()

    def open_gate(out: Path) -> None:
        wait_for(lambda: out.exists() and out.read_text(), weft.told)
        gate.unlink()

    async with under_load(weft):
        folder.put("app", app("two", gate=str(gate)), service("app", app="app"))
        said = await follow(weft, 2, meanwhile=open_gate)
    assert "out of 3 new replicas have been updated" in said
    assert said.endswith('deployment "app" successfully rolled out\n')
    assert not set(before) & set(ready(weft, "app"))
    page = weft.admin("/metrics").body.decode()
    assert 'weft_deployment_status_replicas_updated{namespace="default",deployment="app"} 3.0' in page
    assert 'condition="Progressing",status="true",reason="NewReplicaSetAvailable"} 1.0' in page


async def test_a_broken_command_stops_at_the_deadline_and_the_old_ones_serve_on(weft: Weft, folder: Folder) -> None:
    before = set(ready(weft, "app"))
    async with under_load(weft):
        folder.put("app", broken(), service("app", app="app"))
        said = await follow(weft, 2, expected=1)
    assert 'deployment "app" exceeded its progress deadline' in said
    assert set(ready(weft, "app")) == before
    said = rollout(weft, "undo", "app")
    assert said == "deployment.apps/app rolled back\n"
    assert "successfully rolled out" in rollout(weft, "status", "deployment/app")
    assert set(ready(weft, "app")) == before, "they need no replacement"


async def test_a_broken_command_is_rolled_back_where_that_is_asked_for(weft: Weft, folder: Folder) -> None:
    before = set(ready(weft, "app"))
    async with under_load(weft):
        folder.put("app", broken(annotations=ROLLBACK), service("app", app="app"))
        await until(lambda: told(weft)["rolledBack"], weft.told)
    said = rollout(weft, "status", "app", expected=1)
    assert "revision 2 exceeded its progress deadline: rolled back to the template of revision 1" in said
    assert set(ready(weft, "app")) == before


async def test_undo_to_an_older_revision_and_restart_outlive_weft(weft: Weft, folder: Folder) -> None:
    for at, word in ((2, "two"), (3, "three")):
        folder.put("app", app(word, strategy=AT_ONCE), service("app", app="app"))
        await follow(weft, at)
    async with under_load(weft):
        assert revisions(await asyncio.to_thread(rollout, weft, "history", "app")) == ["1", "2", "3"]
        await asyncio.to_thread(rollout, weft, "undo", "app", "--to-revision", "1")
        await follow(weft, 4)
        before = ready(weft, "app")
        await asyncio.to_thread(rollout, weft, "restart", "app")
        await follow(weft, 5)
        assert not set(before) & set(ready(weft, "app"))
    shown = rollout(weft, "history", "app", "--revision", "5")
    assert "kubectl.kubernetes.io/restartedAt" in shown
    weft.stop()
    with serving_of(folder) as again:
        assert revision(again) == 5, "what was undone and restarted holds"
        history = rollout(again, "history", "app")
        assert revisions(history) == ["2", "3", "4", "5"]
        assert "the template of revision 5 is in force" in history
        folder.put("app", app("four", strategy=AT_ONCE), service("app", app="app"))
        await follow(again, 6)


def revisions(history: str) -> list[str]:
    """The numbers of a table whose causes are all there."""
    rows = [line.split(maxsplit=1) for line in history.splitlines()[2:] if line[0].isdigit()]
    assert all(cause.startswith("made ") for _, cause in rows)
    return [number for number, _ in rows]


async def test_a_pause_holds_a_template_back(weft: Weft, folder: Folder) -> None:
    rollout(weft, "pause", "app")
    before = ready(weft, "app")
    folder.put("app", app("two"), service("app", app="app"))
    await until(lambda: "reloaded: 1 changed" in weft.out.read_text(), weft.told)
    assert (told(weft)["paused"], ready(weft, "app")) == (True, before)
    assert "it is paused" in rollout(weft, "restart", "app", expected=1)
    async with under_load(weft):
        await asyncio.to_thread(rollout, weft, "resume", "app")
        await follow(weft, 2)
    assert not set(before) & set(ready(weft, "app"))


async def test_changes_need_the_token_and_come_from_no_other_page(weft: Weft) -> None:
    path = "/api/v1/rollouts?action=restart&namespace=default&name=app"
    token = (weft.state / "token").read_text().strip()
    assert weft.admin(path, "POST").status == 403
    assert weft.admin(path, "POST", Authorization="Bearer wrong").status == 403
    foreign = weft.admin(path, "POST", Authorization=f"Bearer {token}", Origin="http://evil.example")
    assert foreign.status == 403
    assert revision(weft) == 1
