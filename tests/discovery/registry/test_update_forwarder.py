"""Updates that are handed on: as they came, to a registry that answers, and from no stranger without a signature."""

from __future__ import annotations

import asyncio
import socket
import time
from ipaddress import ip_address, ip_network

import pytest

from discovery.registry import tsig, update_forwarder
from discovery.registry.asked import Send
from discovery.registry.authority import Authority
from discovery.registry.gate import Gate
from discovery.registry.keys import Key, KeyRing
from discovery.registry.messages import update
from discovery.registry.outline import outline
from discovery.registry.resolv_conf import Resolver
from discovery.registry.update_forwarder import UpdateForwarder
from discovery.registry.wire import NOERROR, REFUSED, SERVFAIL, from_text
from tests.discovery.registry.making import responder
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.servers import Nowhere, serving, upstream
from tests.discovery.registry.test_authority import KEYS, NODE, READER, until
from tests.discovery.registry.test_primary import Memory
from tests.discovery.registry.test_registrant import nobody, registered
from tests.discovery.registry.test_transfer import ORIGIN, record

HERE, STRANGER, OTHER = "127.0.0.1", "192.0.2.7", "192.0.2.8"
ONE = record("one.app.default")


def at(where: Registry) -> Resolver:
    return Resolver(where.host, where.port)


async def answered(made: UpdateForwarder, message: bytes, client: str = HERE) -> bytes | None:
    answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    made.take(message, outline(message), client, answer.set_result)
    return await asyncio.wait_for(answer, 10)


def rcode(answer: bytes | None) -> int:
    assert answer is not None
    return answer[3] & 0xF


CASES = {"of this machine": (None, HERE, NOERROR), "of a stranger": (None, STRANGER, REFUSED)}
SIGNED = {
    "by who may write": (NODE, HERE, NOERROR),
    "by one elsewhere": (NODE, STRANGER, NOERROR),
    "by who may only read": (READER, HERE, REFUSED),
}


@pytest.mark.parametrize("case", [*CASES, *SIGNED])
async def test_who_is_heard(case: str) -> None:
    key, client, expected = (CASES | SIGNED)[case]
    async with registry(Memory(), KEYS if key else None) as where:
        made = UpdateForwarder([at(where)])
        carried: list[bytes] = []
        made.carried.append(carried.append)
        message, mac = signed(update(7, ORIGIN, [ONE]), key)
        answer = await answered(made, message, client)
        if key is not None:
            assert answer is not None
            answer = tsig.Verifier(key, mac).verify(answer, time.time())
        assert rcode(answer) == expected
        assert registered(where) == ({ONE} if expected == NOERROR else set())
        assert carried == ([message] if expected == NOERROR else [])
        await made.close()


def signed(message: bytes, key: Key | None) -> tuple[bytes, bytes]:
    return (message, b"") if key is None else tsig.sign(message, key, time.time())


async def test_another_registry_takes_over_and_without_any_it_fails() -> None:
    async with registry(Memory()) as where:
        made = UpdateForwarder([nobody(), at(where)])
        assert rcode(await answered(made, update(1, ORIGIN, [ONE]))) == NOERROR
        assert registered(where) == {ONE}
        await made.close()
    alone = UpdateForwarder([nobody()])
    assert rcode(await answered(alone, update(2, ORIGIN, [ONE]))) == SERVFAIL
    await alone.close()


async def test_what_is_repeated_is_handed_on_once_and_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_forwarder, "AT_ONCE", 1)
    async with upstream(lambda _message, _is_tcp: []) as silent:
        made = UpdateForwarder([silent.address])
        first = asyncio.create_task(answered(made, update(1, ORIGIN, [ONE])))
        await asyncio.sleep(0)
        assert await answered(made, update(1, ORIGIN, [ONE])) is None
        assert rcode(await answered(made, update(2, ORIGIN, [ONE]))) == SERVFAIL
        await made.close()
        assert rcode(await first) == SERVFAIL
        assert await answered(made, update(1, ORIGIN, [ONE]), STRANGER) is not None


async def test_a_stranger_leaves_places_for_others() -> None:
    """Whoever signs with a key that is not known here is handed on, and may be anybody."""
    forged = Key(from_text("nobody"), "hmac-sha256", b"guessed")
    async with upstream(lambda _message, _is_tcp: []) as silent:
        made = UpdateForwarder([silent.address])
        waiting = []
        for number in range(2 * update_forwarder.OF_ANOTHER):
            message, _ = signed(update(number, ORIGIN, [ONE]), forged)
            waiting.append(asyncio.create_task(answered(made, message, STRANGER)))
            await asyncio.sleep(0)
        mine = (
            answered(made, update(9, ORIGIN, [ONE])),
            answered(made, signed(update(9, ORIGIN, [ONE]), NODE)[0], OTHER),
        )
        others = [asyncio.create_task(each) for each in mine]
        await asyncio.sleep(0)
        assert not any(each.done() for each in others)
        assert len(made._under_way) == update_forwarder.OF_ANOTHER + 2
        await made.close()
        answers = await asyncio.gather(*waiting, *others)
        assert set(map(rcode, answers)) == {SERVFAIL}


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_who_is_not_answered_is_not_handed_on(monkeypatch: pytest.MonkeyPatch, is_allowed: bool) -> None:
    monkeypatch.setattr("discovery.registry.gate.ip_address", lambda _text: ip_address("10.1.2.3"))
    networks = [ip_network("10.0.0.0/8" if is_allowed else "192.0.2.0/24")]
    handed: list[bytes] = []

    def forward(message: bytes, _parts: object, _client: str, send: Send) -> None:
        handed.append(message)
        send(None)

    authority = Authority(responder(), Nowhere(), KeyRing(), clock=time.monotonic, wall=time.time)
    authority.forward(ORIGIN, forward)
    message = signed(update(1, ORIGIN, [ONE]), NODE)[0]
    async with serving(responder(), Nowhere(), authority=authority, gate=Gate(networks, 0)) as (_, (_, port)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(len(message).to_bytes(2, "big") + message)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            asking.connect(("127.0.0.1", port))
            asking.send(message)
            if is_allowed:
                await until(lambda: len(handed) == 2)
            else:
                refused = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(asking, 512), 10)
                assert rcode(refused) == REFUSED
                assert await reader.read() == b""
        assert len(handed) == 2 * is_allowed
        writer.close()
