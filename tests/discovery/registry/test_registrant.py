"""A registrant keeps its records in a registry on real sockets, whoever answers and whoever does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from discovery.backoff import BackoffPolicy
from discovery.registry import registrant as module
from discovery.registry.asked import error
from discovery.registry.keys import Key, KeyRing
from discovery.registry.messages import LARGEST_UDP
from discovery.registry.outline import outline
from discovery.registry.registrant import Registrant
from discovery.registry.resolv_conf import Resolver
from discovery.registry.terms import Terms
from discovery.registry.wire import NOERROR, REFUSED, SERVFAIL, Record
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.servers import sockets, upstream
from tests.discovery.registry.test_authority import KEYS, NODE, until
from tests.discovery.registry.test_primary import Memory
from tests.discovery.registry.test_transfer import ORIGIN, record

ONE, TWO = record("one.app.default"), record("two.app.default")


@asynccontextmanager
async def registering(
    *servers: Registry | Resolver, key: Key | None = None, lease: int = 30
) -> AsyncIterator[Registrant]:
    where = [Resolver(each.host, each.port) if isinstance(each, Registry) else each for each in servers]
    made = Registrant(ORIGIN, where, key=key, lease=lease, random=Random(1), wall=time.time)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def registered(where: Registry) -> set[Record]:
    return {each for each in where.primary.content.records() if each.name != ORIGIN}


def nobody() -> Resolver:
    """Where nobody listens."""
    udp, tcp = sockets()
    address = Resolver(*udp.getsockname())
    udp.close()
    tcp.close()
    return address


@pytest.mark.parametrize("key", [None, NODE], ids=["unsigned", "signed"])
async def test_what_is_wanted_is_registered_and_taken_back(key: Key | None) -> None:
    async with registry(Memory(), KEYS if key else None) as where, registering(where, key=key) as made:
        assert await made.settled(0)
        made.want((ONE,))
        made.want((ONE, TWO))
        assert not await made.settled(0)
        assert await made.settled(5)
        assert registered(where) == {ONE, TWO}
        assert where.primary.content.serial == 8, "one UPDATE for what was wanted at once"
        made.want((TWO,))
        assert await made.settled(5)
        assert registered(where) == {TWO}
        made.want(())
        assert await made.settled(5)
        assert registered(where) == set()


async def test_it_refreshes_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    async with registry(Memory(), least_lease=1) as where:
        known: list[tuple[bool, int]] = []
        refresh = where.primary.refresh

        def noted(fingerprint: bytes, terms: Terms) -> bool:
            is_known = refresh(fingerprint, terms)
            known.append((is_known, where.primary.content.serial))
            return is_known

        monkeypatch.setattr(where.primary, "refresh", noted)
        async with registering(where, lease=1) as made:
            made.want((ONE, TWO))
            assert await made.settled(5)
            await until(lambda: known[-2:] == [(True, where.primary.content.serial)] * 2)  # not if it was late once
            assert not known[0][0]
            assert registered(where) == {ONE, TWO}


async def test_what_is_large_goes_by_tcp() -> None:
    many = [record(f"h{number}.app.default") for number in range(LARGEST_UDP // 10)]
    async with registry(Memory()) as where, registering(where) as made:
        made.want(many)
        assert await made.settled(5)
        assert registered(where) == set(many)


async def test_the_next_registry_is_told_everything() -> None:
    async with registry(Memory()) as where, registering(nobody(), where) as made:
        made.want((ONE,))
        assert await made.settled(5)
        assert registered(where) == {ONE}
        assert made.server == Resolver(where.host, where.port)


async def test_a_silent_registry_is_asked_again_and_then_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESEND_SECONDS", 0.02)
    async with upstream(lambda _query, _tcp: ()) as silent, registry(Memory()) as where:
        async with registering(silent.address, where) as made:
            made.want((ONE,))
            assert await made.settled(5)
        assert len({bytes(query) for query in silent.asked}) == 1, "it is the same message each time"
        assert len(silent.asked) == module.TRIES


async def test_a_refusal_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with registry(Memory(), KeyRing()) as where, registering(where, key=NODE) as made:
        made.want((ONE,))
        await until(lambda: made.failure != "")
        assert registered(where) == set()
        where.authority.admit(KEYS)
        assert await made.settled(5)
        assert (registered(where), made.failure) == ({ONE}, "")
        assert "nothing can be registered at" in caplog.text


@pytest.mark.parametrize(
    ("rcode", "key", "why"),
    [
        (REFUSED, None, "it answers REFUSED: does spec.registry.keys there let this write what it registers?"),
        (SERVFAIL, NODE, "it cannot reach a registry (it answers SERVFAIL, which is not signed)"),
        (NOERROR, NODE, "it answers NOERROR, which is not signed"),
    ],
)
async def test_a_bad_answer_is_told_as_what_it_is(rcode: int, key: Key | None, why: str) -> None:
    def say(query: bytes, _tcp: bool) -> list[bytes]:
        return [error(query, outline(query), rcode)]

    async with upstream(say) as agent, registering(agent.address, key=key) as made:
        made.want((ONE,))
        await until(lambda: made.failure != "")
        assert made.failure == why


async def test_what_got_lost_and_what_is_left_over() -> None:
    async with registry(Memory()) as where, registering(where) as made:
        made.want((ONE, TWO))
        assert await made.settled(5)
        async with registering(where) as again:
            again.want((TWO,))
            again.found((ONE, TWO))
            assert await again.settled(5)
            assert registered(where) == {TWO}
        made.lost((ONE,))
        assert await made.settled(5)
        assert registered(where) == {ONE, TWO}


async def test_a_registry_that_is_heard_again_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRIES", BackoffPolicy(first=3600.0, ceiling=3600.0))
    address = nobody()
    async with registering(address) as made:
        made.want((ONE,))
        await until(lambda: made.failure)
        made.answering(address)
        assert made._backoff.failures == 0
        await until(lambda: made._backoff.failures == 1)


async def test_the_first_registry_is_told_again_as_long_as_the_zone_is_followed_there() -> None:
    async with registry(Memory()) as first, registry(Memory()) as second, registering(first, second) as made:
        there = [Resolver(each.host, each.port) for each in (first, second)]
        made.answering(there[1])
        made.want((ONE,))
        assert await made.settled(5)
        made._failed("it did not answer in time")
        made.want((ONE, TWO))
        await until(lambda: registered(second) == {TWO})
        with pytest.raises(AssertionError):
            await until(lambda: made.server == there[0], seconds=1.2)
        made.answering(there[0])
        await until(lambda: registered(first) == {ONE, TWO})
        assert made.server == there[0]
