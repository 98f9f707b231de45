"""A secondary keeps up with its primary, and holds on to what it has when that is gone or talks nonsense."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from discovery.registry.asking import Tell
from discovery.registry.content import Content
from discovery.registry.doubt import HOLD_SECONDS
from discovery.registry.keys import Key
from discovery.registry.messages import removed
from discovery.registry.resolv_conf import Resolver
from discovery.registry.secondary import Secondary
from discovery.registry.transfer import incremental, messages
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.servers import upstream
from tests.discovery.registry.test_authority import KEYS, NODE, READER, until
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_transfer import APEX, IXFR, ORIGIN, record


@asynccontextmanager
async def secondary(*primaries: Registry | Resolver, key: Key | None = None) -> AsyncIterator[Secondary]:
    where = [Resolver(each.host, each.port) if isinstance(each, Registry) else each for each in primaries]
    made = Secondary(ORIGIN, where, key, Random(1), time.time)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def same(one: Content, other: Content) -> bool:
    here = {each for each in one.records() if each.name != ORIGIN}
    return one.serial == other.serial and here == {each for each in other.records() if each.name != ORIGIN}


@pytest.mark.parametrize("signed", [False, True])
async def test_it_takes_the_zone_and_follows(signed: bool) -> None:
    async with registry(Memory(), KEYS if signed else None) as where:
        primary = where.primary
        await primary.submit(asks(*(record(f"h{number}.a.b") for number in range(700))))
        async with secondary(where, key=READER if signed else None) as made:
            await asyncio.wait_for(made.synced.wait(), 5)
            assert same(made.content, primary.content)
            seen: set[bytes] = set()
            made.followers.append(seen.update)
            await primary.submit(asks(record("new.a.b"), removed(record("h1.a.b"))))
            assert made.heard(primary.content.serial, "127.0.0.1")
            await until(lambda: same(made.content, primary.content))
            assert seen == {record("new.a.b").name, record("h1.a.b").name}
            await primary.submit(asks(*(record(f"more{number}.a.b") for number in range(700))))
            made.heard(None, "127.0.0.1")
            await until(lambda: same(made.content, primary.content))


async def test_what_was_doubted_before_it_was_in_step_again_is_another_matter() -> None:
    async with registry(Memory()) as where, secondary(where) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        made.doubt.lacks.append(lambda _: True)
        now = asyncio.get_running_loop().time
        assert made.doubt.holds({}, {}, now() - HOLD_SECONDS)
        before = made.last_contact
        made.heard(None, "127.0.0.1")
        await until(lambda: made.last_contact > before)
        assert made.doubt.holds({}, {}, now())


async def test_without_a_notify_it_asks_by_itself() -> None:
    async with registry(Memory()) as where, secondary(where) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        await where.primary.submit(asks(record("new.a.b")))
        await until(lambda: same(made.content, where.primary.content))


async def test_a_small_difference_comes_by_udp_also_when_it_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with registry(Memory(), KEYS) as where, secondary(where, key=READER) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        monkeypatch.setattr(made, "_by_tcp", None)
        await where.primary.submit(asks(*(record(f"h{number}.a.b") for number in range(25))))
        made.heard(None, "127.0.0.1")
        await until(lambda: same(made.content, where.primary.content))


async def test_whom_it_listens_to() -> None:
    async with registry(Memory()) as where, secondary(where) as made:
        assert not made.heard(99, "127.0.0.2")
        assert made.heard(99, "127.0.0.1")


async def test_what_is_not_known_any_more_is_taken_as_a_whole() -> None:
    store = Memory()
    async with registry(store) as where, secondary(where) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        await where.primary.submit(asks(record("a.a.b"), record("b.a.b")))
        where.primary.history.clear()
        store.commits.clear()
        made.heard(None, "127.0.0.1")
        await until(lambda: same(made.content, where.primary.content))


async def test_a_copy_that_is_not_what_it_should_be_is_replaced() -> None:
    async with registry(Memory()) as where, secondary(where) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        made.content.put(record("strange.a.b").name, where.primary.content.nodes.get(b"", ()))
        await where.primary.submit(asks(record("a.a.b")))
        await until(lambda: same(made.content, where.primary.content))
        made.content.put(record("a.a.b").name, ())
        await where.primary.submit(asks(removed(record("a.a.b"))))
        made.heard(None, "127.0.0.1")
        await until(lambda: same(made.content, where.primary.content))


async def test_a_registry_that_is_gone_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with registry(Memory()) as second:
        await second.primary.submit(asks(record("a.a.b"), record("b.a.b")))
        async with registry(Memory()) as first:
            await first.primary.submit(asks(record("a.a.b")))
            context = secondary(first, second)
            made = await context.__aenter__()
            await asyncio.wait_for(made.synced.wait(), 5)
            assert same(made.content, first.primary.content)
        await until(lambda: bool(made.failure))
        assert "Errno" not in made.failure
        assert same(made.content, first.primary.content)
        assert "the endpoints stay as they were" in caplog.text
        second.primary.content.serial += 5
        await until(lambda: same(made.content, second.primary.content))
        assert made.failure == ""
        assert "answers again" in caplog.text
        await context.__aexit__(None, None, None)


WRONG = {
    "a key that may not have it": (NODE, "answered REFUSED"),
    "another secret": (Key(READER.name, READER.algorithm, b"x" * 16), "the other side says BADSIG"),
    "no key": (None, "answered REFUSED"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_who_may_not_have_it_is_told_so(case: str) -> None:
    key, says = WRONG[case]
    async with registry(Memory(), KEYS) as where, secondary(where, key=key) as made:
        await until(lambda: says in made.failure)
        assert not made.synced.is_set()


def _said(*chunks: bytes) -> Callable[[bytes, bool], list[bytes]]:
    return lambda query, tcp: list(messages(query[:2], IXFR, chunks))


NONSENSE: dict[str, tuple[Callable[[bytes, bool], list[bytes]], str]] = {
    "nothing": (lambda query, tcp: [], "0 bytes read"),
    "no message": (lambda query, tcp: [b"\0\1garbage"], "answered something else"),
    "another id": (lambda query, tcp: [b"\xff\xff" + query[2:]], "answered something else"),
    "the question": (lambda query, tcp: [query], "answered NOERROR"),
    "not signed": (_said(*incremental(APEX, 9, ())), "which is not signed"),
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_nonsense(case: str) -> None:
    say, says = NONSENSE[case]
    key = READER if case == "not signed" else None
    async with upstream(say) as where, secondary(where.address, key=key) as made:
        await until(lambda: bool(made.failure))
        assert says in made.failure
        assert not made.content.nodes


async def test_only_the_names_that_are_wanted_are_kept() -> None:
    async with registry(Memory()) as where:
        primary = where.primary
        await primary.submit(asks(*(record(f"h{number}.{service}.b") for number in range(300) for service in "ac")))
        async with secondary(where) as made:
            made.want(frozenset({b"\1a\1b"}))
            await asyncio.wait_for(made.synced.wait(), 5)
            wanted = {each for each in primary.content.nodes if b"\1a\1b" in each}
            await until(lambda: made.content.nodes.keys() == wanted)
            await primary.submit(asks(removed(record("h1.a.b")), removed(record("h1.c.b")), record("new.c.b")))
            await until(lambda: made.content.serial == primary.content.serial)
            assert made.content.nodes.keys() == wanted - {record("h1.a.b").name}
            made.want(frozenset({b"\1c\1b"}))
            await until(lambda: made.content.nodes.keys() == {n for n in primary.content.nodes if b"\1c\1b" in n})


async def test_it_says_when_a_registry_answers_again() -> None:
    async with registry(Memory()) as where, secondary(where) as made:
        told: list[Resolver] = []
        made.returned.append(told.append)
        await asyncio.wait_for(made.synced.wait(), 5)
        assert told == []
        made._failed("it did not answer in time")
        made.heard(None, "127.0.0.1")
        await until(lambda: told)
        assert made.failure == ""


async def test_an_answer_that_is_lost_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with registry(Memory(), KEYS) as where, secondary(where, key=READER) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        lost: list[bytes] = []
        send = made._asking.ask

        def ask(primary: Resolver, query: bytes, tell: Tell) -> None:
            if lost:
                send(primary, query, tell)
            else:
                lost.append(query)
                tell(TimeoutError())

        monkeypatch.setattr(made._asking, "ask", ask)
        await where.primary.submit(asks(record("new.a.b")))
        assert made.heard(where.primary.content.serial, "127.0.0.1")
        await until(lambda: same(made.content, where.primary.content))
        assert len(lost) == 1
        assert made.failure == ""


async def test_what_is_heard_of_while_a_question_is_under_way_is_asked_for_next() -> None:
    async with registry(Memory(), KEYS) as where, secondary(where, key=READER) as made:
        await asyncio.wait_for(made.synced.wait(), 5)
        await until(lambda: made._is_waiting)
        turns: list[int] = []
        made.followers.append(lambda names: turns.append(made.content.serial))
        await where.primary.submit(asks(record("one.a.b")))
        assert made.heard(where.primary.content.serial, "127.0.0.1")
        assert made._is_aside
        await until(lambda: bool(turns))
        await where.primary.submit(asks(record("two.a.b")))
        made.heard(where.primary.content.serial, "127.0.0.1")
        await where.primary.submit(asks(record("three.a.b")))
        made.heard(where.primary.content.serial, "127.0.0.1")
        await until(lambda: same(made.content, where.primary.content))
        assert not made._notified.is_set()


async def test_the_first_primary_is_followed_again_once_it_has_what_is_here() -> None:
    async with registry(Memory()) as second, registry(Memory()) as first, secondary(first, second) as made:
        there = [Resolver(each.host, each.port) for each in (first, second)]
        told: list[Resolver] = []
        made.returned.append(told.append)
        await asyncio.wait_for(made.synced.wait(), 5)
        await second.primary.submit(asks(record("a.a.b"), record("b.a.b")))
        await second.primary.submit(asks(record("c.a.b")))
        made._failed("it did not answer in time")
        made.heard(None, "127.0.0.1")
        await until(lambda: same(made.content, second.primary.content))
        assert (made.primary, told) == (there[1], [there[1]])
        tried = made._preference.try_at
        await until(lambda: made._preference.try_at > tried)
        with pytest.raises(AssertionError):
            await until(lambda: made.primary == there[0], seconds=0.5)
        await first.primary.submit(asks(record("a.a.b"), record("b.a.b")))
        await first.primary.submit(asks(record("c.a.b")))
        await first.primary.submit(asks(record("d.a.b")))
        await until(lambda: same(made.content, first.primary.content), 30)
        assert (made.primary, told, made.failure) == (there[0], [there[1], there[0]], "")
