"""Who is told of a new serial, how often, and that a secondary follows at once."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from discovery.registry.messages import notify, reply
from discovery.registry.notifier import TRIES, Notifier, Outbox
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import QR, parse_message
from tests.discovery.registry.registries import registry
from tests.discovery.registry.servers import upstream
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_secondary import same, secondary
from tests.discovery.registry.test_transfer import APEX, ORIGIN, record

A, B = Resolver("127.0.0.1", 1), Resolver("127.0.0.2", 2)


def test_all_are_told_at_once_and_again_until_they_answer() -> None:
    outbox = Outbox(Random(1))
    told = dict(outbox.tell([A, B], APEX, 7, 0.0))
    assert told.keys() == {A, B}
    assert parse_message(told[A]).answers == (APEX.soa(7),)
    assert told[A][:2] != told[B][:2]
    outbox.answered(A, reply(parse_message(told[A])))
    assert list(outbox.due(0.1)) == []
    assert list(outbox.due(0.5)) == [(B, told[B])]
    assert list(outbox.due(0.6)) == []
    again = sum(len(list(outbox.due(now))) for now in range(1, 100))
    assert again == TRIES - 2
    assert len(outbox) == 0


def test_a_newer_serial_takes_the_place() -> None:
    outbox = Outbox(Random(1))
    ((_, first),) = outbox.tell([A], APEX, 7, 0.0)
    ((_, second),) = outbox.tell([A], APEX, 8, 0.1)
    outbox.answered(A, reply(parse_message(first)))
    assert list(outbox.due(1.0)) == [(A, second)]


STRANGE = {
    "the question": lambda message: message,
    "another id": lambda message: b"\0\0" + reply(parse_message(message))[2:],
    "another opcode": lambda message: message[:2] + QR.to_bytes(2, "big") + message[4:],
    "too short": lambda message: message[:2],
}


@pytest.mark.parametrize("case", STRANGE)
def test_what_is_no_answer(case: str) -> None:
    outbox = Outbox(Random(1))
    ((_, told),) = outbox.tell([A], APEX, 7, 0.0)
    outbox.answered(A, STRANGE[case](told))
    outbox.answered(B, reply(parse_message(told)))
    assert len(outbox) == 1


async def test_over_sockets() -> None:
    silent: list[bytes] = []

    def say(message: bytes, tcp: bool) -> list[bytes]:
        silent.append(message)
        return [] if len(silent) < 3 else [reply(parse_message(message))]

    async with upstream(say) as where:
        notifier = Notifier(lambda _: [where.address], Random(1))
        notifier.changed(APEX, 7)
        await until(lambda: len(silent) == 3)
        assert set(silent) == {notify(int.from_bytes(silent[0][:2], "big"), APEX.soa(7))}
        assert notifier.sent == 3
        notifier.close()


async def test_who_asked_for_changes_comes_first_and_their_last_serial_is_told_alone() -> None:
    heard: list[object] = []

    def say(message: bytes, tcp: bool) -> list[bytes]:
        heard.append(message)
        return [reply(parse_message(message))]

    async with upstream(say) as where:
        notifier = Notifier(lambda _: [where.address], Random(1))
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked.add_done_callback(lambda _: heard.append(("answered", notifier.sent)))
        for serial in (7, 8):
            notifier.changed(APEX, serial)
        asked.set_result(None)
        await until(lambda: len(heard) == 2)
        assert heard[0] == ("answered", 0)
        assert notifier.sent == 1
        assert isinstance(heard[1], bytes)
        assert parse_message(heard[1]).answers == (APEX.soa(8),)
        notifier.changed(APEX, 9)
        notifier.close()
        for _ in range(4):
            await asyncio.sleep(0)
        assert notifier.sent == 1


async def test_a_secondary_follows_at_once() -> None:
    async with registry(Memory()) as where, secondary(where) as made, registry(Memory()) as node:
        node.authority.follow(ORIGIN, made.heard)
        await asyncio.wait_for(made.synced.wait(), 5)
        notifier = Notifier(lambda _: [Resolver(node.host, node.port)], Random(1))
        where.primary.followers.append(lambda names: notifier.changed(APEX, where.primary.content.serial))
        took = []
        for number in range(20):
            start = time.monotonic()
            await where.primary.submit(asks(record(f"h{number}.a.b")))
            await until(lambda: same(made.content, where.primary.content))
            took.append(time.monotonic() - start)
        notifier.close()
    assert sorted(took)[10] < 0.3  # far below the second after which it would ask by itself
