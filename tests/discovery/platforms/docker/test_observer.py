from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from discovery.backoff import BackoffPolicy
from discovery.platforms.docker import engine as connections
from discovery.platforms.docker import observer as module
from discovery.platforms.docker.engine import Connection
from discovery.platforms.docker.labels import service_of
from discovery.platforms.docker.observer import Observer
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import FakeEngine, fake_engine
from tests.discovery.platforms.docker.running import assert_no_more, held, until

SOON = BackoffPolicy(first=0.001, ceiling=0.01)


@asynccontextmanager
async def observing(fake: FakeEngine, changed: Callable[[], None] = lambda: None) -> AsyncIterator[Observer]:
    observer = Observer(
        lambda: Connection(fake.host),
        host=fake.host,
        matters=lambda labels: service_of(labels) is not None,
        changed=changed,
        random=Random(1),
        reconnects=SOON,
    )
    task = asyncio.create_task(observer.run())
    try:
        yield observer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_containers_come_and_go(tmp_path: Path) -> None:
    told: list[None] = []
    async with fake_engine(tmp_path) as fake:
        fake.put()
        async with observing(fake, lambda: told.append(None)) as observer:
            conditions = observer.observation.conditions
            await until(lambda: observer.standing.connected and fake.listeners)
            assert conditions[ID].ready
            assert observer.kinds == {"bridge": "bridge"}
            fake.put("second")
            fake.tell("start", "second")
            await until(lambda: "second" in conditions)
            before = len(told)
            fake.tell("kill", signal="15")
            await until(lambda: conditions[ID].ending)
            assert len(told) == before + 1
            fake.tell("die")
            await until(lambda: ID not in conditions)


async def test_what_was_known_stays_while_the_engine_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "weft.docker")
    async with fake_engine(tmp_path) as fake:
        fake.put()
        fake.put("second")
        async with observing(fake) as observer:
            await until(lambda: observer.standing.connected)
            await fake.end()
            await until(lambda: not observer.standing.connected)
            assert observer.standing.reason
            assert set(observer.observation.conditions) == {ID, "second"}
            del fake.containers["second"]
            fake.put("third")
            await fake.begin()
            await until(lambda: observer.standing.connected)
            assert set(observer.observation.conditions) == {ID, "third"}
            assert (observer.standing.connections, observer.standing.reason) == (2, "")
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the engine is gone",
        "the engine is there again",
    ]


async def test_one_that_was_ending_before_weft_began_is_ending(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        fake.put()
        fake.tell("kill", signal="15")
        async with observing(fake) as observer:
            await until(lambda: observer.observation.conditions)
            await until(lambda: observer.observation.conditions[ID].ending)


async def test_an_engine_that_hangs_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(module, "HEARTBEAT", 0.02)
    async with fake_engine(tmp_path) as fake:
        fake.put()
        async with observing(fake) as observer:
            await until(lambda: observer.standing.connected)
            fake.answers.clear()
            await until(lambda: not observer.standing.connected)
            assert "no answer" in observer.standing.reason
            assert ID in observer.observation.conditions
            fake.answers.set()
            await until(lambda: observer.standing.connected)


async def test_what_events_did_not_tell_the_list_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.01)
    async with fake_engine(tmp_path) as fake, observing(fake) as observer:
        await until(lambda: observer.standing.connected)
        fake.put()
        await until(lambda: ID in observer.observation.conditions)
        fake.containers.clear()
        await until(lambda: ID not in observer.observation.conditions)


async def test_an_answer_that_cannot_be_read_is_no_end(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        fake.put()["Name"] = 1
        async with observing(fake) as observer:
            await until(lambda: "cannot be read" in observer.standing.reason)
            fake.put()
            await until(lambda: observer.standing.connected)


async def test_reconnecting_leaks_nothing(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    """Of connections, tasks and descriptors there are as many after all those ends as after the first few."""
    many = size(60, 1000)
    async with fake_engine(tmp_path) as fake:
        fake.put()
        fake.cut_events = True
        async with observing(fake) as observer:
            await until(lambda: fake.asked.count("/v1.41/events") >= 20)
            before = held()
            await until(lambda: fake.asked.count("/v1.41/events") >= many, 300)
            fake.cut_events = False
            await until(lambda: fake.listeners and observer.standing.connected)
            assert_no_more(held(), before)


async def test_it_can_be_ended_while_the_engine_goes(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        observer = Observer(
            lambda: Connection(fake.host), host=fake.host, matters=lambda _: True, changed=lambda: None,
            random=Random(1), reconnects=BackoffPolicy(first=60, ceiling=60),
        )  # fmt: skip
        task = asyncio.create_task(observer.run())
        await until(lambda: observer.standing.connected and fake.listeners)
        await fake.end()
        task.cancel()
        await until(task.done)
