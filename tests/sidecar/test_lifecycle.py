"""How a process is asked to end, seen from outside."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys

import pytest

from sidecar.errors import UserError
from sidecar.lifecycle import Lifecycle
from tests.policy.source import ROOT

SCRIPT = """
import asyncio, sys
from sidecar import lifecycle

async def main(life):
    print("up", type(asyncio.get_running_loop()).__module__, flush=True)
    if "reload" in sys.argv:
        await life.reload.wait()
        print("reloading", flush=True)
    await life.stop.wait()
    if "stubborn" in sys.argv:
        print("stopping", flush=True)
        await asyncio.sleep(60)
    return 0

sys.exit(lifecycle.run(main))
"""


def start(*words: str, loop: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=ROOT, env={"WEFT_LOOP": loop}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    expected = "asyncio.unix_events" if loop else "uvloop"
    assert process.stdout.readline().split() == ["up", expected]
    return process


async def test_work_goes_on_until_the_end_is_asked_for() -> None:
    life = Lifecycle()
    cancelled: list[str] = []

    async def work(seconds: float, says: str) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            cancelled.append(says)
            raise
        return says

    async def fail() -> str:
        raise UserError("no")

    assert await life.unless_stopped(work(0, "done")) == "done"
    with pytest.raises(UserError):
        await life.unless_stopped(fail())
    asyncio.get_running_loop().call_soon(life.stop.set)
    assert await life.unless_stopped(work(60, "stopped")) is None
    assert cancelled == ["stopped"]
    assert await life.unless_stopped(fail()) is None


@pytest.mark.parametrize("loop", ["", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_well(number: int, loop: str) -> None:
    process = start(loop=loop)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert err.strip().startswith("stopping")
    assert ("Ctrl-C again to stop at once" in err) is (number == signal.SIGINT)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_it_at_once(number: int, code: int) -> None:
    process = start("stubborn")
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert "Traceback" not in err


def test_a_hangup_asks_for_a_reload() -> None:
    process = start("reload")
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert process.stdout.readline() == "reloading\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_a_closed_terminal_ends_it() -> None:
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-c", SCRIPT], {})
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        assert screen.read(100).startswith(b"up ")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
