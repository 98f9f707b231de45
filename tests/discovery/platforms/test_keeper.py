from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from discovery.platforms.keeper import Keeper
from discovery.platforms.spawn import Process
from tests.discovery.platforms.local import SLEEPER, alive, eventually

pytestmark = pytest.mark.both_loops


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    keeper = Keeper(Random(1), grace=0.2)
    keeper.start()
    yield keeper
    await keeper.close()


def sleeper(keeper: Keeper, **environment: str) -> Process:
    argv = (sys.executable, "-I", "-S", "-c", SLEEPER)
    process = Process(argv, folder="/", environment=environment, ended=lambda ended: keeper.remove(ended.pid))
    keeper.add(process.pid)
    return process


async def test_what_is_left_ends_with_the_pipe(keeper: Keeper) -> None:
    told, marked = sleeper(keeper), sleeper(keeper, **keeper.mark)
    keeper.remove(marked.pid)
    await keeper.close()
    assert await told.wait() == -signal.SIGTERM
    assert await marked.wait() == -signal.SIGTERM


async def test_what_ended_is_forgotten(keeper: Keeper) -> None:
    process, other = sleeper(keeper), sleeper(keeper)
    await process.stop(5)
    keeper.remove(other.pid)
    await keeper.close()
    assert not alive(process.pid)
    assert other.running
    await other.stop(5)


async def test_a_keeper_that_dies_is_replaced_and_told_again(keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    process = sleeper(keeper)
    first = keeper.pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: keeper.pid not in (0, first))
    assert process.running
    assert "keeper ended, starting another" in caplog.text
    await keeper.close()
    assert await process.wait() == -signal.SIGTERM


async def test_a_keeper_that_does_not_read_is_replaced(keeper: Keeper) -> None:
    process = sleeper(keeper)
    first = keeper.pid
    os.kill(first, signal.SIGSTOP)
    for _ in range(10_000):
        keeper.remove(999_999_999)
    await eventually(lambda: keeper.pid not in (0, first))
    await keeper.close()
    assert await process.wait() == -signal.SIGTERM


async def test_closing_twice_and_without_start_is_fine(keeper: Keeper) -> None:
    await keeper.close()
    await keeper.close()
    await Keeper(Random(1)).close()


async def test_no_keeper_is_started_after_close(keeper: Keeper) -> None:
    os.kill(keeper.pid, signal.SIGKILL)
    await keeper.close()
    assert keeper.pid == 0


async def test_it_has_no_descriptor_but_its_pipe(keeper: Keeper) -> None:
    extra = os.open("/", os.O_RDONLY)
    try:
        os.set_inheritable(extra, True)
        await eventually(lambda: len(os.listdir(f"/proc/{keeper.pid}/fd")) == 3)
        inherited = {Path(f"/proc/{keeper.pid}/fd/{number}").readlink().name for number in (1, 2)}
    finally:
        os.close(extra)
    assert inherited == {"null"}


async def test_without_descriptors_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    keeper = Keeper(Random(1))
    with pytest.MonkeyPatch.context() as full:
        full.setattr(os, "pipe", _no_descriptors)
        keeper.start()
    assert "keeper cannot start" in caplog.text
    await eventually(lambda: keeper.pid != 0)
    await keeper.close()


def _no_descriptors() -> tuple[int, int]:
    raise OSError(errno.EMFILE, "Too many open files")
