"""The store on SQLite: what was committed is there, whatever happened next."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from discovery.registry import journal
from discovery.registry.content import SERIALS, Change, Node, RRset
from discovery.registry.journal import Journal
from discovery.registry.store import Commit, Past, RecordKey, Stored, StoreError, Term, key_of
from discovery.registry.wire import IN, A, Record, from_text, to_wire
from tests.policy.source import ROOT

ORIGIN = to_wire(from_text("endpoints.cluster.local"))
OTHER = to_wire(from_text("nodes.cluster.local"))


def record(number: int, ttl: int = 5) -> Record:
    name = to_wire(from_text(f"h{number}.shop.default.endpoints.cluster.local"))
    return Record(name, A, IN, ttl, number.to_bytes(4, "big"))


def adds(serial: int, *numbers: int, origin: bytes = ORIGIN) -> Commit:
    return commit((serial - 1) % SERIALS, serial, Change((), tuple(map(record, numbers))), origin=origin)


def commit(
    before: int, serial: int, change: Change, terms: Mapping[RecordKey, Term | None] | None = None,
    origin: bytes = ORIGIN,
) -> Commit:  # fmt: skip
    """Of names that have nothing but what is added."""
    nodes: dict[bytes, Node] = {each.name: () for each in change.removed}
    nodes |= {each.name: (RRset(each.type, each.ttl, (each.data,)),) for each in change.added}
    return Commit(origin, before, serial, change, terms or {}, nodes)


def there(*made: Record) -> dict[bytes, Node]:
    return dict(commit(0, 1, Change((), made)).nodes)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[tuple[Journal, Stored]]:
    store = Journal(path / "registry.db")
    try:
        yield store, (await store.open([ORIGIN, OTHER]))[ORIGIN]
    finally:
        await store.close()


async def test_a_new_one_is_empty(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, stored):
        assert stored == Stored(0, {}, {})
        assert await store.history(ORIGIN, 0) == []
        assert await store.history(ORIGIN, 1) is None


async def test_what_is_committed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed does not show it: what it wrote stays in the memory of the system."""
    made, connect = list[sqlite3.Connection](), sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: made.append(connect(*given, **more)) or made[-1])
    async with opened(tmp_path):
        (database,) = made
        settings = {name: database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert settings == {"journal_mode": "wal", "synchronous": 2}


async def test_records_leases_and_history_are_there_again(tmp_path: Path) -> None:
    leased = commit(0, 1, Change((), (record(1), record(2))), {key_of(record(1)): Term(b"\1k\0", 30)})
    moved = commit(1, 2, Change((record(2),), (record(2, ttl=9),)))
    async with opened(tmp_path) as (store, _):
        await store.commit([leased])
        await store.commit([moved, adds(7, 8, origin=OTHER)])
    async with opened(tmp_path) as (store, stored):
        assert stored.serial == 2
        assert stored.nodes == there(record(1), record(2, ttl=9))
        assert stored.terms == {Term(b"\1k\0", 30): {record(1).name: stored.nodes[record(1).name]}}
        assert await store.history(ORIGIN, 0) == [Past(0, 1, leased.change), Past(1, 2, moved.change)]
        assert await store.history(ORIGIN, 1) == [Past(1, 2, moved.change)]
        assert await store.history(OTHER, 6) == [Past(6, 7, Change((), (record(8),)))]


async def test_a_lease_can_be_taken_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([commit(0, 1, Change((), (record(1),)), {key_of(record(1)): Term(b"", 30)})])
        await store.commit([adds(1, 1)._replace(before=1, change=Change((), ()), terms={key_of(record(1)): None})])
    async with opened(tmp_path) as (store, stored):
        assert (stored.serial, stored.terms) == (1, {})
        assert [past.serial for past in await store.history(ORIGIN, 0) or ()] == [1]


async def test_serials_go_over_their_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([adds(0xFFFFFFFF, 1)])
        await store.commit([adds(0, 2)])
        await store.commit([adds(1, 3)])
        assert [past.serial for past in await store.history(ORIGIN, 0xFFFFFFFF) or ()] == [0, 1]


async def test_a_commit_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.commit([adds(1, 1)])
        with pytest.raises(StoreError, match=r"registry\.db"):
            await store.commit([adds(2, 2), adds(3, 1)._replace(before=None)])  # type: ignore[arg-type]
    async with opened(tmp_path) as (_, stored):
        assert (stored.serial, stored.nodes) == (1, there(record(1)))


@pytest.mark.parametrize(("limit", "value"), [("MOST_BYTES", 100), ("LONGEST_SECONDS", 3.5)])
async def test_it_is_compacted(tmp_path: Path, limit: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, limit, value)
    monkeypatch.setattr(journal, "COMPACT_EVERY", 8)
    now = iter(range(100))
    store = Journal(tmp_path / "registry.db", lambda: next(now))
    await store.open([ORIGIN])
    for serial in range(1, 9):
        await store.commit([adds(serial, serial)])
    assert await store.history(ORIGIN, 0) is None
    assert await store.history(ORIGIN, 7) == [Past(7, 8, Change((), (record(8),)))]
    await store.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def _newer(path: Path) -> None:
    sqlite3.connect(path).execute("PRAGMA user_version=99").connection.close()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"), [(_garbage, "not a database"), (_newer, "has format 99"), (_folder, "unable to open")]
)
async def test_a_file_that_is_none_of_ours(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    spoil(tmp_path / "registry.db")
    store = Journal(tmp_path / "registry.db")
    with pytest.raises(StoreError, match=says):
        await store.open([ORIGIN])
    await store.close()


async def test_it_is_used_once_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path):
        second = Journal(tmp_path / "registry.db", busy_seconds=0.01)
        with pytest.raises(StoreError, match="locked"):
            await second.open([ORIGIN])
        await second.close()


async def test_closed_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store._run(store._close)
        with pytest.raises(StoreError, match="not open"):
            await store.commit([adds(1, 1)])
    await store.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.discovery.registry.test_journal import ORIGIN, Journal, adds

async def main():
    store = Journal(Path(sys.argv[1]))
    serial = (await store.open([ORIGIN]))[ORIGIN].serial
    while True:
        serial += 1
        await store.commit([adds(serial, serial)])
        print(serial, flush=True)

asyncio.run(main())
"""


async def test_nothing_committed_is_lost_by_a_kill(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    random = Random(1)
    for _ in range(size(3, 50)):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "registry.db")], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(random.randrange(1, 20))]
        os.kill(writer.pid, signal.SIGKILL)
        seen += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        last = max(int(line) for line in seen if line.endswith(b"\n"))
        async with opened(tmp_path) as (store, stored):
            assert last <= stored.serial <= last + 1
            assert stored.nodes == there(*map(record, range(1, stored.serial + 1)))
            assert [past.serial for past in await store.history(ORIGIN, 0) or ()] == list(range(1, stored.serial + 1))


async def test_a_commit_outlives_who_waits_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        waiting = asyncio.create_task(store.commit([adds(1, 1)]))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await store.history(ORIGIN, 0) == [Past(0, 1, Change((), (record(1),)))]
