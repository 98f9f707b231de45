from __future__ import annotations

import asyncio
import socket
from random import Random
from typing import cast

from discovery.platforms.docker.listening import Listening
from discovery.platforms.docker.observed import Run
from discovery.prober import Prober, Verdict
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.local import FakeProber

FIRST = Run("web-1", "2026-01-01T10:00:00Z", "172.17.0.2")
AGAIN = FIRST._replace(started="2026-01-01T11:00:00Z")
READY, SILENT = Verdict(True, True, ""), Verdict(False, True, "port 8080: connection refused")


class World:
    def __init__(self) -> None:
        self.prober = FakeProber(ready=False)
        self.told = 0
        self.listening = Listening(cast("Prober", self.prober), self._changed)

    def _changed(self) -> None:
        self.told += 1


def test_one_that_has_accepted_is_not_tried_again_in_this_run() -> None:
    world = World()
    world.listening.follow({FIRST: (8080,)})
    target = world.prober.targets["web-1"]
    assert (target.address, target.accept_ports) == ("172.17.0.2", (8080,))
    assert target.age > 0
    world.prober.tell("web-1", SILENT)
    assert (world.told, world.listening.accepted) == (0, set())
    world.prober.tell("web-1", READY)
    assert (world.told, world.listening.accepted) == (1, {FIRST})
    assert not world.prober.reports
    world.listening.follow({FIRST: (9090,)})
    assert (world.prober.reports, world.listening.accepted) == ({}, {FIRST})
    world.listening.follow({AGAIN: (9090,)})
    assert (list(world.prober.reports), world.listening.accepted) == (["web-1"], set())


def test_what_is_gone_or_is_sent_to_elsewhere_is_tried_no_longer() -> None:
    world = World()
    world.listening.follow({FIRST: (8080,)})
    world.listening.follow({FIRST: (8080,)})
    report = world.prober.reports["web-1"]
    world.listening.follow({FIRST: (8081,)})
    assert world.prober.reports["web-1"] is not report
    assert world.prober.targets["web-1"].accept_ports == (8081,)
    world.listening.close()
    assert not world.prober.reports


async def test_a_program_that_begins_to_listen() -> None:
    accepted = asyncio.Event()
    prober = Prober(Random(1), asyncio.get_running_loop().time)
    listening = Listening(prober, accepted.set)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))  # and does not listen yet
    port = bound.getsockname()[1]
    run = FIRST._replace(address="127.0.0.1")
    listening.follow({run: (port,)})
    await until(lambda: any(prober.stats.runs.values()))
    assert not accepted.is_set()
    async with await asyncio.start_server(lambda _, writer: writer.close(), sock=bound):
        await asyncio.wait_for(accepted.wait(), 10)
        assert (listening.accepted, len(prober)) == ({run}, 0)
    await prober.close()
