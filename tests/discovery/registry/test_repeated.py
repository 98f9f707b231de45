"""What is answered without being read is what would be answered if it were."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from discovery.registry.keys import Key, KeyRing, Scope
from discovery.registry.messages import ixfr_query
from discovery.registry.tsig import Verifier, open_usual, sign
from discovery.registry.wire import NOTAUTH, REFUSED, parse_message
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.test_authority import NODE, READER
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_transfer import APEX, record

OTHER = Key((b"another-reader-with-a-longer-name",), "hmac-sha512", b"another secret")
KEYS = KeyRing([(READER, Scope((), True)), (OTHER, Scope((), True)), (NODE, Scope((b"\0",)))])


def asked(where: Registry, message_id: int, serial: int, key: Key = READER, seconds: float = 0) -> bytes:
    """The answer, without its signature if that holds."""
    sent: list[bytes | None] = []
    query, mac = sign(ixfr_query(message_id, APEX.soa(serial)), key, time.time() + seconds)
    assert where.authority.take(query, "127.0.0.1", sent.append)
    (answer,) = sent
    assert answer is not None
    opened = open_usual(answer, key, time.time(), mac)
    if opened is not None:
        assert Verifier(key, mac).verify(answer, time.time()) == opened[0]
    return answer if opened is None else opened[0]


async def test_all_who_ask_the_same_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with registry(Memory(), KEYS) as where:
        await where.primary.submit(asks(record("one.a.b")))
        serial = where.primary.content.serial
        read: list[object] = []
        monkeypatch.setattr(where.authority._sender, "answer", _counting(read, where.authority._sender.answer))
        first = asked(where, 1, serial - 1)
        assert [asked(where, number, serial - 1)[2:] for number in range(2, 9)] == [first[2:]] * 7
        assert len(read) == 1
        assert asked(where, 700, serial - 1)[:2] == (700).to_bytes(2, "big")
        assert asked(where, 1, serial - 1, OTHER)[2:] == first[2:]
        assert asked(where, 2, serial - 1, OTHER)[2:] == first[2:]
        assert len(read) == 2
        await where.primary.submit(asks(record("two.a.b")))
        after = asked(where, 1, serial - 1)
        assert len(parse_message(after).answers) > len(parse_message(first).answers)
        assert asked(where, 2, serial - 1)[2:] == after[2:]
        assert len(read) == 3


async def test_who_may_not_have_it_does_not_get_it() -> None:
    async with registry(Memory(), KEYS) as where:
        await where.primary.submit(asks(record("one.a.b")))
        serial = where.primary.content.serial
        assert parse_message(asked(where, 1, serial - 1)).answers
        assert parse_message(asked(where, 1, serial - 1, NODE)).rcode == REFUSED
        assert parse_message(asked(where, 1, serial - 1, Key(READER.name, READER.algorithm, b"x"))).rcode == NOTAUTH
        assert parse_message(asked(where, 1, serial - 1, seconds=-1000)).rcode == NOTAUTH
        where.authority.admit(KeyRing([(READER, Scope())]))
        assert parse_message(asked(where, 1, serial - 1)).rcode == REFUSED


def _counting(calls: list[object], answer: Callable[..., None]) -> Callable[..., None]:
    def counted(*arguments: object) -> None:
        calls.append(arguments)
        answer(*arguments)

    return counted
