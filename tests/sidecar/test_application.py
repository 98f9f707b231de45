"""The application beside a sidecar: its signs of life, its end, and what becomes of its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from config.configset import ConfigSet
from config.meta import Named
from discovery.endpoint import Replica
from discovery.prober import Prober
from sidecar.application import Application
from sidecar.beside import Beside
from sidecar.sidecar_assembly import replica_of
from tests.mesh.relaying import closed_port, until

SERVER = """
import signal, socket, sys, time
def ended(number, frame):
    print(number, file=open(sys.argv[2], "a"), flush=True)
    if number != signal.SIGUSR1: sys.exit(3)
for number in (signal.SIGTERM, signal.SIGUSR1): signal.signal(number, ended)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: time.sleep(60)
"""


class Stage:
    """An Application, and all that it tells."""

    def __init__(self, command: tuple[str, ...], port: int) -> None:
        self.seen: list[tuple[Replica, ...]] = []
        self.codes: list[int] = []
        self.drained: list[str] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        beside = Beside(Named("default", "app"), (("http", port),), command=command)
        self.prober = Prober(Random(1), asyncio.get_running_loop().time)
        self.application = Application(
            beside, replica_of(beside, "app-1", "here", ""), prober=self.prober, drained=self._drained, seconds=5.0,
            ended=self.codes.append,
        )  # fmt: skip
        self.application.subscribe(self.seen.append)

    async def _drained(self, replica_id: str, deadline: float) -> None:
        self.drained.append(replica_id)
        await self.may_end.wait()

    @property
    def ready(self) -> bool:
        return bool(self.seen[-1]) and self.seen[-1][0].ready


@asynccontextmanager
async def staged(*command: str, port: int = 0) -> AsyncIterator[Stage]:
    stage = Stage(command, port or closed_port())
    try:
        await stage.application.apply(ConfigSet())
        yield stage
    finally:
        stage.may_end.set()
        await stage.application.close()
        await stage.prober.close()


def server(port: int, told: Path) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", SERVER, str(port), str(told)


async def test_it_is_ready_once_it_accepts_and_ends_when_nobody_needs_it(tmp_path: Path) -> None:
    port, told = closed_port(), tmp_path / "told"
    async with staged(*server(port, told), port=port) as stage:
        assert not stage.ready
        await until(lambda: stage.ready)
        await stage.application.apply(ConfigSet())
        stage.may_end.clear()
        closing = asyncio.create_task(stage.application.close())
        await until(lambda: stage.drained)
        assert (stage.seen[-1][0].terminating, stage.ready, stage.seen[-1][0].serving) == (True, False, True)
        assert not told.exists()
        stage.may_end.set()
        await closing
        assert told.read_text().split() == [str(int(signal.SIGTERM))]
        assert stage.codes == [3]
        assert stage.seen[-1] == ()


async def test_one_that_ends_by_itself_is_said_to_go_at_once() -> None:
    async with staged(sys.executable, "-S", "-c", "raise SystemExit(7)") as stage:
        await until(lambda: stage.codes)
        assert stage.codes == [7]
        assert stage.seen[-1][0].terminating
        assert not stage.seen[-1][0].serving
        await stage.application.close()
        assert stage.drained == []


async def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    async with staged(str(tmp_path / "nothing")) as stage:
        assert stage.codes == [127]
        assert not stage.ready


async def test_one_that_is_started_elsewhere_is_left_alone() -> None:
    async def accept(_: object, writer: asyncio.StreamWriter) -> None:
        writer.close()

    port = closed_port()
    async with staged(port=port) as stage:
        assert not stage.ready
        async with await asyncio.start_server(accept, "127.0.0.1", port):
            await until(lambda: stage.ready)
            await stage.application.close()
        assert (stage.drained, stage.codes) == (["app-1"], [])


async def test_signals_are_passed_on(tmp_path: Path) -> None:
    port, told = closed_port(), tmp_path / "told"
    async with staged(*server(port, told), port=port) as stage:
        await until(lambda: stage.ready)
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: told.exists() and told.read_text().strip() == str(int(signal.SIGUSR1)))
        stage.application.kill()
        await until(lambda: stage.codes == [128 + signal.SIGKILL])
