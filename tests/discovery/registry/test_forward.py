from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import dns.flags
import dns.message
import pytest

from discovery.registry import exchange, forward
from discovery.registry.forward import Forwarder
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.wire import Query, parse_query
from tests.discovery.registry.making import agree, query, rcode, responder, values
from tests.discovery.registry.servers import Upstream, chance, response, serving, upstream

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
WWW = "www.example.com."
ELSEWHERE = "elsewhere.default.svc.cluster.local."
PATIENCE = 10.0


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A forwarder in front of resolvers of the test's own."""

    def __init__(self, resolvers: tuple[Resolver, ...]) -> None:
        self.clock = Clock()
        self.resolvers = resolvers
        self.responder: Responder = responder(recursion=True)
        self.forwarder = Forwarder(self.responder, lambda: self.resolvers, LOOPBACK, chance(), self.clock)

    async def ask(self, name: str = WWW, kind: str = "A", client: str = "127.0.0.1", **options: Any) -> Any:
        return await self.send(query(name, kind, **options), client)

    async def send(self, message: dns.message.QueryMessage, client: str = "127.0.0.1") -> dns.message.Message:
        outcome = self.responder.respond(message.to_wire())
        assert isinstance(outcome, Query)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.forwarder.look_up(outcome, client, False, answer.set_result)
        read = agree(await asyncio.wait_for(answer, PATIENCE))
        assert message.is_response(read)
        return read


@asynccontextmanager
async def world(*servers: Upstream) -> AsyncIterator[World]:
    made = World(tuple(server.address for server in servers))
    running = asyncio.create_task(made.forwarder.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def address(asked: bytes, tcp: bool) -> list[bytes]:
    return [response(asked, f"{dns.message.from_wire(asked).question[0].name} 60 A 10.0.0.1")]


def of(server: Upstream, name: str = WWW) -> int:
    """How often a server was asked for a name; it is also asked for one that nobody knows, to find loops."""
    return sum(dns.message.from_wire(asked).question[0].name.to_text() == name for asked in server.asked)


async def test_an_answer_is_handed_on_and_kept() -> None:
    async with upstream(address) as server, world(server) as made:
        first = await made.ask(use_edns=0)
        assert (rcode(first), values(first), first.edns) == ("NOERROR", ["A 10.0.0.1"], 0)
        assert first.flags == dns.flags.QR | dns.flags.RD | dns.flags.RA
        made.clock.now += 59.0
        second = await made.ask("WWW.example.com.")
        assert second.answer[0].ttl == 1
        assert second.question[0].name.to_text() == "WWW.example.com."
        assert of(server) == 1
        made.clock.now += 1.0
        assert (await made.ask()).answer[0].ttl == 60
        assert of(server) == 2
        assert made.responder.counts["A", "NOERROR"] == [3]


async def test_who_asks_the_same_at_the_same_time_waits_for_one_answer() -> None:
    async with upstream(address) as server, world(server) as made:
        answers = await asyncio.gather(*(made.ask() for _ in range(20)))
        assert all(values(answer) == ["A 10.0.0.1"] for answer in answers)
        assert of(server) == 1


async def test_denials_are_handed_on_and_kept() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return [response(asked, ";example.com. 30 SOA ns.example.com. host.example.com. 1 2 3 4 10", rcode=3)]

    async with upstream(say) as server, world(server) as made:
        for _ in range(2):
            answer = await made.ask()
            assert (rcode(answer), len(answer.authority)) == ("NXDOMAIN", 1)
        assert of(server) == 1


@pytest.mark.parametrize("answers", [[], ["refused"]], ids=["silent", "refusing"])
async def test_the_next_resolver_is_asked(answers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.3)

    def bad(asked: bytes, tcp: bool) -> list[bytes]:
        return [response(asked, rcode=5) for _ in answers]

    async with upstream(bad) as first, upstream(address) as second, world(first, second) as made:
        assert values(await made.ask()) == ["A 10.0.0.1"]


async def test_a_failure_says_why_and_is_kept_for_a_moment() -> None:
    async with upstream(lambda asked, tcp: [response(asked, rcode=2)]) as server, world(server) as made:
        for _ in range(3):
            answer = await made.ask(use_edns=0)
            assert rcode(answer) == "SERVFAIL"
            assert "answered SERVFAIL" in answer.options[0].to_text()
        assert of(server) == 1
        made.clock.now += 1.0
        await made.ask()
        assert of(server) == 2


async def test_without_a_resolver() -> None:
    async with world() as made:
        answer = await made.ask(use_edns=0)
        assert rcode(answer) == "SERVFAIL"
        assert "no resolver is known" in answer.options[0].to_text()


@pytest.mark.parametrize(
    ("name", "client", "options", "expected"),
    [
        (WWW, "192.0.2.1", {}, ("REFUSED", [])),
        (WWW, "fe80::1%eth0", {}, ("REFUSED", [])),
        (WWW, "127.0.0.1", {"flags": 0}, ("REFUSED", [])),
        (ELSEWHERE, "192.0.2.1", {}, ("NOERROR", ["CNAME www.example.com."])),
        (ELSEWHERE, "::1", {}, ("NOERROR", ["A 10.0.0.1", "CNAME www.example.com."])),
    ],
)
async def test_who_may_ask(name: str, client: str, options: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    async with upstream(address) as server, world(server) as made:
        message = query(name, use_edns=0, **options)
        outcome = made.responder.respond(message.to_wire())
        answer = agree(outcome) if isinstance(outcome, bytes) else await made.send(message, client)
        assert (rcode(answer), values(answer)) == expected
        if expected[0] == "REFUSED":
            assert of(server) == 0
            assert answer.options


async def test_a_name_that_stands_for_another_is_followed_and_the_other_is_kept() -> None:
    async with upstream(address) as server, world(server) as made:
        await made.ask()
        answer = await made.ask(ELSEWHERE)
        assert values(answer) == ["A 10.0.0.1", "CNAME www.example.com."]
        assert [rrset.name.to_text() for rrset in answer.answer] == [ELSEWHERE, WWW]
        assert of(server) == 1


async def test_a_resolver_that_asks_us_is_asked_no_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = World(())
    async with serving(made.responder, made.forwarder) as (_, where):
        made.resolvers = (Resolver(*where),)
        running = asyncio.create_task(made.forwarder.run())
        async with asyncio.timeout(PATIENCE):
            while "sends its questions back here" not in caplog.text:
                await asyncio.sleep(0.005)
        answer = await made.ask(use_edns=0)
        assert rcode(answer) == "SERVFAIL"
        assert "send their questions to us" in answer.options[0].to_text()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert caplog.text.count("sends its questions back here") == 1


async def test_a_loop_that_is_not_found_yet_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.05)
    made = World(())
    async with serving(made.responder, made.forwarder) as (_, where):
        made.forwarder._resolvers = (Resolver(*where),)
        assert rcode(await made.ask()) == "SERVFAIL"
        assert made.responder.counts["A", "SERVFAIL"] == [2]


async def test_only_so_much_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "MOST_UNDER_WAY", 3)
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.1)
    async with upstream(lambda asked, tcp: []) as server, world(server) as made:
        asking = [asyncio.create_task(made.ask(f"w{number}.example.com.", use_edns=0)) for number in range(4)]
        answers = await asyncio.gather(*asking)
        assert [rcode(answer) for answer in answers] == ["SERVFAIL"] * 4
        assert "too many" in answers[3].options[0].to_text()
        assert sum(of(server, f"w{number}.example.com.") for number in range(4)) == 3


async def test_who_still_waits_at_the_end_gets_an_answer() -> None:
    async with upstream(lambda asked, tcp: []) as server:
        async with world(server) as made:
            waiting = asyncio.create_task(made.ask())
            async with asyncio.timeout(PATIENCE):
                while not of(server):
                    await asyncio.sleep(0.005)
        assert rcode(await waiting) == "SERVFAIL"


async def test_resolvers_that_change_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "REREAD_SECONDS", 0.01)
    async with upstream(address) as first, upstream(address) as second, world(first) as made:
        await made.ask("a.example.com.")
        made.resolvers = (second.address,)
        async with asyncio.timeout(PATIENCE):
            while not second.asked:
                await asyncio.sleep(0.005)
        await made.ask("b.example.com.")
        assert (of(first, "b.example.com."), of(second, "b.example.com.")) == (0, 1)


async def test_an_answer_that_does_not_fit_is_truncated() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return [response(asked, *(f"{WWW} 60 A 10.0.0.{number}" for number in range(60)))]

    async with upstream(say) as server, world(server) as made:
        answer = await made.ask()
        assert answer.flags & dns.flags.TC
        assert not answer.answer
        sent: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        made.forwarder.look_up(parse_query(query(WWW).to_wire()), "127.0.0.1", True, sent.set_result)
        assert len(agree(await sent).answer) == 60
