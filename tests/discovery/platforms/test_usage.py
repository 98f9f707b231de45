"""What a process and all below it use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest

from discovery.platforms import usage
from discovery.platforms.usage import REMEMBERED, TOGETHER, Descents

TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a system without /proc")


class Machine:
    """Processes as Linux shows them (proc(5)), and a clock."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.now = 0.0
        self.descents = Descents(lambda: self.now)

    def start(self, pid: int, parent: int, ticks: tuple[int, int, int, int] = (0, 0, 0, 0), pages: int = 0) -> None:
        """One with a name that tries to be fields."""
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 9, *map(str, ticks), *["0"] * 40]
        (folder / "stat").write_text(f"{pid} (a) S 1 (b) {' '.join(fields)}\n")
        (folder / "statm").write_text(f"0 {pages} 0 0 0 0 0\n")

    def end(self, pid: int) -> None:
        for file in ("stat", "statm"):
            (self.proc / str(pid) / file).unlink()
        (self.proc / str(pid)).rmdir()

    def memory(self, pid: int, after: float = TOGETHER) -> float:
        """In pages."""
        self.now += after
        used = self.descents.usage(pid)
        assert used is not None
        return used.memory / PAGE


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    return Machine(tmp_path)


@needs_proc
def test_a_process_and_its_descendants(machine: Machine) -> None:
    machine.start(10, 1, (TICK, 2 * TICK, 3 * TICK, 4 * TICK), 5)
    machine.start(11, 10, (TICK, 0, 0, 0), 2)
    machine.start(13, 11, (0, TICK, 0, 0), 1)
    machine.start(99, 1, (TICK, 0, 0, 0), 7)
    assert machine.descents.usage(10) == (12.0, 8 * PAGE)
    assert machine.descents.usage(12) is None, "there is none"


@needs_proc
def test_who_comes_and_goes(machine: Machine) -> None:
    machine.start(10, 1, pages=1)
    machine.start(11, 10, pages=2)
    assert machine.memory(10) == 3
    machine.start(12, 11, pages=4)
    assert machine.memory(10, TOGETHER / 2) == 3, "those who are asked for together are looked for once"
    assert machine.memory(10) == 7
    machine.end(12)
    assert machine.memory(10, 0) == 3, "it went after the look"
    machine.end(11)
    machine.start(11, 1, pages=8)
    assert machine.memory(10, REMEMBERED) == 1, "another one, with its number"


@needs_proc
def test_no_more_are_looked_at_than_a_bound(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MOST", 3)
    for pid in range(10, 20):
        machine.start(pid, pid - 1, pages=1)
    assert machine.memory(10) == 4


@needs_proc
def test_only_who_is_new_is_asked_whose_child_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(usage, "_parent", lambda pid: asked.append(pid) or pid - 1)
    for pid in (10, 11, 12):
        machine.start(pid, pid - 1, pages=1)
        assert machine.memory(10) == pid - 9
    assert asked == [10, 11, 12]


@contextmanager
def running(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """Until its input ends; from its first line on."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"done\n"
        yield started
        assert started.stdin is not None
        started.stdin.close()


def test_a_real_one() -> None:
    script = "import sys; sum(range(2_000_000)); print('done', flush=True); sys.stdin.read()"
    with running("sh", "-c", f'{sys.executable} -S -c "{script}"; true') as shell:
        used = Descents(time.monotonic).usage(shell.pid)
    assert used is not None
    assert used.cpu_seconds > 0
    assert used.memory > 5_000_000


def test_who_ended_and_was_not_waited_for_keeps_its_time() -> None:
    script = "import os; os.fork() or (sum(range(2_000_000)), os._exit(0)); print('done', flush=True); input()"
    ticks = count(step=1)
    with running(sys.executable, "-S", "-c", script) as parent:
        descents = Descents(lambda: float(next(ticks)))
        while not any(each.status() == psutil.STATUS_ZOMBIE for each in psutil.Process(parent.pid).children()):
            time.sleep(0.01)
        own = sum(psutil.Process(parent.pid).cpu_times()[:2])
        used = descents.usage(parent.pid)
    assert used is not None
    assert used.cpu_seconds > own
