"""BIND and Knot keep copies of a weft's zone, and weft copies of theirs: all stay what the primary's zone is."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from random import Random

import pytest

from discovery.registry import tsig
from discovery.registry.content import Change, content_of
from discovery.registry.journal import Journal
from discovery.registry.keys import Key
from discovery.registry.messages import update
from discovery.registry.resolv_conf import Resolver
from discovery.registry.secondary import Secondary
from discovery.registry.store import Commit
from discovery.registry.wire import IN, NOERROR, A, Record
from tests.discovery.registry.registries import registry
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_primary import Memory
from tests.interop.changing import change, wire
from tests.interop.nameservers import (
    DOMAIN,
    KEY,
    ORIGIN,
    Client,
    Follows,
    Primary,
    Start,
    bind,
    knot,
    registry_folder,
    serial_at,
    zone_at,
    zone_of,
)
from tests.interop.programs import free_ports, needs
from tests.scenarios.weft import Network, running, wait_for

pytestmark = [needs("named"), needs("knotd")]
NEAR_THE_END = (1 << 32) - 100
"""A serial after which, soon, they begin anew."""
AT_ONCE = 100
"""Changes between two comparisons."""
TAKEN_WHOLE, TAKEN_AS_CHANGES = (f"{kind}, incoming, remote" for kind in ("AXFR", "IXFR"))
"""What Knot says twice of each transfer, at its begin and at its end."""


class Writer:
    """Sends random changes to a primary."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._chance = Random(seed)
        self._client = Client(host, port)

    def write(self, count: int) -> None:
        for _ in range(count):
            message = update(self._chance.randrange(1 << 16), ORIGIN, change(self._chance))
            answer = self._client.ask(tsig.sign(message, KEY, time.time())[0])
            assert answer[3] & 0xF == NOERROR, answer

    def close(self) -> None:
        self._client.close()


def write_apart(state: Path, serial: int, *added: Record) -> None:
    """Have the store of a weft that does not run at this serial, in a step that no journal knows."""
    file = state / "registry.db"

    async def write() -> None:
        journal = Journal(file)
        await journal.open([ORIGIN])
        nodes = content_of(ORIGIN, serial, added).nodes
        await journal.commit([Commit(ORIGIN, serial - 1, serial, Change((), added), {}, nodes)])
        await journal.close()

    state.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(write())
    with closing(sqlite3.connect(file)) as store, store:
        store.execute("DELETE FROM journal")


def test_copies_of_a_weft(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    network, ports = Network.random(), free_ports(2)
    folder = registry_folder(tmp_path / "manifests", network, *(f"127.0.0.1:{port}" for port in ports))
    state = tmp_path / "manifests-state"
    host, _, text = network.dns.rpartition(":")
    writer, role = Writer(host, int(text), 1), Follows(host, int(text))
    logs = [tmp_path / start.__name__ / "log" for start in (bind, knot)]

    def alike() -> bool:
        wanted = zone_at(host, int(text))
        return wanted is not None and all(zone_at("127.0.0.1", port) == wanted for port in ports)

    def said() -> str:
        return "".join(log.read_text()[-3000:] for log in logs)

    write_apart(state, NEAR_THE_END)
    with closing(writer), ExitStack() as others:
        with running(folder, network) as weft:
            for start, log, port in zip((bind, knot), logs, ports, strict=True):
                others.enter_context(start(log.parent, port, role))
            for _ in range(size(200, 10_000) // AT_ONCE):
                writer.write(AT_ONCE)
                wait_for(alike, said)
            assert weft.stop() == 0
        [there] = {serial_at("127.0.0.1", port) for port in ports}
        assert there < NEAR_THE_END
        whole = logs[1].read_text().count(TAKEN_WHOLE)
        assert logs[1].read_text().count(TAKEN_AS_CHANGES) > AT_ONCE // 10
        write_apart(state, there + 1, Record(wire(f"apart.{DOMAIN}"), A, IN, 5, b"\x0a\1\1\1"))
        with running(folder, network) as weft:
            writer.write(1)
            wait_for(alike, said)
            assert weft.stop() == 0
    assert whole == 2
    assert logs[1].read_text().count(TAKEN_WHOLE) == 4
    assert "Traceback" not in weft.told()


@asynccontextmanager
async def following(where: Resolver, key: Key) -> AsyncIterator[tuple[Secondary, int]]:
    """A secondary of what is there, and the port at which it is told of changes."""
    made = Secondary(ORIGIN, [where], key, Random(1), time.time)
    async with registry(Memory()) as node:
        node.authority.follow(ORIGIN, made.heard)
        task = asyncio.create_task(made.run())
        try:
            yield made, node.port
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def has_serial(made: Secondary, serial: int) -> bool:
    return made.content.serial == serial


@pytest.mark.parametrize("start", [bind, knot])
async def test_copies_of_others(start: Start, tmp_path: Path, size: Callable[[int, int], int]) -> None:
    [port] = free_ports(1)
    async with following(Resolver("127.0.0.1", port), KEY) as (made, told):
        with (
            start(tmp_path / "other", port, Primary(told, NEAR_THE_END)),
            closing(Writer("127.0.0.1", port, 2)) as writer,
        ):
            await until(made.synced.is_set, 30)
            for _ in range(size(200, 10_000) // AT_ONCE):
                await asyncio.to_thread(writer.write, AT_ONCE)
                wanted = await asyncio.to_thread(zone_at, "127.0.0.1", port)
                assert wanted is not None
                await until(partial(has_serial, made, wanted.serial), 30)
                assert zone_of(made.content) == wanted
            assert made.content.serial < NEAR_THE_END
            assert made.failure == ""
