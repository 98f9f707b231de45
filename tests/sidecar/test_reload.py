"""When manifests are read again, and what becomes of what was read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from config.changes import Changes
from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Source
from config.settings import NodeConfigSpec
from sidecar import reload
from sidecar.reload import Reloader
from sidecar.written import Manifests, Written
from tests.mesh.making import Clock
from tests.sidecar.conftest import config_set

FIRST = config_set("127.96.0.1", 1)
SECOND = replace(FIRST, services={})
FAULT = Fault("error", Source("a.yaml", 1, 1), "bad")


class Disk(Manifests):
    """Manifests that the test changes and reads as it likes."""

    def __init__(self) -> None:
        self.now: Written | OSError = Written(FIRST, ())
        self.looks: list[bool] = []
        """What the next looks find; after that nothing changes."""
        self.reads = 0

    @property
    def files(self) -> int:
        return 1

    async def changed(self) -> bool:
        await asyncio.sleep(0)
        return self.looks.pop(0) if self.looks else False

    async def read(self, previous: ConfigSet | None = None) -> Written:
        self.reads += 1
        if isinstance(self.now, OSError):
            raise self.now
        return self.now


class Run:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.disk = Disk()
        self.asked = asyncio.Event()
        self.in_force: list[Written] = []
        self.told: list[tuple[Written, Changes]] = []
        self.looks: list[int] = []
        """How much was in force when the end of a look was told of."""
        self.reloader = Reloader(
            self.disk, Written(FIRST, ()), self._put, self.asked,
            tell=lambda *told: self.told.append(told), looked=lambda: self.looks.append(len(self.in_force)),
            clock=clock,
        )  # fmt: skip

    async def _put(self, written: Written) -> None:
        self.in_force.append(written)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running() -> AsyncIterator[Run]:
    run = Run()
    task = asyncio.get_running_loop().create_task(run.reloader.run())
    try:
        yield run
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "SETTLE_SECONDS"):
        monkeypatch.setattr(reload, name, 0.001)


async def test_a_burst_of_changes_is_read_once_when_it_is_over() -> None:
    async with running() as run:
        run.disk.now = Written(SECOND, ())
        run.disk.looks = [False, False, True, True, True, False]
        await run.until(lambda: run.told)
        assert (run.disk.reads, run.disk.looks) == (1, [])
        assert [written.config_set for written in run.in_force] == [SECOND]
        assert str(run.told[0][1]) == "1 removed"


async def test_changes_that_never_end_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "MOST_SETTLING", 0.01)
    async with running() as run:
        run.disk.looks = [True] * 10_000
        await run.until(lambda: run.disk.reads > 1)
        assert run.disk.looks


async def test_what_was_asked_for_is_read_though_nothing_changed() -> None:
    async with running() as run:
        run.asked.set()
        await run.until(lambda: run.in_force)
        assert not run.asked.is_set()
        assert run.told == [], "there is nothing to tell"


async def test_errors_are_told_once() -> None:
    run = Run()
    run.disk.now = Written(FIRST, (FAULT,))
    await run.reloader.reload()
    await run.reloader.reload()
    assert [(written.faults, different) for written, different in run.told] == [((FAULT,), Changes())]
    run.disk.now = Written(FIRST, ())
    await run.reloader.reload()
    assert len(run.told) == 2, "that they are gone is news"


async def test_a_reader_that_failed_changes_nothing() -> None:
    run = Run()
    run.disk.now = Written(ConfigSet(), (FAULT,), read=False)
    await run.reloader.reload()
    (written,) = run.in_force
    assert (written.config_set, written.faults) == (FIRST, (FAULT,))
    assert written.failed


@pytest.mark.parametrize("failure", [OSError(24, "Too many open files"), Written(ConfigSet(), (FAULT,), read=False)])
async def test_a_reader_that_fails_is_tried_again_later_and_later_and_told_of_once(
    failure: Written | OSError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "weft.reload")
    clock = Clock(0)
    run = Run(clock)
    run.disk.now, run.disk.looks = failure, [True]
    moments: list[float] = []
    while clock.now < 1100:
        await run.reloader.look(asked=False)
        if run.disk.reads > len(moments):
            moments.append(clock.now)
        clock.advance(1)
    assert moments == [0, 5, 15, 35, 75, 155, 315, 615, 915]
    assert len(caplog.records) == 1
    assert run.looks == []
    run.disk.now = Written(SECOND, ())
    clock.advance(300)
    await run.reloader.look(asked=False)
    assert [written.config_set for written, _ in run.told][-1] == SECOND
    clock.advance(1000)
    await run.reloader.look(asked=False)
    assert run.disk.reads == len(moments) + 1
    assert len(run.looks) == 2
    run.disk.now, run.disk.looks = failure, [True]
    for _ in range(2):
        await run.reloader.look(asked=False)
        clock.advance(5)
    assert run.disk.reads == len(moments) + 3, "it begins with short pauses again"


async def test_looks_are_told_of_once_what_they_found_is_in_force() -> None:
    async with running() as run:
        run.disk.looks = [True]
        await run.until(lambda: len(run.looks) > 1)
        assert run.looks[:2] == [1, 1]


async def test_what_needs_a_restart_is_among_the_faults() -> None:
    run = Run()
    run.disk.now = Written(ConfigSet(node=NodeConfigSpec(admin="127.0.0.1:1")), ())
    await run.reloader.reload()
    assert [fault.path for fault in run.in_force[0].faults] == ["spec.admin"]


async def test_files_are_looked_at(tmp_path: Path) -> None:
    manifests = Manifests([tmp_path], type("State", (), {"path": tmp_path})())
    (tmp_path / "a.yaml").write_text("")
    assert await manifests.changed()
    assert not await manifests.changed()
    assert manifests.files == 1
