"""What /proc says of a process and all below it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from discovery.platforms.usage import measure

TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def process(proc: Path, pid: int, ticks: tuple[int, int, int, int], pages: int, *children: int) -> None:
    """One as Linux shows it, with a name that tries to be fields."""
    folder = proc / str(pid) / "task" / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", *["0"] * 10, *map(str, ticks), *["0"] * 6, str(pages), "0"]
    (proc / str(pid) / "stat").write_text(f"{pid} (a) S 1 (b) {' '.join(fields)}\n")
    (folder / "children").write_text("".join(f"{child} " for child in children))


def test_a_process_and_its_descendants(tmp_path: Path) -> None:
    process(tmp_path, 10, (TICK, 2 * TICK, 3 * TICK, 4 * TICK), 5, 11, 12)
    process(tmp_path, 11, (TICK, 0, 0, 0), 2, 13)
    process(tmp_path, 13, (0, TICK, 0, 0), 1)
    process(tmp_path, 99, (TICK, 0, 0, 0), 7)
    assert measure(10, tmp_path) == (12.0, 8 * PAGE)


def test_none_where_there_is_no_such_process(tmp_path: Path) -> None:
    assert measure(10, tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a system without /proc")
def test_a_real_one() -> None:
    script = "import sys; sum(range(2_000_000)); print('done', flush=True); sys.stdin.read()"
    shell = ["sh", "-c", f'{sys.executable} -S -c "{script}"; true']
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"done\n"
        used = measure(started.pid)
        assert started.stdin is not None
        started.stdin.close()
    assert used is not None
    assert used.cpu_seconds > 0
    assert used.memory > 5_000_000
