from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap
from config.resources.workloads import (
    EnvVar,
    EnvVarSource,
    ExecAction,
    FieldSelector,
    KeySelector,
    Lifecycle,
    LifecycleHandler,
    Probe,
)
from discovery.backoff import BackoffPolicy
from discovery.platforms.docker import container as module
from discovery.platforms.docker import runner
from discovery.platforms.docker.engine import Connection
from discovery.prober import Verdict
from tests.discovery.platforms.docker.fake import FakeEngine, fake_engine
from tests.discovery.platforms.docker.pods import SHOP, deployment
from tests.discovery.platforms.docker.running import World, until, world

REPLICA = "shop-abc-12345"
LATER = BackoffPolicy(first=60, ceiling=60, jitter=0)


def start(there: World, **container: object) -> None:
    there.runner.start(SHOP, there.runner.revise(deployment(1, **container)), REPLICA)


def message(there: World) -> str:
    return there.replicas[0].status().message if there.replicas else ""


def variables(fake: FakeEngine) -> dict[str, str]:
    (made,) = fake.containers.values()
    return dict(entry.split("=", 1) for entry in made["Asked"]["Env"])


async def test_its_environment(tmp_path: Path) -> None:
    env = (
        EnvVar(name="POD", value_from=EnvVarSource(field_ref=FieldSelector(field_path="metadata.name"))),
        EnvVar(name="AT", value="$(HOST):$(PORT)"),
    )
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there, env=env)
        await there.one()
        assert variables(fake) == {
            "HOSTNAME": REPLICA, "HOST": "0.0.0.0", "PORT": "8080", "PORT_8080": "8080", "PORT_HTTP": "8080",
            "POD": REPLICA, "AT": "0.0.0.0:8080",
        }  # fmt: skip


async def test_one_that_ends_is_made_anew(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        (first,) = there.running()
        fake.exit(first, 3)
        await until(lambda: there.running() not in ([first], []) and there.replicas[0].ready)
        assert first not in fake.containers
        status = there.replicas[0].status()
        assert (status.restarts, status.last_end) == (1, "main: exit code 3")


async def test_one_that_a_user_removes_is_made_anew(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        (first,) = there.running()
        fake.tell("destroy", first)
        del fake.containers[first]
        await until(lambda: there.running() and there.replicas[0].ready)
        assert there.replicas[0].status().last_end == "main: it was removed"


async def test_one_whose_probe_fails_is_stopped_and_made_anew(tmp_path: Path) -> None:
    probe = Probe(termination_grace_period_seconds=2)
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there, liveness_probe=probe)
        await there.one()
        (first,) = there.running()
        there.prober.tell(REPLICA, Verdict(False, False, "liveness probe failed"))
        await until(lambda: there.running() not in ([first], []) and there.replicas[0].ready)
        assert fake.stopped == [(first, "2")]
        assert there.replicas[0].status().last_end == "main: liveness probe failed"


async def test_not_ready_says_why(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        there.prober.tell(REPLICA, Verdict(False, True, "connection refused"))
        assert not there.replicas[0].ready
        assert message(there) == "main: connection refused"


async def test_an_image_that_cannot_be_had(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there, image="absent:1")
        await until(lambda: "ErrImagePull: absent:1: denied" in message(there))
        assert there.running() == []
        fake.images.add("absent:1")
        await there.one()


async def test_what_it_refers_to_may_come_later(tmp_path: Path) -> None:
    source = EnvVarSource(config_map_key_ref=KeySelector(name="settings", key="color"))
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there, env=(EnvVar(name="COLOR", value_from=source),))
        await until(lambda: "CreateContainerConfigError" in message(there))
        settings = ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"color": "red"})
        await there.runner.define(ConfigSet(config_maps={Named("default", "settings"): settings}))
        await there.one()
        assert variables(fake)["COLOR"] == "red"


async def test_an_engine_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        replica = await there.one()
        await fake.end()
        await until(lambda: not there.observer.standing.connected)
        assert replica.ready
        replica.terminate()
        there.runner.start(SHOP, there.runner.revise(deployment()), "shop-abc-second")
        await until(lambda: "the engine is gone" in there.replicas[-1].status().message)
        await fake.begin()
        await until(lambda: [each.id for each in there.replicas if each.ready] == ["shop-abc-second"])
        await until(lambda: len(fake.containers) == 1)


async def test_a_probe_runs_a_command_in_it(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        execute = there.prober.targets[REPLICA].execute
        assert execute is not None
        for argv in ((), ("true",)):  # the fake engine runs nothing
            outcome = await asyncio.gather(execute(argv, 1.0), return_exceptions=True)
            assert isinstance(outcome[0], OSError)
        assert module.REMEDY in there.prober.targets[REPLICA].remedy


async def test_what_it_wrote_last_is_for_who_asks_and_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fake_engine(tmp_path) as fake, world(fake, restarts=LATER) as there:
        start(there)
        await there.one()
        fake.written = "password=secret"
        fake.exit(there.running()[0], 3)
        await until(lambda: "exit code 3" in message(there))
        assert message(there).endswith("exit code 3; next start in 60 s; its log ends: password=secret")
    logged = [record.__dict__.get("reason", "") for record in caplog.records]
    assert any("exit code 3" in text for text in logged)
    assert not any("secret" in text for text in logged)


async def test_one_that_a_user_renames_is_replaced_all_the_same(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        (first,) = there.running()
        fake.containers[first]["Name"] = "mine"
        fake.exit(first)
        await until(lambda: there.running() not in ([first], []) and there.replicas[0].ready)
        assert len(fake.containers) == 1


async def test_what_was_made_without_an_answer_is_removed_by_name(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there, command=("fails",))
        await until(lambda: "fails" in message(there))
        assert fake.containers
        assert there.replicas[0].status().restarts == 0
        there.replicas[0].terminate()
        await until(lambda: not there.replicas)
        assert fake.containers == {}


async def test_a_command_that_has_not_ended_is_not_run_beside_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = asyncio.Event()
    begun: list[str] = []

    async def execute(_: Connection, __: str, ___: object, tell: Callable[[str], None]) -> int:
        begun.append(f"command {len(begun)}")
        tell(begun[-1])
        if len(begun) == 1:
            running.set()
            await asyncio.Event().wait()
        return 0

    async def executes(_: Connection, command: str) -> bool:
        return command == "command 0" and running.is_set()

    monkeypatch.setattr(Connection, "execute", execute)
    monkeypatch.setattr(Connection, "executes", executes)
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        start(there)
        await there.one()
        probe = there.prober.targets[REPLICA].execute
        assert probe is not None
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await probe(("slow",), 0.01)
        assert begun == ["command 0"]
        assert await probe(("other",), 1.0) == 0
        running.clear()
        assert await probe(("slow",), 1.0) == 0


async def test_weft_ends_though_the_engine_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ANSWER_SECONDS", 0.1)
    async with fake_engine(tmp_path) as fake:
        async with asyncio.timeout(10), world(fake) as there:
            there.runner.start(SHOP, there.runner.revise(deployment(grace=0)), REPLICA)
            replica = await there.one()
            await fake.end()
            replica.terminate()
        assert len(fake.containers) == 1


class Hook:
    """What a command in a container does: it waits for `go`, and ends with `codes`, the first one first."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.ran: list[str] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()

    async def execute(self, container: str, argv: tuple[str, ...], _: object) -> int:
        assert argv == ("hello",)
        self.ran.append(container)
        try:
            await self.go.wait()
        finally:
            self.ended.append(container)
        return self.codes.pop(0) if self.codes else 0


HELLO = Lifecycle(post_start=LifecycleHandler(exec=ExecAction(("hello",))))


async def test_until_its_first_hook_is_done_it_is_not_probed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook()
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        monkeypatch.setattr(there.host.engine, "execute", hook.execute)
        start(there, lifecycle=HELLO)
        await until(lambda: hook.ran)
        fake.tell("pause", hook.ran[0])
        await until(lambda: there.host.conditions[hook.ran[0]].sighting.paused)
        fake.tell("unpause", hook.ran[0])
        await until(lambda: not there.host.conditions[hook.ran[0]].sighting.paused)
        assert not there.prober.targets
        assert not there.replicas[0].ready
        assert message(there) == "main: its postStart hook is not done"
        hook.go.set()
        await there.one()
        assert message(there) == ""
        assert hook.ran == there.running()
        fake.exit(hook.ran[0])
        await until(lambda: len(hook.ran) == 2 and there.replicas[0].ready)
        assert hook.ran[1:] == there.running()


async def test_when_its_first_hook_fails_it_is_stopped_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook(4)
    hook.go.set()
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        monkeypatch.setattr(there.host.engine, "execute", hook.execute)
        start(there, lifecycle=HELLO)
        await there.one()
        assert len(hook.ran) == 2
        assert fake.stopped == [(hook.ran[0], "5")]
        assert list(fake.containers) == hook.ran[1:]
        assert there.replicas[0].status().last_end == "main: PostStartHookError: exit code 4"


async def test_a_first_hook_that_keeps_failing_backs_off_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook(4)
    hook.go.set()
    async with fake_engine(tmp_path) as fake, world(fake, restarts=LATER) as there:
        monkeypatch.setattr(there.host.engine, "execute", hook.execute)
        start(there, lifecycle=HELLO)
        await until(lambda: message(there).startswith("main: CrashLoopBackOff: PostStartHookError: exit code 4"))
        assert there.running() == []
        assert not there.prober.targets


@pytest.mark.parametrize("ending", ["terminate", "exit"])
async def test_what_ends_meanwhile_ends_its_first_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    hook = Hook()
    async with fake_engine(tmp_path) as fake, world(fake, restarts=LATER) as there:
        monkeypatch.setattr(there.host.engine, "execute", hook.execute)
        start(there, lifecycle=HELLO)
        await until(lambda: hook.ran)
        if ending == "exit":
            fake.exit(hook.ran[0], 3)
            await until(lambda: "CrashLoopBackOff: exit code 3" in message(there))
        else:
            there.replicas[0].terminate()
            await until(lambda: not fake.containers)
        assert hook.ended == hook.ran
        assert not there.prober.targets


async def test_the_first_hook_of_what_is_found_running_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook()
    hook.go.set()
    async with fake_engine(tmp_path) as fake:
        for _ in range(2):
            async with world(fake) as there:
                monkeypatch.setattr(there.host.engine, "execute", hook.execute)
                if not there.replicas:
                    start(there, lifecycle=HELLO)
                await there.one()
    assert hook.ran == list(fake.containers)


async def test_its_hook_runs_in_it_before_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def execute(container: str, argv: tuple[str, ...], _: object) -> int:
        ran.append((argv, there.running() == [container]))
        return 0

    ran: list[tuple[tuple[str, ...], bool]] = []
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        monkeypatch.setattr(there.host.engine, "execute", execute)
        start(there, lifecycle=Lifecycle(LifecycleHandler(exec=ExecAction(("quit",)))))
        replica = await there.one()
        replica.terminate()
        await until(lambda: not fake.containers)
    assert ran == [(("quit",), True)]
