"""How a process is asked to end, seen from outside."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.policy.source import ROOT

SCRIPT = """
import asyncio, sys
from sidecar import lifecycle

async def main(life):
    print("up", type(asyncio.get_running_loop()).__module__, flush=True)
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


@pytest.mark.parametrize("loop", ["", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_well(number: int, loop: str) -> None:
    process = start(loop=loop)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert err.strip().startswith("stopping")
    assert ("Ctrl-C again to stop at once" in err) is (number == signal.SIGINT)


def test_a_second_interrupt_ends_it_at_once() -> None:
    process = start("stubborn")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err
