from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap
from config.resources.workloads import Container as Spec
from config.resources.workloads import (
    EnvFromSource,
    EnvSource,
    EnvVar,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
)
from discovery.backoff import KUBERNETES_RESTARTS, BackoffPolicy
from discovery.endpoint import ReplicaPort
from discovery.platforms.commands import Command
from discovery.platforms.container import Container
from discovery.platforms.environment import PodFacts
from discovery.platforms.node import Node
from discovery.prober import Verdict
from tests.discovery.platforms.local import SLEEPER, STUBBORN, FakeProber, alive, eventually, make_node

pytestmark = pytest.mark.both_loops

POD = PodFacts("shop-a-1", "default", "127.97.0.1", "laptop", "127.0.0.1", "shop-a-1")
HTTP, ADMIN = ReplicaPort(8080, 12001, "http"), ReplicaPort(9090, 12002)


class Bench:
    """A container that runs a Python program, and all that happens to it."""

    def __init__(self, folder: Path, **node: Any) -> None:
        self.folder = folder
        self.prober = FakeProber()
        self.node: Node = make_node(folder, self.prober, **node)
        self.changes: list[bool] = []
        self.container: Container

    @asynccontextmanager
    async def running(self, script: str, *argv: str, grace: float = 5, **spec: Any) -> AsyncIterator[Container]:
        command = Command(argv or (sys.executable, "-S", "-c", script), str(self.folder))
        self.container = Container(
            self.node,
            POD,
            Spec(name="main", **spec),
            command,
            ports=(HTTP,),
            others=(ADMIN,),
            accept_ports=(12001,),
            grace=grace,
            changed=lambda: self.changes.append(self.container.ready),
        )
        task = asyncio.ensure_future(self.container.run())
        try:
            yield self.container
        finally:
            self.container.stop()
            async with asyncio.timeout(20):
                await task

    @property
    def output(self) -> str:
        path = self.container.log_file
        return path.read_text() if path.exists() else ""

    async def printed(self, text: str) -> None:
        await eventually(lambda: text in self.output)

    async def said(self, text: str) -> None:
        await eventually(lambda: text in self.container.message)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


SHOW = """
import os, sys, time
print(os.getcwd(), os.environ["PORT"], os.environ.get("SECRET"), os.environ.get("COLOUR"), sys.argv[1:], flush=True)
time.sleep(600)
"""


async def test_runs_with_its_environment_and_says_where_to_probe(bench: Bench) -> None:
    readiness = Probe(period_seconds=3)
    python = (sys.executable, "-S", "-c", SHOW, "$(PORT)", "$$(PORT)", "$(NOPE)")
    env = (EnvVar("COLOUR", "blue on $(PORT)"),)
    async with bench.running("", *python, readiness_probe=readiness, env=env) as container:
        await eventually(lambda: container.ready)
        await bench.printed("\n")
        target = bench.prober.targets[POD.name]
        assert container.running
        assert container.restarts == 0
        assert container.message == ""
    assert bench.output == f"{bench.folder} 12001 None blue on 12001 ['12001', '$(PORT)', '$(NOPE)']\n"
    assert (target.address, target.ports) == ("127.97.0.1", {8080: 12001, "http": 12001, 9090: 12002})
    assert (target.readiness, target.liveness, target.accept_ports) == (readiness, None, (12001,))
    assert bench.changes == [True, False]
    assert not container.running
    assert container.last_end == "stopped"


async def test_what_ends_is_started_again(bench: Bench) -> None:
    async with bench.running("print('hi', flush=True); raise SystemExit(3)") as container:
        await bench.printed("hi\nhi\nhi\n")
        assert container.restarts >= 2
        assert container.last_end == "exit code 3"
        await bench.said("CrashLoopBackOff: exit code 3; next start in 0 s")


async def test_what_it_said_last_is_shown_and_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.node.restarts = BackoffPolicy(first=1000, ceiling=1000)
    async with bench.running("raise SystemExit('no database')"):
        await bench.said("CrashLoopBackOff: exit code 1; next start in 1000 s; its log ends: no database")
    assert "does not run" in caplog.text
    assert not [record for record in caplog.records if "database" in str(vars(record))]


async def test_what_failed_its_probe_shows_what_it_said_last(bench: Bench) -> None:
    bench.prober.ready = False
    async with bench.running("print('at 8080', flush=True)\n" + SLEEPER):
        await bench.printed("at 8080")
        bench.prober.tell(POD.name, Verdict(ready=False, alive=True, reason="HTTP 503"))
        assert bench.container.message == "HTTP 503; its log ends: at 8080"
        assert "HOST and PORT" in bench.prober.targets[POD.name].remedy


async def test_what_is_killed_says_by_what(bench: Bench) -> None:
    async with bench.running("import os; os.kill(os.getpid(), 9)") as container:
        await eventually(lambda: container.last_end == "ended by SIGKILL")


async def test_restarts_follow_the_policy(bench: Bench) -> None:
    bench.node.restarts = msgspec.structs.replace(KUBERNETES_RESTARTS, jitter=0.0)
    async with bench.running("raise SystemExit(1)") as container:
        await bench.said("CrashLoopBackOff: exit code 1; next start in 10 s")
        assert container.restarts == 1


async def test_a_stop_does_not_wait_for_the_back_off(bench: Bench) -> None:
    bench.node.restarts = BackoffPolicy(first=1000, ceiling=1000)
    async with bench.running("raise SystemExit(1)"):
        await bench.said("next start in 1000 s")


async def test_retired_means_no_further_start(bench: Bench) -> None:
    async with bench.running(SLEEPER) as container:
        await eventually(lambda: container.ready)
        container.retire()
        await asyncio.sleep(0)
        assert container.running
        bench.prober.tell(POD.name, Verdict(ready=False, alive=False, reason="too late to matter"))
        await bench.said("too late")
        assert container.running
        assert container.restarts == 0


async def test_a_failed_liveness_probe_restarts_it(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with bench.running(SLEEPER) as container:
        await eventually(lambda: container.ready)
        bench.prober.tell(POD.name, Verdict(ready=True, alive=False, reason="liveness: HTTP 500"))
        await eventually(lambda: container.restarts == 1 and container.ready)
        assert container.last_end == "liveness: HTTP 500"
    assert bench.changes == [True, False, True, False]


STUBBORN_ONCE = """
import os, signal, time
if not os.path.exists("second"):
    open("second", "w").close()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("up", flush=True)
time.sleep(600)
"""


async def test_the_probe_may_name_its_own_grace(bench: Bench) -> None:
    liveness = Probe(termination_grace_period_seconds=1)
    async with bench.running(STUBBORN_ONCE, grace=300, liveness_probe=liveness) as container:
        await bench.printed("up")
        bench.prober.tell(POD.name, Verdict(ready=False, alive=False, reason="dead"))
        await eventually(lambda: container.restarts == 1)


async def test_readiness_is_what_the_prober_says(bench: Bench) -> None:
    bench.prober.ready = False
    async with bench.running(SLEEPER) as container:
        await eventually(lambda: POD.name in bench.prober.reports)
        assert not container.ready
        bench.prober.tell(POD.name, Verdict(ready=False, alive=True, reason="connection refused"))
        assert container.message == "connection refused"
        bench.prober.tell(POD.name, Verdict(ready=True, alive=True, reason=""))
        assert container.ready
        assert container.message == ""
        bench.prober.tell(POD.name, Verdict(ready=False, alive=True, reason="HTTP 503"))
        assert not container.ready
    assert bench.changes == [True, False]


async def test_sigterm_then_sigkill(bench: Bench) -> None:
    async with bench.running(STUBBORN, grace=0.3) as container:
        await bench.printed("up")
        began = asyncio.get_running_loop().time()
        container.stop()
        await eventually(lambda: not container.running)
        assert asyncio.get_running_loop().time() - began >= 0.3


OBSTACLES: dict[str, tuple[tuple[str, ...], str]] = {
    "not found": (("no-such-program",), "command 'no-such-program' not found (in {folder} and PATH)"),
    "not executable": (("./plain",), "./plain may not be executed or entered"),
    "no program": (("./text",), "'./text' cannot be started: Exec format error"),
    "NUL": (("echo", "a\0b"), "command or environment has a NUL byte"),
}


@pytest.mark.parametrize("name", OBSTACLES)
async def test_what_cannot_be_started_says_why_and_is_tried_again(bench: Bench, name: str) -> None:
    argv, expected = OBSTACLES[name]
    (bench.folder / "plain").write_text("")
    (bench.folder / "text").write_bytes(b"\x01\x02")
    (bench.folder / "text").chmod(0o755)
    async with bench.running("", *argv) as container:
        await bench.said(f"CrashLoopBackOff: {expected.format(folder=bench.folder)}; next start in")
        assert not container.running


async def test_once_the_command_is_there_it_runs(bench: Bench) -> None:
    async with bench.running("", "./later") as container:
        await bench.said("'./later' not found")
        (bench.folder / "later.new").write_text("#!/bin/sh\nexec sleep 600\n")
        (bench.folder / "later.new").chmod(0o755)
        (bench.folder / "later.new").rename(bench.folder / "later")
        await eventually(lambda: container.running)


async def test_a_missing_folder_is_named(bench: Bench) -> None:
    bench.folder /= "gone"
    async with bench.running(SLEEPER):
        await bench.said(f"working folder {bench.folder} does not exist")


async def test_a_missing_config_map_is_waited_for(bench: Bench) -> None:
    async with bench.running(SHOW, env_from=(EnvFromSource(config_map_ref=EnvSource("shop")),)) as container:
        await bench.said("CreateContainerConfigError: ConfigMap 'shop' does not exist")
        container.observe()
        await asyncio.sleep(0)
        assert not container.running
        found = ConfigMap(ObjectMeta("shop", "default"), data={"COLOUR": "red"})
        bench.node.adopt(ConfigSet(config_maps={Named("default", "shop"): found}))
        container.observe()
        await eventually(lambda: container.running)
        await bench.printed("red")


async def test_exec_probes_run_as_in_the_container(bench: Bench) -> None:
    async with bench.running(SLEEPER, env=(EnvVar("COLOUR", "blue"),)) as container:
        await eventually(lambda: container.running)
        execute = bench.prober.targets[POD.name].execute
        assert execute
        check = "import os; raise SystemExit(os.environ['COLOUR'] + os.environ['PORT'] + os.getcwd() != 'blue12001%s')"
        assert await execute(("python3", "-S", "-c", check % bench.folder), 10) == 0
        assert await execute(("sh", "-c", "exit 4"), 10) == 4
        with pytest.raises(FileNotFoundError):
            await execute(("no-such-program",), 10)
        with pytest.raises(OSError, match="no command"):
            await execute((), 10)


async def test_an_exec_probe_that_takes_too_long_is_killed(bench: Bench) -> None:
    async with bench.running(SLEEPER) as container:
        await eventually(lambda: container.running)
        with pytest.raises(TimeoutError):
            await container.execute(("sh", "-c", "echo $$ > pid; sleep 600"), 0.3)
        number = int((bench.folder / "pid").read_text())
        await eventually(lambda: not alive(number))


async def test_cancelling_kills(bench: Bench) -> None:
    command = Command((sys.executable, "-S", "-c", STUBBORN), str(bench.folder))
    nothing: Callable[[], None] = bench.changes.clear
    container = Container(
        bench.node, POD, Spec(name="main"), command, ports=(), others=(), accept_ports=(), grace=600, changed=nothing
    )
    task = asyncio.ensure_future(container.run())
    await eventually(lambda: container.running)
    pid = container._process.pid if container._process else 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)


async def test_secrets_are_not_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with bench.running("", "no-such", "--password=$(KEY)", env=(EnvVar("KEY", "hunter2"),)):
        await bench.said("not found")
    async with bench.running(SLEEPER, env=(EnvVar("KEY", "hunter2"),)) as container:
        await eventually(lambda: container.running)
    assert caplog.records
    assert not [record for record in caplog.records if "hunter2" in str(vars(record))]


LISTENS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("term", pathlib.Path("hooked").exists(), flush=True), sys.exit(0)))
print("there", flush=True)
while True:
    time.sleep(1)
"""


async def test_its_hook_runs_before_the_stop_signal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    hook = LifecycleHandler(exec=ExecAction((sys.executable, "-S", "-c", "open('hooked', 'w').close()")))
    async with bench.running(LISTENS, lifecycle=Lifecycle(hook)):
        await eventually(lambda: "there" in bench.output)
    assert "term True" in bench.output


def begins(script: str, *argv: str) -> Lifecycle:
    return Lifecycle(post_start=LifecycleHandler(exec=ExecAction((sys.executable, "-S", "-c", script, *argv))))


HELD = """
import os, time
print(os.getpid(), file=open("pid.new", "w"), flush=True)
os.rename("pid.new", "pid")
while not os.path.exists("go"):
    time.sleep(0.01)
"""


async def test_until_its_first_hook_is_done_it_is_not_probed(bench: Bench) -> None:
    async with bench.running(SLEEPER, lifecycle=begins(HELD)) as container:
        await eventually((bench.folder / "pid").exists)
        assert container.running
        assert not bench.prober.targets
        assert container.message == "its postStart hook is not done"
        (bench.folder / "go").touch()
        await eventually(lambda: container.ready)
        assert container.message == ""
        assert bench.prober.targets[POD.name].age > 0, "initial delays count from its start"
    assert bench.changes == [True, False]


async def test_when_its_first_hook_fails_it_is_ended_and_started_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    once = "import os, sys; os.path.exists('second') and sys.exit(0); open('second', 'w').close(); sys.exit(4)"
    async with bench.running(LISTENS, lifecycle=begins(once)) as container:
        await eventually(lambda: container.ready)
        assert (container.restarts, container.last_end) == (1, "PostStartHookError: exit code 4")
    assert bench.changes == [True, False]
    told = {record.message: record.__dict__.get("reason") for record in caplog.records}
    assert told["postStart hook failed"] == "exit code 4"
    assert told["container does not run"].startswith("CrashLoopBackOff: PostStartHookError: exit code 4; next start in")


async def test_a_first_hook_that_keeps_failing_backs_off_and_says_so(bench: Bench) -> None:
    bench.node.restarts = BackoffPolicy(first=1000, ceiling=1000)
    async with bench.running(SLEEPER, lifecycle=begins("raise SystemExit(4)")) as container:
        await bench.said("CrashLoopBackOff: PostStartHookError: exit code 4; next start in 1000 s")
        assert not container.running
    assert not bench.prober.targets
    assert not bench.changes


async def test_a_stop_ends_its_first_hook(bench: Bench) -> None:
    async with bench.running(SLEEPER, lifecycle=begins(HELD)):
        await eventually((bench.folder / "pid").exists)
        number = int((bench.folder / "pid").read_text())
        assert alive(number)
    await eventually(lambda: not alive(number))
    assert not bench.prober.targets
    assert bench.container.last_end == "stopped"


async def test_a_program_that_ends_before_its_first_hook_is_done_says_how(bench: Bench) -> None:
    bench.node.restarts = BackoffPolicy(first=1000, ceiling=1000)
    async with bench.running("raise SystemExit(3)", lifecycle=begins(HELD)) as container:
        await bench.said("CrashLoopBackOff: exit code 3; next start in 1000 s")
        assert container.last_end == "exit code 3"
    assert not bench.prober.targets


async def test_a_hook_that_fails_is_logged_and_its_time_is_of_the_grace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    hook = LifecycleHandler(sleep=SleepAction(60))
    async with bench.running(LISTENS, grace=0.2, lifecycle=Lifecycle(hook)):
        await eventually(lambda: "there" in bench.output)
        began = asyncio.get_running_loop().time()
    assert 0.2 <= asyncio.get_running_loop().time() - began < 2
    assert "term False" in bench.output
    (record,) = (each for each in caplog.records if each.message == "preStop hook failed")
    assert "not done within 0.2 s" in record.__dict__["reason"]
