"""dnsperf asks a registry and BIND for addresses while their zone is being changed: weft is about as fast.

What counts is CPU time, so another one's load decides nothing.  `make benchmark` asks more exactly.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from discovery.registry.messages import update
from discovery.registry.wire import NOERROR
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_transfer import record
from tests.interop.nameservers import DOMAIN, ORIGIN, ZONE, Client, registry_folder
from tests.interop.programs import free_ports, named, needs
from tests.interop.writers import Writer
from tests.scenarios.weft import Network, running

pytestmark = [needs("named"), needs("dnsperf")]
LEAST = 0.6
"""Of BIND's answers per core-second."""
PATIENCE = 30.0
ENDPOINTS = 1000
TOGETHER = 20
"""Registered by one message."""
ASKED = 100
UPDATES_PER_SECOND = 100
ANSWERS_PER_UPDATE = 500
"""What that is where 50,000 are given in a second."""
AS_SHORT = "minimal-responses yes;"
"""As weft's answers are."""
ONLY_ADDRESSES = re.compile(r"Response codes: +NOERROR \d+ \(100\.00%\)\n")


class Server(NamedTuple):
    pid: int
    host: str
    port: int

    @property
    def cpu_seconds(self) -> float:
        """That its threads have taken; /proc/PID/stat counts in ticks of 10 ms, which are too long here."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Burst(NamedTuple):
    answers: int
    cpu_seconds: float


def register(server: Server) -> None:
    with closing(Client(server.host, server.port)) as client:
        for first in range(0, ENDPOINTS, TOGETHER):
            there = [record(owner(number)) for number in range(first, first + TOGETHER)]
            assert client.ask(update(first, ORIGIN, there))[3] & 0xF == NOERROR


def owner(number: int) -> str:
    return f"h{number}.s{number % 50}.default"


async def burst(server: Server, asked: Path, rounds: int, turn: int) -> Burst:
    """Answers with updates meanwhile: how many there are of each does not depend on how long it takes."""
    # The seed is part of what is written, so no burst sends what an earlier one sent.
    writer, before = Writer(turn, [(server.host, server.port)], 1 / UPDATES_PER_SECOND), server.cpu_seconds
    writing = asyncio.create_task(writer.run())
    asking = asyncio.create_task(answered(server, asked, rounds))
    try:
        wanted = rounds * ASKED // ANSWERS_PER_UPDATE
        await until(lambda: writing.done() or writer.acknowledged >= wanted, PATIENCE)
        writing.cancel()
        answers = await asking
    finally:
        for task in (writing, asking):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await writing
    return Burst(answers, server.cpu_seconds - before)


async def answered(server: Server, asked: Path, rounds: int) -> int:
    """How many questions of dnsperf were; each has an address."""
    words = ("-s", server.host, "-p", str(server.port), "-d", str(asked), "-n", str(rounds), "-c", "16", "-q", "64")
    dnsperf = await asyncio.create_subprocess_exec("dnsperf", *words, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE):
            told = (await dnsperf.communicate())[0].decode()
    finally:
        if dnsperf.returncode is None:
            dnsperf.kill()
            await dnsperf.wait()
    completed = re.search(r"Queries completed: +(\d+)", told)
    assert completed is not None, told
    assert ONLY_ADDRESSES.search(told), told
    return int(completed[1])


async def test_answers_while_endpoints_change(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    [port], network = free_ports(1), Network.random()
    host, _, text = network.dns.rpartition(":")
    folder, asked = registry_folder(tmp_path / "manifests", network, keys={}), tmp_path / "asked"
    asked.write_text("".join(f"{owner(number)}.{DOMAIN} A\n" for number in range(ASKED)))
    rules = {DOMAIN: "allow-update { 127.0.0.1; }; notify no; check-integrity no;"}
    with (
        named(tmp_path / "bind", port, {DOMAIN: ZONE % {"serial": 1}}, options=AS_SHORT, rules=rules) as pid,
        running(folder, network, role="registry") as weft,
    ):
        bind, own = Server(pid, "127.0.0.1", port), Server(weft.process.pid, host, int(text))
        for server in (bind, own):
            await asyncio.to_thread(register, server)
        took: dict[Server, list[Burst]] = {bind: [], own: []}
        for turn in range(size(2, 5)):
            for server, bursts in took.items():
                bursts.append(await burst(server, asked, size(100, 2000), turn))
    theirs, ours = (per_core_second(took[server]) for server in (bind, own))
    assert ours >= LEAST * theirs, took
    assert "Traceback" not in weft.told()


def per_core_second(bursts: list[Burst]) -> float:
    return sum(each.answers for each in bursts) / sum(each.cpu_seconds for each in bursts)
