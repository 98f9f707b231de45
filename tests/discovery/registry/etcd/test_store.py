"""The store on etcd when etcd answers badly; the real one is asked in `tests/interop/test_etcd`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest

from discovery.registry.content import Change
from discovery.registry.etcd import store as etcd_store
from discovery.registry.etcd.client import Access, Etcd, Json, text
from discovery.registry.etcd.store import EtcdStore
from discovery.registry.etcd.values import Keys
from discovery.registry.store import Arrival, Commit, Outdated, StoreError
from tests.discovery.registry.test_transfer import ORIGIN, record

KEYS = Keys(b"weft/", ORIGIN)
A1 = record("a.shop.default")
NODE_COMMIT = Commit(ORIGIN, 1, 2, Change((), (A1,)), {}, {A1.name: ()}, {A1.name: False})
MARKER = b"weft/keepers/me"
LEADER = b"weft/leader"


class Scripted(Etcd):
    """An empty etcd at revision 10; `outcomes` are what happens to transactions that write."""

    def __init__(self) -> None:
        super().__init__(Access(("http://127.0.0.1:1",)))
        self.outcomes: list[Callable[[Json], Json]] = []
        self.watched: asyncio.Queue[Json] = asyncio.Queue()
        self.watches = 0
        self.lists = 0
        self.hung_up = 0
        self.leader: Json | None = None

    async def call(self, path: str, body: Json, seconds: float = 3.0) -> Json:
        await asyncio.sleep(0)
        header = {"revision": "10"}
        if path == "kv/txn" and body["compare"][0]["key"] == text(LEADER):
            leads = {"header": header, "succeeded": True}
            return leads if self.leader is None else {"header": header, "responses": [self.leader]}
        if path == "kv/txn":
            return self.outcomes.pop(0)(body) if "failure" in body else {"header": header, "succeeded": True}
        if path == "kv/range":
            self.lists += 1
            kvs = [{"key": text(key), "mod_revision": "9"} for key in (KEYS.content, KEYS.terms, MARKER)]
            return {"header": header, "kvs": kvs}
        return {"header": header, "ID": "7", "TTL": "10", "result": {"TTL": "10"}}

    async def watch(self, body: Json) -> AsyncGenerator[Json]:
        self.watches += 1
        while (said := await self.watched.get()) != {"end": True}:
            yield said
        raise StoreError("the connection was lost")

    def hang_up(self) -> None:
        self.hung_up += 1
        self.watched.put_nowait({"end": True})

    def says(self, *keys: bytes, revision: int, value: bytes = b"") -> None:
        kvs = [{"key": text(key), "mod_revision": str(revision), "value": text(value)} for key in keys]
        self.watched.put_nowait({"header": {"revision": str(revision)}, "events": [{"kv": kv} for kv in kvs]})


class Zone:
    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.resumed = 0

    def arrive(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)

    def attend(self, keepers: frozenset[bytes]) -> None:
        assert b"me" in keepers

    def resume(self) -> None:
        self.resumed += 1


@asynccontextmanager
async def opened(etcd: Scripted) -> AsyncIterator[tuple[EtcdStore, Zone]]:
    store, zone = EtcdStore(etcd, b"weft/", b"me", random=Random(1), clock=time.monotonic), Zone()
    assert (await store.open([ORIGIN]))[ORIGIN] == (9, {}, {})
    store.follow(ORIGIN, zone)
    try:
        yield store, zone
    finally:
        await store.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


def mark_of(body: Json) -> Json:
    """The write that tells whose change it is."""
    return dict(body["success"][-1]["request_put"])


def succeeds(body: Json) -> Json:
    return {"header": {"revision": "11"}, "succeeded": True}


def fails(*found: bytes, revision: int) -> Callable[[Json], Json]:
    def outcome(body: Json) -> Json:
        kvs = [{"key": text(key), "mod_revision": str(revision)} for key in found]
        return {"header": {"revision": "12"}, "responses": [{"response_range": {"kvs": [kv]}} for kv in kvs]}

    return outcome


def is_lost(body: Json) -> Json:
    raise StoreError("etcd gave no answer")


async def test_a_commit_is_done_when_it_is_seen() -> None:
    etcd = Scripted()
    async with opened(etcd) as (store, zone):
        etcd.outcomes = [succeeds]
        waiting = asyncio.create_task(store.commit([NODE_COMMIT]))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        etcd.says(KEYS.content, revision=11)
        await waiting
        assert [arrival.serial for arrival in zone.arrivals] == [11]


async def test_who_was_slower_waits_for_what_the_other_did() -> None:
    etcd = Scripted()
    async with opened(etcd) as (store, zone):
        etcd.outcomes = [fails(MARKER, KEYS.content, revision=11)]
        waiting = asyncio.create_task(store.commit([NODE_COMMIT]))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        etcd.says(KEYS.content, revision=11)
        with pytest.raises(Outdated):
            await waiting
        assert zone.arrivals[-1].serial == 11


async def test_an_answer_that_was_lost_is_no_matter_if_the_change_was_seen() -> None:
    etcd = Scripted()
    async with opened(etcd) as (store, zone):

        async def commit() -> None:
            await store.commit([NODE_COMMIT])

        def seen_and_lost(body: Json) -> Json:
            (told,) = store._mirror.take([{"kv": {"mod_revision": "11", **mark_of(body)}}], store._marks)
            store._put_in_force(told)
            raise StoreError("etcd gave no answer")

        etcd.outcomes = [seen_and_lost, is_lost]
        await commit()
        assert [(arrival.serial, arrival.is_own) for arrival in zone.arrivals] == [(11, True)]
        with pytest.raises(StoreError, match="no answer"):
            await commit()


async def test_a_commit_that_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd_store, "SEEN_SECONDS", 0.05)
    etcd = Scripted()
    async with opened(etcd) as (store, _):
        etcd.outcomes = [succeeds]
        with pytest.raises(StoreError, match="revision 11 was not seen"):
            await store.commit([NODE_COMMIT])
        assert etcd.hung_up == 1
        await until(lambda: etcd.watches == 2)


async def test_who_was_taken_for_gone_says_that_it_is_there() -> None:
    etcd = Scripted()
    async with opened(etcd) as (store, zone):
        await until(lambda: zone.resumed == 0 and etcd.watches == 1)
        assert store.is_keeping
        etcd.outcomes = [fails(KEYS.content, revision=9)]
        with pytest.raises(StoreError, match="take it for gone"):
            await store.commit([NODE_COMMIT])
        assert not store.is_keeping
        await until(lambda: store.is_keeping)
        assert zone.resumed == 1


@pytest.mark.parametrize(
    "said",
    [
        {"canceled": True, "compact_revision": "20"},
        {"canceled": True, "cancel_reason": "etcdserver: mvcc: required revision has been compacted"},
        {"created": True, "header": {"revision": "3"}},
    ],
)
async def test_what_begins_with_a_new_list(said: Json) -> None:
    etcd = Scripted()
    async with opened(etcd) as (_, zone):
        etcd.watched.put_nowait(said)
        await until(lambda: etcd.watches == 2)
        assert (etcd.lists, zone.arrivals[-1].is_whole) == (2, True)


async def test_a_watch_that_ends_again_and_again_is_not_begun_all_the_time(caplog: pytest.LogCaptureFixture) -> None:
    etcd = Scripted()
    async with opened(etcd):
        for _ in range(1000):
            etcd.watched.put_nowait({"end": True})
        await asyncio.sleep(0.3)
        assert 2 <= etcd.watches <= 8
        assert etcd.lists == 1
    assert [each.getMessage() for each in caplog.records] == ["what others change is not seen: the connection was lost"]


def led_by(value: bytes) -> Json:
    return {"response_range": {"kvs": [{"key": text(LEADER), "value": text(value)}]}}


LEADERS = {
    "nobody did": (None, ""),
    "another does": (led_by(b"ab 9"), "the registry 6162 acts"),
    "this one, by its lease": (led_by(b"me 7"), ""),
    "this one, by a lease that may end": (led_by(b"me 6"), "it is not known which registry acts"),
    "it was left just now": ({"response_range": {}}, "it is not known which registry acts"),
}


@pytest.mark.parametrize("case", LEADERS)
async def test_one_of_the_registries_acts(case: str) -> None:
    leader, standby = LEADERS[case]
    etcd = Scripted()
    etcd.leader = leader
    async with opened(etcd) as (store, _):
        assert store.standby()
        await until(lambda: bool(store._leader) or "not known" in standby)
        await asyncio.sleep(0.01)
        assert store.standby() == standby


async def test_who_follows_manifests_is_told_when_any_changes() -> None:
    etcd = Scripted()
    async with opened(etcd) as (store, _):
        changed = asyncio.create_task(store.documents_changed())
        etcd.says(A1.name, revision=10)
        await asyncio.sleep(0.01)
        assert not changed.done()
        etcd.says(b"weft/documents/Service/default/web", revision=11)
        async with asyncio.timeout(5):
            await changed
        again = asyncio.create_task(store.documents_changed())
        await asyncio.sleep(0.01)
        assert not again.done()
        again.cancel()
