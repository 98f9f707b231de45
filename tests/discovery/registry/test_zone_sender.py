"""Who gets a zone, what is rendered once, and that a reader who stops costs nothing for long."""

from __future__ import annotations

import asyncio
import logging
import time
from ipaddress import ip_network

import dns.message
import dns.rrset
import pytest

from discovery.registry import zone_sender
from discovery.registry.asked import Asked, Stream
from discovery.registry.keys import EVERYTHING, Key, KeyRing
from discovery.registry.lease import Leases
from discovery.registry.messages import ixfr_query
from discovery.registry.outline import outline
from discovery.registry.primary import Primary
from discovery.registry.tsig import sign, verify
from discovery.registry.wire import NOERROR, REFUSED, from_text, parse_message
from discovery.registry.zone_sender import ZoneSender
from tests.discovery.registry.registries import registry
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_primary import Memory, asks
from tests.discovery.registry.test_transfer import APEX, AXFR, DOMAIN, record

SOME_KEY = Key(from_text("k"), "hmac-sha256", b"x" * 16)
WHOLE = bytes.fromhex("000101000001000000000000") + AXFR
KEYED, KEYLESS = KeyRing([(SOME_KEY, EVERYTHING)]), KeyRing()


class Slow:
    """A client that takes nothing until it is told to, or goes away."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.ready = asyncio.Event()
        self.gone = False

    def write(self, message: bytes) -> None:
        self.taken.append(message)

    async def room(self) -> None:
        await self.ready.wait()
        if self.gone:
            raise ConnectionError("gone")


def asked(message: bytes, sent: list[bytes | None], client: str = "127.0.0.1", stream: Stream | None = None) -> Asked:
    return Asked(message, outline(message), client, None, sent.append, stream, time.time)


WHO = {
    "this machine, where there are no keys": (KEYLESS, [], "127.0.0.1", True),
    "this machine, where there are": (KEYED, [], "127.0.0.1", False),
    "another machine": (KEYLESS, [], "10.0.0.1", False),
    "one that is allowed": (KEYED, ["10.0.0.0/8"], "10.0.0.1", True),
    "one beside them": (KEYED, ["10.0.0.0/8"], "11.0.0.1", False),
}


@pytest.mark.parametrize("case", WHO)
async def test_who_gets_a_zone(case: str) -> None:
    keys, allowed, client, expected = WHO[case]
    sender = ZoneSender(keys, map(ip_network, allowed))
    sent: list[bytes | None] = []
    question = asked(ixfr_query(1, APEX.soa(7)), sent, client)
    assert sender.may_have(question) is expected
    store = Memory()
    sender.answer(question, Primary(APEX, store, store.stored, leases=Leases(), clock=time.monotonic))
    (answer,) = sent
    assert answer is not None
    assert (parse_message(answer).rcode != REFUSED) is expected


PUSHING: dict[str, tuple[KeyRing, str, Key | None, bool]] = {
    "this machine": (KEYLESS, "127.0.0.1", None, True),
    "one whose address may be anybody's": (KEYED, "10.0.0.1", None, False),
    "one with a key": (KEYED, "11.0.0.1", SOME_KEY, True),
}


@pytest.mark.parametrize("case", PUSHING)
async def test_whose_later_serial_is_believed(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, client, key, expected = PUSHING[case]
    store, heard = Memory(), list[int]()
    primary = Primary(APEX, store, store.stored, leases=Leases(), clock=time.monotonic)
    monkeypatch.setattr(primary, "overtaken", heard.append)
    sender = ZoneSender(keys, [ip_network("10.0.0.0/8")])
    for serial in (6, 7, 8):
        message, sent = ixfr_query(1, APEX.soa(serial)), list[bytes | None]()
        verified = None if key is None else verify(sign(message, key, time.time())[0], {key.name: key}, time.time())
        sender.answer(Asked(message, outline(message), client, verified, sent.append, None, time.time), primary)
        assert parse_message(sent[0] or b"").rcode == NOERROR
    assert heard == ([8] if expected else [])


async def test_a_difference_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    whole = zone_sender.incremental

    def counted(*given: object) -> object:
        rendered.append(1)
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(zone_sender, "incremental", counted)
    async with registry(Memory()) as where:
        await where.primary.submit(asks(record("a.b.c")))
        sender, sent = ZoneSender(KEYLESS), list[bytes | None]()
        for number in range(50):
            sender.answer(asked(ixfr_query(number, APEX.soa(7)), sent), where.primary)
        assert len(rendered) == 1
        assert [answer and answer[:2] for answer in sent] == [number.to_bytes(2, "big") for number in range(50)]
        assert len({answer and answer[2:] for answer in sent}) == 1


AHEAD = {"the same": 0, "newer": 1, "much newer": 2**31 - 1}


@pytest.mark.parametrize("case", AHEAD)
async def test_who_has_what_is_newer_gets_nothing_older(case: str) -> None:
    """RFC 1995 section 2, also by TCP: of several registries one may be behind the one that was asked before."""
    async with registry(Memory()) as where:
        await where.primary.submit(asks(record("a.b.c")))
        serial = (where.primary.content.serial + AHEAD[case]) % 2**32
        sent, stream = list[bytes | None](), Slow()
        stream.ready.set()
        ZoneSender(KEYLESS).answer(asked(ixfr_query(1, APEX.soa(serial)), sent, stream=stream), where.primary)
        (answer,) = sent
        (soa,) = parse_message(answer or b"").answers
        assert (soa, stream.taken) == (APEX.soa(where.primary.content.serial), [])


@pytest.mark.parametrize("edns", [False, True])
@pytest.mark.parametrize("key", [None, SOME_KEY])
@pytest.mark.parametrize("kind", ["AXFR", "IXFR", "IXFR that does not fit"])
async def test_who_speaks_edns_is_sent_zones_so(kind: str, key: Key | None, edns: bool) -> None:
    """RFC 5936 section 2.2.5, RFC 6891 section 6.1.1: each message has it, and none gets too long by it."""
    async with registry(Memory()) as where:
        count = {"AXFR": 1500, "IXFR": 1, "IXFR that does not fit": 60}[kind]
        await where.primary.submit(asks(*(record(f"h{number}.b") for number in range(count))))
        made = dns.message.make_query(DOMAIN, kind[:4], use_edns=0 if edns else False, payload=1232)
        if kind != "AXFR":
            made.authority.append(dns.rrset.from_text(f"{DOMAIN}.", 0, "IN", "SOA", "a. b. 7 1 1 1 1"))
        message = made.to_wire()
        verified = None if key is None else verify(sign(message, key, time.time())[0], {key.name: key}, time.time())
        sent, stream = list[bytes | None](), Slow() if kind == "AXFR" else None
        if stream is not None:
            stream.ready.set()
        question = Asked(message, outline(message), "127.0.0.1", verified, sent.append, stream, time.time)
        sender = ZoneSender(KEYLESS if key is None else KEYED)
        sender.answer(question, where.primary)
        await until(lambda: bool(sent))
        answers = [*(stream.taken if stream else ()), *sent]
        assert len(answers) > 1 or kind != "AXFR"
        for each in answers:
            read = dns.message.from_wire(each or b"", keyring=False)
            assert (read.edns, read.had_tsig) == (edns - 1, key is not None)
            assert stream or len(each or b"") <= (1232 if edns else 512)
        await sender.close()


@pytest.mark.parametrize("ends", ["by reading", "by going away", "by our end", "by time"])
async def test_a_reader_that_stops(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if ends == "by time":
        monkeypatch.setattr(zone_sender, "LONGEST_SECONDS", 0.05)
    async with registry(Memory()) as where:
        for part in range(4):
            await where.primary.submit(asks(*(record(f"h{part}-{number}.a.b") for number in range(500))))
        sender, sent, client = ZoneSender(KEYLESS), list[bytes | None](), Slow()
        sender.answer(asked(WHOLE, sent, stream=client), where.primary)
        await asyncio.sleep(0.01)
        assert (client.taken, sent) == ([], [])
        if ends in {"by reading", "by going away"}:
            client.gone = ends == "by going away"
            client.ready.set()
            await until(lambda: len(sent) == 1)
        elif ends == "by time":
            await until(lambda: len(sent) == 1)
        await sender.close()
        assert len(sent) == 1
        assert (sent[0] is not None) is (ends == "by reading")
        assert (len(client.taken) > 2) is (ends == "by reading")


async def test_one_connection_has_one_transfer_under_way(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "discovery.registry.zone_sender")
    async with registry(Memory()) as where:
        await where.primary.submit(asks(*(record(f"h{number}.a.b") for number in range(500))))
        sender, sent, greedy, modest = ZoneSender(KEYLESS), list[bytes | None](), Slow(), Slow()
        for _ in range(zone_sender.AT_ONCE * 2):
            sender.answer(asked(WHOLE, sent, stream=greedy), where.primary)
        modest.ready.set()
        sender.answer(asked(WHOLE, sent, stream=modest), where.primary)
        await until(lambda: len(sent) == 1)
        greedy.gone = True
        greedy.ready.set()
        await until(lambda: len(sent) == 1 + zone_sender.AT_ONCE * 2)
        assert sent[1:] == [None] * zone_sender.AT_ONCE * 2
        assert not greedy.taken
        assert caplog.text.count("a zone was not sent to") == 1, "once for each client and reason"
