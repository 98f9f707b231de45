from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from discovery.platforms.spawn import Process
from tests.discovery.platforms.local import STUBBORN, alive, eventually

pytestmark = pytest.mark.both_loops

PYTHON = (sys.executable, "-I", "-S", "-c")


class Run:
    """A started program with its output in a file, and the moment its group was gone."""

    def __init__(self, folder: Path, *argv: str, **environment: str) -> None:
        self.path = folder / "output"
        self.ended: list[Process] = []
        output = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            self.process = Process(
                argv,
                folder=str(folder),
                environment={"PATH": "/usr/bin:/bin", **environment},
                output=output,
                ended=self.ended.append,
            )
        finally:
            os.close(output)

    @property
    def output(self) -> str:
        return self.path.read_text()

    async def child(self) -> int:
        """The number that the program printed first, of a child of its own."""
        await eventually(lambda: self.output.endswith("\n"))
        return int(self.output.split()[0])


async def test_runs_in_its_folder_with_its_environment_in_a_session_of_its_own(tmp_path: Path) -> None:
    script = "import os; print(os.getcwd(), os.environ['A'], os.getsid(0) == os.getpid(), os.read(0, 1)); os._exit(3)"
    run = Run(tmp_path, *PYTHON, "import sys; sys.stderr.write('err '); sys.stdout.flush(); " + script, A="1")
    assert run.process.running
    assert await run.process.wait() == 3
    assert not run.process.running
    assert run.ended == [run.process]
    run.process.kill()
    await run.process.stop(1)
    assert run.ended == [run.process]


async def test_output_and_errors_go_to_the_file(tmp_path: Path) -> None:
    run = Run(tmp_path, "sh", "-c", "echo out; echo err >&2; pwd; echo $A", A="1")
    assert await run.process.wait() == 0
    assert run.output == f"out\nerr\n{tmp_path}\n1\n"


async def test_stop_is_a_polite_request_first(tmp_path: Path) -> None:
    run = Run(tmp_path, "sh", "-c", "trap 'echo asked; exit 7' TERM; echo 0; while :; do sleep 0.01; done")
    await run.child()
    await run.process.stop(10)
    assert await run.process.wait() == 7
    assert "asked" in run.output
    assert run.ended == [run.process]


async def test_then_it_is_killed(tmp_path: Path) -> None:
    run = Run(tmp_path, *PYTHON, STUBBORN)
    await eventually(lambda: run.output)
    started = asyncio.get_running_loop().time()
    await run.process.stop(0.3)
    assert 0.3 <= asyncio.get_running_loop().time() - started < 5
    assert await run.process.wait() == -9
    assert run.ended == [run.process]


async def test_what_a_shell_started_may_finish_after_the_shell(tmp_path: Path) -> None:
    worker = "trap 'sleep 0.2; echo finished; exit' TERM; sh -c 'echo $PPID'; while :; do sleep 0.01; done"
    run = Run(tmp_path, "sh", "-c", f"({worker}) & wait")
    child = await run.child()
    await run.process.stop(10)
    assert "finished" in run.output
    assert not alive(child)


async def test_what_a_shell_started_is_killed_after_the_grace(tmp_path: Path) -> None:
    run = Run(tmp_path, "sh", "-c", "(trap '' TERM; sh -c 'echo $PPID'; sleep 600) & wait")
    child = await run.child()
    await run.process.stop(0.3)
    await eventually(lambda: not alive(child))
    assert run.ended == [run.process]


async def test_nothing_outlives_a_process_that_ends(tmp_path: Path) -> None:
    run = Run(tmp_path, "sh", "-c", "sleep 600 & echo $!; exit 1")
    assert await run.process.wait() == 1
    child = await run.child()
    await eventually(lambda: not alive(child))
    assert run.ended == [run.process]


async def test_kill_reaches_the_group(tmp_path: Path) -> None:
    run = Run(tmp_path, "sh", "-c", "sleep 600 & echo $!; wait")
    child = await run.child()
    run.process.kill()
    assert await run.process.wait() == -9
    await eventually(lambda: not alive(child))


@pytest.mark.parametrize(
    ("argv", "error"), [(("/nowhere/program",), FileNotFoundError), (("/",), PermissionError), (("a\0b",), ValueError)]
)
async def test_what_cannot_be_started_leaves_nothing(argv: tuple[str, ...], error: type[Exception]) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(error):
        Process(argv, folder="/", environment={})
    assert os.listdir("/proc/self/fd") == before


async def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    runs = [Run(tmp_path, "true") for _ in range(20)]
    for run in runs:
        assert await run.process.wait() == 0
    assert len(os.listdir("/proc/self/fd")) == before
