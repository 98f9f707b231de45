from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from config.configset import ConfigSet
from config.resources.workloads import (
    Container,
    ExecAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    SleepAction,
)
from discovery.backoff import BackoffPolicy
from discovery.platforms import hooks
from discovery.platforms.restarted import Restarted
from discovery.prober import ProbeTarget, Verdict

OWN_GRACE = Probe(termination_grace_period_seconds=3)


@dataclass
class House:
    config: ConfigSet = field(default_factory=ConfigSet)
    restarts: BackoffPolicy = field(default_factory=lambda: BackoffPolicy(first=0.01, ceiling=0.02))
    random: Random = field(default_factory=lambda: Random(1))
    clock: Callable[[], float] = lambda: 0.0


class Lamp(Restarted):
    """Ends as soon as it is started, as often as it says."""

    def __init__(self, house: House, spec: Container | None = None) -> None:
        super().__init__(house, spec or Container(name="lamp"), "web-1", grace=30.0)
        self.said: list[str] = []
        self.executed: list[tuple[str, ...]] = []
        self.unfinished: list[tuple[str, ...]] = []
        self.ready = False

    async def run(self) -> None:
        while not self._retired:
            self.starts += 1
            await self._back_off(f"end {self.starts}")

    async def wait_for_configuration(self) -> None:
        await self._reconfigured("no Secret")

    def grace_of_kill(self) -> float:
        return self._grace_of_kill()

    async def begun(self) -> tuple[bool, str]:
        """Whether it may be used, and what is wrong with it."""
        return await self._begun(self.target(), lambda: self._stopping), self._unhealthy

    async def hooked(self) -> float:
        return await self._hooked(self.target())

    def verdict(self, verdict: Verdict) -> str:
        self._on_verdict(verdict)
        return self._unhealthy

    async def execute(self, argv: tuple[str, ...], timeout: float) -> int:
        self.executed.append(argv)
        try:
            await asyncio.sleep(60 if argv == ("hang",) else 0)
        except asyncio.CancelledError:
            self.unfinished.append(argv)
            raise
        return len(argv) if argv != ("well",) else 0

    def target(self) -> ProbeTarget:
        return self._target("10.0.0.1", {"http": 80}, (80,), remedy="light it", age=3.0)

    def _with_words(self, why: str) -> str:
        return f"{why}; it said bye" if why else why

    def _say(self, message: str) -> None:
        super()._say(message)
        self.said.append(message)

    def _set_verdict(self, ready: bool) -> None:
        self.ready = ready


async def test_a_hook_is_run_once_for_each_start() -> None:
    spec = Container(name="lamp", lifecycle=Lifecycle(LifecycleHandler(exec=ExecAction(("out",)))))
    lamp = Lamp(House(), spec)
    for starts in (0, 1):
        lamp.starts = starts
        for _ in range(2):  # its liveness probe failed, and then the whole replica is to end, before its end is seen
            assert await lamp.hooked() > 29
    assert lamp.executed == [("out",)] * 2


def begins(*argv: str, **spec: Probe) -> Container:
    return Container(name="lamp", lifecycle=Lifecycle(post_start=LifecycleHandler(exec=ExecAction(argv))), **spec)


BEGINNINGS: dict[str, tuple[LifecycleHandler | None, tuple[bool, str]]] = {
    "there is no hook": (None, (True, "")),
    "it is done": (LifecycleHandler(exec=ExecAction(("well",))), (True, "")),
    "a pause": (LifecycleHandler(sleep=SleepAction(0)), (True, "")),
    "it fails": (LifecycleHandler(exec=ExecAction(("oh", "no"))), (False, "PostStartHookError: exit code 2")),
    "nobody is there": (
        LifecycleHandler(http_get=HTTPGetAction("admin")),
        (False, "PostStartHookError: no containerPort is named admin"),
    ),
    "it takes too long": (
        LifecycleHandler(exec=ExecAction(("hang",))),
        (False, "PostStartHookError: it was not done within 0.05 s"),
    ),
}


@pytest.mark.parametrize(("hook", "expected"), BEGINNINGS.values(), ids=BEGINNINGS)
async def test_what_its_hook_makes_of_a_start(
    hook: LifecycleHandler | None,
    expected: tuple[bool, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hooks, "START_SECONDS", 0.05)
    lamp = Lamp(House(), Container(name="lamp", lifecycle=Lifecycle(post_start=hook)))
    assert await lamp.begun() == expected
    assert lamp.said == (["its postStart hook is not done; it said bye", ""] if hook else [])
    told = [f"PostStartHookError: {record.__dict__['reason']}" for record in caplog.records]
    assert told == ([] if expected[0] else [expected[1]])


@pytest.mark.parametrize("ending", ["stop", "cancel"])
async def test_a_stop_ends_its_hook(ending: str, caplog: pytest.LogCaptureFixture) -> None:
    lamp = Lamp(House(), begins("hang"))
    beginning = asyncio.create_task(lamp.begun())
    while not lamp.executed:
        await asyncio.sleep(0)
    if ending == "stop":
        lamp.stop()
    else:
        beginning.cancel()
    (outcome,) = await asyncio.wait_for(asyncio.gather(beginning, return_exceptions=True), 5)
    assert outcome == (False, "") if ending == "stop" else isinstance(outcome, asyncio.CancelledError)
    assert lamp.unfinished == [("hang",)]
    assert not caplog.records


async def test_of_a_hook_that_failed_the_grace_of_a_probe_says_nothing() -> None:
    lamp = Lamp(House(), begins("oh", liveness_probe=OWN_GRACE))
    assert lamp.grace_of_kill() == 3
    await lamp.begun()
    assert lamp.grace_of_kill() == 30.0
    lamp.spec = begins("well", liveness_probe=OWN_GRACE)
    await lamp.begun()
    assert lamp.grace_of_kill() == 3


async def test_it_is_probed_as_its_container_says() -> None:
    probe = Probe(period_seconds=7)
    target = Lamp(House(), Container(name="lamp", readiness_probe=probe)).target()
    assert (target.replica_id, target.container, target.address) == ("web-1", "lamp", "10.0.0.1")
    assert (target.readiness, target.liveness, target.accept_ports, target.age) == (probe, None, (80,), 3.0)
    assert target.execute is not None
    assert await target.execute(("a", "b"), 1.0) == 2


async def ended(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(5):
        await task


async def test_it_is_started_again_later_and_later_until_it_is_retired() -> None:
    lamp = Lamp(House())
    assert lamp.pending
    life = asyncio.create_task(lamp.run())
    async with asyncio.timeout(5):
        while lamp.starts < 4:
            await asyncio.sleep(0)
    lamp.retire()
    await ended(life)
    assert not lamp.pending
    assert lamp.restarts == lamp.starts - 1 >= 3
    assert all(why.endswith("; it said bye") and "end " in why for why in lamp.said)
    assert lamp.said[0].startswith("CrashLoopBackOff: end 1; next start in ")


@pytest.mark.parametrize("ending", [Restarted.stop, Restarted.retire])
async def test_a_long_pause_ends_when_nobody_wants_it_any_more(ending: Callable[[Restarted], None]) -> None:
    lamp = Lamp(House(restarts=BackoffPolicy(first=3600, ceiling=3600)))
    life = asyncio.create_task(lamp.run())
    while not lamp.said:
        await asyncio.sleep(0)
    ending(lamp)
    await ended(life)
    assert lamp.starts == 1


async def test_what_only_another_configuration_can_help_waits_for_one() -> None:
    house = House()
    lamp = Lamp(house)
    waiting = asyncio.create_task(lamp.wait_for_configuration())
    while not lamp.said:
        await asyncio.sleep(0)
    lamp.observe()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done(), "the configuration is the same"
    house.config = ConfigSet()
    lamp.observe()
    await ended(waiting)


@pytest.mark.parametrize(
    ("spec", "stopping", "seconds"),
    [
        pytest.param(Container(name="c"), False, 30.0, id="that of the pod"),
        pytest.param(Container(name="c", liveness_probe=OWN_GRACE), False, 3, id="of the liveness probe that failed"),
        pytest.param(Container(name="c", startup_probe=OWN_GRACE), False, 3, id="of the startup probe that failed"),
        pytest.param(Container(name="c", liveness_probe=OWN_GRACE), True, 30.0, id="of the pod when it is stopped"),
    ],
)
async def test_how_long_it_has_to_end(spec: Container, stopping: bool, seconds: float) -> None:
    lamp = Lamp(House(), spec)
    if stopping:
        lamp.stop()
    assert lamp.grace_of_kill() == seconds


async def test_what_its_probes_say() -> None:
    lamp = Lamp(House())
    assert not lamp.verdict(Verdict(ready=False, alive=True, reason="HTTP 500"))
    assert (lamp.ready, lamp.message) == (False, "HTTP 500; it said bye")
    assert not lamp.verdict(Verdict(ready=True, alive=True, reason=""))
    assert (lamp.ready, lamp.message) == (True, "")
    assert lamp.verdict(Verdict(ready=False, alive=False, reason="gone")) == "gone"
