from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from discovery.platforms import keeper_process
from tests.discovery.platforms.local import alive

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
POLITE = "import time; print(flush=True); time.sleep(600)"


class Kept:
    """A keeper without weft: the test holds the pipe."""

    def __init__(self, grace: float) -> None:
        self.mark = secrets.token_hex(8)
        script = Path(keeper_process.__file__)
        argv = [sys.executable, "-I", "-S", str(script), self.mark, str(grace)]
        self.keeper = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True, env={})
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, script: str, **environment: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", script],
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert child.stdout
        child.stdout.readline()
        child.stdout.close()
        self.started.append(child)
        return child

    def tell(self, text: str) -> None:
        assert self.keeper.stdin
        self.keeper.stdin.write(text.encode())
        self.keeper.stdin.flush()

    def status(self, field: str) -> str:
        text = Path(f"/proc/{self.keeper.pid}/status").read_text()
        return text.split(f"{field}:")[1].splitlines()[0].strip()

    def settle(self) -> None:
        """Wait until it ignores signals, the first thing that it does."""
        deadline = time.monotonic() + 10
        while not int(self.status("SigIgn"), 16) >> (signal.SIGTERM - 1) & 1:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def hang_up(self) -> float:
        """Seconds from the break of the pipe to the keeper's end."""
        began = time.monotonic()
        assert self.keeper.stdin
        self.keeper.stdin.close()
        assert self.keeper.wait(10) == 0
        return time.monotonic() - began


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept(grace=0.3)
    yield kept
    assert kept.keeper.stdin
    kept.keeper.stdin.close()
    for process in (kept.keeper, *kept.started):
        process.kill()
        process.wait()


def test_ends_at_once_when_there_is_nothing_to_end(kept: Kept) -> None:
    assert kept.hang_up() < 2


def test_groups_are_asked_first(kept: Kept) -> None:
    child = kept.start(POLITE)
    kept.tell(f"+{child.pid}\n")
    kept.hang_up()
    assert child.wait(5) == -signal.SIGTERM


def test_then_killed(kept: Kept) -> None:
    child = kept.start(STUBBORN)
    kept.tell(f"+{child.pid}\n")
    assert kept.hang_up() >= 0.3
    assert child.wait(5) == -signal.SIGKILL


def test_what_was_taken_back_is_left_alone(kept: Kept) -> None:
    ended, other = kept.start(POLITE), kept.start(POLITE)
    kept.tell(f"+{other.pid}\n+{ended.pid}\n-{other.pid}\n")
    kept.hang_up()
    assert ended.wait(5) == -signal.SIGTERM
    assert other.poll() is None


def test_lines_may_come_in_pieces(kept: Kept) -> None:
    child = kept.start(POLITE)
    for letter in f"+{child.pid}\n":
        kept.tell(letter)
        time.sleep(0.005)
    kept.hang_up()
    assert child.wait(5) == -signal.SIGTERM


def test_what_carries_the_mark_is_ended_though_nobody_told(kept: Kept) -> None:
    marked = kept.start(POLITE, WEFT_MARK=kept.mark, OTHER="x")
    other = kept.start(POLITE, WEFT_MARK=f"{kept.mark}2")
    kept.hang_up()
    assert marked.wait(5) == -signal.SIGTERM
    assert other.poll() is None


def test_signals_of_the_terminal_do_not_end_it(kept: Kept) -> None:
    child = kept.start(POLITE)
    kept.tell(f"+{child.pid}\n")
    kept.settle()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        kept.keeper.send_signal(number)
    assert os.getsid(kept.keeper.pid) == kept.keeper.pid
    kept.hang_up()
    assert not alive(child.pid)


def test_is_small(kept: Kept) -> None:
    kept.settle()
    assert int(kept.status("VmRSS").split()[0]) < 12_000


def test_zombies_do_not_count_as_living() -> None:
    child = subprocess.Popen(["true"], start_new_session=True)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert keeper_process.living({child.pid}) == set()
    child.wait()
    assert keeper_process.living({os.getpgid(0)}) == {os.getpgid(0)}


def test_the_number_of_a_group_that_is_gone_gets_no_second_signal(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    polite, stubborn = kept.start(POLITE), kept.start(STUBBORN)
    told: list[tuple[set[int], int]] = []
    send = keeper_process.send

    def noted(groups: set[int], mark: bytes, number: int) -> None:
        told.append((set(groups), number))
        send(groups, mark, number)

    monkeypatch.setattr(keeper_process, "send", noted)
    keeper_process.end({polite.pid, stubborn.pid}, f"WEFT_MARK={kept.mark}".encode(), 1.0)
    assert told == [({polite.pid, stubborn.pid}, signal.SIGTERM), ({stubborn.pid}, signal.SIGKILL)]
