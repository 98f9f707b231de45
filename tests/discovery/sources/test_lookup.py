from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rrset
import dns.tsig
import pytest

from config.dns_source import DNSSource
from config.tsig import TsigKey
from discovery.registry import exchange
from discovery.sources.lookup import Found, Lookup, LookupFailed
from discovery.sources.refresh import Target
from tests.discovery.registry.servers import Say, response, upstream

KEY = TsigKey("weft", "hmac-sha256", "c2VjcmV0")
ZONE = {
    ("web.example.com.", "A"): ["web.example.com. 20 A 10.0.0.1", "web.example.com. 20 A 10.0.0.2"],
    ("web.example.com.", "AAAA"): [";example.com. 60 SOA ns.example.com. host.example.com. 1 2 3 4 9"],
    ("www.example.com.", "A"): ["www.example.com. 15 CNAME web.example.com."],
    ("all.example.com.", "A"): ["all.example.com. 15 CNAME web.example.com.", "web.example.com. 20 A 10.0.0.1"],
    ("loop.example.com.", "A"): ["loop.example.com. 15 CNAME pool.example.com."],
    ("pool.example.com.", "A"): ["pool.example.com. 15 CNAME loop.example.com."],
    ("_http._tcp.example.com.", "SRV"): [
        "_http._tcp.example.com. 30 SRV 1 5 8001 web.example.com.",
        "_http._tcp.example.com. 30 SRV 2 0 8002 v6.example.com.",
        "_http._tcp.example.com. 30 SRV 3 1 8003 .",
        "_http._tcp.example.com. 30 SRV 4 1 8004 gone.example.com.",
    ],
    ("v6.example.com.", "AAAA"): ["v6.example.com. 7 AAAA fd00::1"],
    ("v6.example.com.", "A"): [],
    ("silent.example.com.", "A"): [],
}


def zone(asked: bytes, tcp: bool) -> list[bytes]:
    """Authoritative for example.com, and nothing else."""
    question = dns.message.from_wire(asked).question[0]
    name = question.name.to_text()
    records = ZONE.get((name, question.rdtype.name))
    if records is None:
        return [response(asked, rcode=3 if name.endswith("example.com.") else 5, flags=dns.flags.AA)]
    return [response(asked, *records, flags=dns.flags.AA)]


async def look_up(
    name: str, kind: str = "A", says: Sequence[Say] = (zone,), key: TsigKey | None = None, search: str = ""
) -> Found:
    async with AsyncExitStack() as stack:
        servers = [(await stack.enter_async_context(upstream(say))).address for say in says]
        source = DNSSource(name, kind, (), tuple(search.split()), "", sample=False)
        return await Lookup(source, servers, key).find(name, kind)


FOUND: dict[str, tuple[tuple[str, ...], set[str], int]] = {
    "addresses": (("web.example.com", "A"), {"10.0.0.1", "10.0.0.2"}, 20),
    "none of that family": (("web.example.com", "AAAA"), set(), 9),
    "no such name": (("other.example.com", "A"), set(), 5),
    "a chain over two answers": (("www.example.com", "A"), {"10.0.0.1", "10.0.0.2"}, 15),
    "a chain in one answer": (("all.example.com", "A"), {"10.0.0.1"}, 15),
    "a denial that says nothing of time": (("silent.example.com", "A"), set(), 5),
}


@pytest.mark.parametrize("case", FOUND)
async def test_addresses(case: str) -> None:
    question, addresses, ttl = FOUND[case]
    found = await look_up(*question)
    assert ({target.address for target in found.targets}, found.ttl) == (addresses, ttl)


async def test_srv_targets_are_resolved() -> None:
    found = await look_up("_http._tcp.example.com", "SRV")
    assert set(found.targets) == {
        Target("10.0.0.1", 8001, 1, 5), Target("10.0.0.2", 8001, 1, 5), Target("fd00::1", 8002, 2, 0),
    }  # fmt: skip
    assert found.ttl == 5


@pytest.mark.parametrize("families", [1, 2])
async def test_addresses_that_came_along_are_not_asked_for(families: int) -> None:
    asked: list[str] = []

    def say(query: bytes, tcp: bool) -> list[bytes]:
        question = dns.message.from_wire(query).question[0]
        asked.append(question.rdtype.name)
        if question.rdtype.name != "SRV":
            return [response(query, "web.example.com. 8 AAAA fd00::9")]
        made = dns.message.make_response(dns.message.from_wire(query))
        for section, text in (
            (made.answer, "x.example.com. 30 SRV 0 1 80 web.example.com."),
            (made.additional, "web.example.com. 10 A 10.0.0.9"),
            (made.additional, "web.example.com. 8 AAAA fd00::9"),
        )[: 1 + families]:
            at, ttl, kind, data = text.split(" ", 3)
            section.append(dns.rrset.from_text(at, int(ttl), "IN", kind, data))
        return [made.to_wire()]

    found = await look_up("x.example.com", "SRV", [say])
    assert found == ((Target("10.0.0.9", 80, 0, 1), Target("fd00::9", 80, 0, 1)), 8)
    assert asked == ["SRV", "AAAA"][: 3 - families], "what did not come along may be there all the same"


@pytest.mark.parametrize(
    ("name", "search", "count"),
    [("web", "example.com", 2), ("web", "other.example.com example.com", 2), ("web.", "example.com", 0)],
)
async def test_names_are_searched(name: str, search: str, count: int) -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        top = len(dns.message.from_wire(asked).question[0].name) == 2
        return [response(asked, rcode=3)] if top else zone(asked, tcp)

    assert len((await look_up(name, "A", [say], search=search)).targets) == count


@pytest.mark.parametrize("rcode", [2, 5])
async def test_a_search_domain_that_is_refused_does_not_end_the_search(rcode: int) -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        name = dns.message.from_wire(asked).question[0].name.to_text()
        return [response(asked, rcode=rcode)] if name.endswith(("corp.", "web.")) else zone(asked, tcp)

    assert len((await look_up("web", "A", [say], search="corp example.com")).targets) == 2
    with pytest.raises(LookupFailed, match=r"web\.corp\.: .* answered"):
        await look_up("web", "A", [say], search="corp other.example.com")


def refusing(asked: bytes, tcp: bool) -> list[bytes]:
    return [response(asked, rcode=5)]


def silent(asked: bytes, tcp: bool) -> list[bytes]:
    return []


def truncating(asked: bytes, tcp: bool) -> list[bytes]:
    return zone(asked, tcp) if tcp else [response(asked, flags=dns.flags.TC)]


@pytest.mark.parametrize("says", [[refusing, zone], [silent, zone], [truncating]])
async def test_another_server_or_another_way(says: list[Say], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.05)
    assert len((await look_up("web.example.com", "A", says)).targets) == 2


FAILURES: dict[str, tuple[str, list[Say], str]] = {
    "nobody to ask": ("web.example.com", [], "no DNS server is known"),
    "refused": ("web.example.com", [refusing], "answered REFUSED"),
    "silence": ("web.example.com", [silent], "did not answer in time"),
    "noise": ("web.example.com", [lambda asked, tcp: [b"noise", asked]], "did not answer in time"),
    "a chain that goes round": ("loop.example.com", [zone], "too long a chain"),
    "no name": ("a..b", [zone], "is not a DNS name"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, says, words = FAILURES[case]
    if "in time" in words:
        monkeypatch.setattr(exchange, "UDP_SECONDS", 0.05)
    with pytest.raises(LookupFailed, match=words):
        await look_up(name, "A", says)


async def test_a_target_that_cannot_be_resolved_fails_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.05)

    def say(asked: bytes, tcp: bool) -> list[bytes]:
        return zone(asked, tcp) if dns.message.from_wire(asked).question[0].rdtype.name == "SRV" else []

    with pytest.raises(LookupFailed, match="in time"):
        await look_up("_http._tcp.example.com", "SRV", [say])


def signing(secret: str, sign: bool = True) -> Say:
    key = dns.tsig.Key("weft", secret, "hmac-sha256")

    def say(asked: bytes, tcp: bool) -> list[bytes]:
        query = dns.message.from_wire(asked, keyring=key)
        assert query.had_tsig
        question = query.question[0]
        plain = zone(dns.message.make_query(question.name, question.rdtype, id=query.id).to_wire(), tcp)
        if not sign:
            return plain
        answer = dns.message.make_response(query)
        answer.answer = dns.message.from_wire(plain[0]).answer
        return [answer.to_wire()]

    return say


async def test_signed_questions_want_signed_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.2)
    assert len((await look_up("web.example.com", "A", [signing(KEY.secret)], KEY)).targets) == 2
    with pytest.raises(LookupFailed, match="in time"):
        await look_up("web.example.com", "A", [signing(KEY.secret, sign=False)], KEY)


async def test_a_lookup_that_is_cancelled_leaves_nothing_behind() -> None:
    async with upstream(silent) as server:
        source = DNSSource("web.example.com", "A", (), (), "", sample=False)
        looking: asyncio.Task[Any] = asyncio.create_task(Lookup(source, [server.address], None).find(source.name, "A"))
        await asyncio.sleep(0)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert looking.cancelled()
