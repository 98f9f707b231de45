"""Updates, transfers and signatures over real sockets, as dnspython asks and reads them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.xfr
import dns.zone
import pytest

from discovery.registry import authority, messages, tsig
from discovery.registry.keys import Key, KeyRing, Scope
from discovery.registry.messages import notify
from discovery.registry.replays import Replays
from discovery.registry.terms import Terms, read_terms
from discovery.registry.wire import NOERROR, REFUSED, TSIG, from_text, parse_message, to_wire
from tests.discovery.registry.registries import Registry, registry
from tests.discovery.registry.test_primary import Memory
from tests.discovery.registry.test_transfer import APEX, DOMAIN, ORIGIN, record

SECRET = b"0123456789abcdef"
NODE = Key(from_text("node-1"), "hmac-sha256", SECRET)
READER = Key(from_text("reader"), "hmac-sha512", SECRET)
KEYS = KeyRing(
    [(NODE, Scope((to_wire(from_text(f"default.{DOMAIN}")),))), (READER, Scope(transfers=True))]
)  # fmt: skip


def ring(*keys: Key) -> Any:
    return dns.tsigkeyring.from_text(
        {str(key.name[0], "ascii"): (key.algorithm + ".", base64.b64encode(key.secret).decode()) for key in keys}
    )


THEIRS = ring(NODE, READER)


def update(*adds: str, key: str = "", **options: Any) -> dns.update.UpdateMessage:
    made = dns.update.UpdateMessage(DOMAIN, **options)
    for text in adds:
        name, kind, value = text.split(" ", 2)
        made.add(name, 5, kind, value)
    if key:
        made.use_tsig(THEIRS, key)
    return made


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.002)


async def ask(where: Registry, message: dns.message.Message, tcp: bool = False) -> dns.message.Message:
    way = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await way(message, where.host, 5, where.port)


async def rcode(where: Registry, message: dns.message.Message, tcp: bool = False) -> str:
    return dns.rcode.to_text((await ask(where, message, tcp)).rcode())


async def values(where: Registry, name: str, kind: str = "A") -> list[str]:
    answer = await ask(where, dns.message.make_query(f"{name}.{DOMAIN}", kind))
    return sorted(str(each) for rrset in answer.answer for each in rrset)


@pytest.mark.parametrize("tcp", [False, True])
async def test_what_is_written_is_answered(tcp: bool) -> None:
    async with registry(Memory()) as where:
        assert await values(where, "a.shop.default") == []
        added = update("a.shop.default A 10.0.0.1", "_http._tcp.shop.default SRV 0 1 80 a.shop.default")
        assert await rcode(where, added, tcp) == "NOERROR"
        assert await values(where, "a.shop.default") == ["10.0.0.1"]
        assert await values(where, "_http._tcp.shop.default", "SRV") == [f"0 1 80 a.shop.default.{DOMAIN}."]
        gone = dns.update.UpdateMessage(DOMAIN)
        gone.delete("a.shop.default")
        assert await rcode(where, gone, tcp) == "NOERROR"
        assert await values(where, "a.shop.default") == []


async def test_prerequisites_and_zones() -> None:
    async with registry(Memory()) as where:
        needs = update("a A 10.0.0.1")
        needs.present("b")
        assert await rcode(where, needs) == "NXDOMAIN"
        assert await rcode(where, dns.update.UpdateMessage("cluster.local")) == "REFUSED"
        assert await rcode(where, dns.update.UpdateMessage("svc.cluster.local")) == "REFUSED"
        assert await rcode(where, dns.update.UpdateMessage("example.com")) == "NOTAUTH"
        assert where.primary.content.serial == 7


KEYED = {
    "in its scope": ("node-1", "a.default A 10.0.0.1", "NOERROR"),
    "out of its scope": ("node-1", "a.other A 10.0.0.1", "REFUSED"),
    "with a key that may only read": ("reader", "a.default A 10.0.0.1", "REFUSED"),
    "without a key": ("", "a.default A 10.0.0.1", "REFUSED"),
}


@pytest.mark.parametrize("case", KEYED)
async def test_scopes(case: str) -> None:
    key, text, expected = KEYED[case]
    async with registry(Memory(), KEYS) as where:
        assert await rcode(where, update(text, key=key)) == expected
        assert bool(where.primary.content.nodes) is (expected == "NOERROR")


async def test_signatures_that_do_not_hold() -> None:
    async with registry(Memory(), KEYS) as where:
        wrong = update("a.default A 10.0.0.1")
        wrong.use_tsig(ring(Key(NODE.name, NODE.algorithm, b"another secret!!")), "node-1")
        with pytest.raises(dns.tsig.PeerBadSignature):
            await ask(where, wrong)
        unknown = update("a.default A 10.0.0.1")
        unknown.use_tsig(ring(Key(from_text("nobody"), NODE.algorithm, SECRET)), "nobody")
        with pytest.raises(dns.tsig.PeerBadKey):
            await ask(where, unknown)
        assert not where.primary.content.nodes


async def test_signed_questions_get_signed_answers() -> None:
    async with registry(Memory(), KEYS) as where:
        asked = dns.message.make_query("shop.default.svc.cluster.local", "A")
        asked.use_tsig(THEIRS, "reader")
        answer = await ask(where, asked)
        assert answer.had_tsig
        assert [str(each) for rrset in answer.answer for each in rrset] == ["127.96.1.1"]


@pytest.mark.parametrize("edns", [None, 1232])
async def test_what_does_not_fit_with_its_signature_comes_by_tcp(edns: int | None) -> None:
    """RFC 8945 section 5.3: the question and the signature, and TC."""
    limit, sizes = edns or 512, set[int]()
    async with registry(Memory(), KEYS) as where:
        for number in range(80):
            assert await rcode(where, update(f"a.default A 10.0.0.{number}", key="node-1")) == "NOERROR"
            asked = dns.message.make_query(f"a.default.{DOMAIN}", "A")
            if edns is not None:
                asked.use_edns(0, payload=edns)
            asked.use_tsig(THEIRS, "reader")
            answer = await ask(where, asked)
            sizes.add(len(answer.wire or b""))
            if answer.flags & dns.flags.TC:
                assert (answer.had_tsig, answer.answer, answer.authority) == (True, [], [])
                assert answer.question == asked.question
                break
        assert number < 79
        assert limit - 120 < max(sizes) <= limit
        assert len((await ask(where, asked, tcp=True)).answer[0]) == number + 1


async def test_a_message_that_comes_again_changes_nothing() -> None:
    async with registry(Memory(), KEYS) as where:
        message = update("a.default A 10.0.0.1", key="node-1")
        first = await ask(where, message)
        gone = update(key="node-1")
        gone.delete("a.default")
        assert await rcode(where, gone) == "NOERROR"
        wire = message.to_wire()
        again, _ = await _raw(where, wire)
        assert again == first.to_wire() or again[:12] == first.to_wire()[:12]
        assert not where.primary.content.nodes
        assert where.primary.content.serial == 9


async def _raw(where: Registry, wire: bytes) -> tuple[bytes, int]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            answer.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=(where.host, where.port))
    transport.sendto(wire)
    try:
        return await asyncio.wait_for(answer, 5), 0
    finally:
        transport.close()


async def test_leases_are_granted() -> None:
    async with registry(Memory()) as where:
        made = update("a A 10.0.0.1")
        made.use_edns(0, options=[dns.edns.GenericOption(dns.edns.OptionType(2), (5).to_bytes(4, "big"))])
        answer = await ask(where, made)
        (option,) = answer.options
        assert option.to_wire() == (30).to_bytes(4, "big")
        assert where.primary.leases.records == 1
        serial = where.primary.content.serial
        made.id += 1
        assert await rcode(where, made) == "NOERROR"
        assert where.primary.content.serial == serial


@pytest.mark.parametrize("edns", [-1, 0])
async def test_who_speaks_edns_is_answered_so(edns: int) -> None:
    """RFC 6891 section 6.1.1."""
    async with registry(Memory()) as where:
        for name, expected in (("a", "NOERROR"), ("a.example.", "NOTZONE")):
            made = update(f"{name} A 10.0.0.1")
            made.use_edns(edns)
            answer = await ask(where, made)
            assert (dns.rcode.to_text(answer.rcode()), answer.edns) == (expected, edns)


def _has(sent: list[bytes | None], count: int) -> bool:
    return len(sent) == count


async def test_a_known_refresh_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [record(f"h{number}.default") for number in range(300)]

    def never(message: bytes) -> None:
        raise AssertionError("a refresh was read")

    async with registry(Memory(), KEYS) as where:
        sent: list[bytes | None] = []
        for message_id, seconds in ((1, 30), (2, 60)):
            made = messages.update(message_id, ORIGIN, records, terms=Terms(seconds))
            where.authority.take(tsig.sign(made, NODE, time.time())[0], "127.0.0.1", sent.append)
            await until(partial(_has, sent, message_id))
            monkeypatch.setattr(authority, "parse_message", never)
        for number, answer in enumerate(sent):
            read = parse_message(answer or b"")
            assert (read.id, read.rcode, read_terms(read)) == (bytes((0, number + 1)), 0, Terms(30 * (number + 1)))
        lease = where.primary.leases.lease_of((records[0].name, records[0].type, records[0].data))
        assert lease is not None
        assert lease.term == 60


async def test_what_may_have_been_here_before_is_out_of_time() -> None:
    async with registry(Memory(), KEYS) as where:
        where.authority._signed = Replays(most=1)
        now = int(time.time())
        for number, signed in enumerate((now - 2, now - 1, now - 3)):
            made = messages.update(number, ORIGIN, [record(f"h{number}.default")])
            message, mac = tsig.sign(made, NODE, signed)
            answer, _ = await _raw(where, message)
        assert where.primary.content.serial == 9
        assert answer[3] & 0xF == dns.rcode.NOTAUTH
        with pytest.raises(dns.tsig.PeerBadTime):
            dns.message.from_wire(answer, keyring=THEIRS, request_mac=mac)
        (said,) = [each for each in parse_message(answer).additional if each.type == TSIG]
        assert int.from_bytes(said.data[-6:], "big") in range(now, now + 10)


async def inbound(
    where: Registry, zone: dns.zone.Zone, key: str = "", serial: int | None = None, udp: bool = False
) -> None:
    query, _ = dns.xfr.make_query(zone, serial=serial, keyring=THEIRS if key else None, keyname=key or None)
    mode = dns.query.UDPMode.TRY_FIRST if udp else dns.query.UDPMode.NEVER
    await dns.asyncquery.inbound_xfr(where.host, zone, query, where.port, timeout=5, udp_mode=mode)


def lines(zone: dns.zone.Zone) -> set[str]:
    return {f"{name} {rdata}" for name, _, rdata in zone.iterate_rdatas() if rdata.rdtype == dns.rdatatype.A}


@pytest.mark.parametrize("udp", [False, True])
async def test_transfers(udp: bool, size: Any) -> None:
    many = size(400, 4000)
    async with registry(Memory(), KEYS, ["127.0.0.1"]) as where:
        zone = dns.zone.Zone(dns.name.from_text(DOMAIN))
        await inbound(where, zone, "reader", 0)
        assert lines(zone) == set()
        for part in range(4):
            added = [f"a{part}-{number}.default A 10.0.{part}.{number % 250}" for number in range(many // 4)]
            assert await rcode(where, update(*added, key="node-1"), tcp=True) == "NOERROR"
        await inbound(where, zone, serial=None, udp=udp)
        assert len(lines(zone)) == many
        assert await rcode(where, update("b.default A 10.0.9.9", key="node-1")) == "NOERROR"
        await inbound(where, zone, "reader", udp=udp)
        assert len(lines(zone)) == many + 1
        assert zone.get_soa().serial == where.primary.content.serial == 12


async def test_what_is_beneath_a_name_is_sent_as_a_zone() -> None:
    async with registry(Memory(), KEYS) as where:
        added = [f"h{number}.{service}.default A 10.0.0.{number}" for number in range(9) for service in ("web", "db")]
        assert await rcode(where, update(*added, key="node-1"), tcp=True) == "NOERROR"
        zone = dns.zone.Zone(dns.name.from_text(f"web.default.{DOMAIN}"))
        await inbound(where, zone, "reader", 0)
        assert {name.to_text() for name in zone} == {"@", *(f"h{number}" for number in range(9))}
        assert await rcode(where, update("h9.web.default A 10.0.0.9", key="node-1")) == "NOERROR"
        await inbound(where, zone, "reader", zone.get_soa().serial)
        assert "h9" in {name.to_text() for name in zone}
        assert zone.get_soa().serial == where.primary.content.serial
        for name, key in ((f"none.default.{DOMAIN}", "reader"), (f"web.default.{DOMAIN}", "node-1")):
            with pytest.raises(dns.xfr.TransferError):
                await inbound(where, dns.zone.Zone(dns.name.from_text(name)), key, 0)


async def test_transfers_are_for_those_who_may() -> None:
    async with registry(Memory(), KEYS) as where:
        for key in ("", "node-1"):
            with pytest.raises(dns.xfr.TransferError):
                await inbound(where, dns.zone.Zone(dns.name.from_text(DOMAIN)), key, 0)
        asked = dns.message.make_query(DOMAIN, "AXFR")
        asked.use_tsig(THEIRS, "reader")
        assert await rcode(where, asked) == "FORMERR"
        assert await rcode(where, dns.message.make_query("example.com", "AXFR"), tcp=True) == "REFUSED"


async def test_notify() -> None:
    heard: list[tuple[int | None, str]] = []

    def hear(serial: int | None, client: str) -> bool:
        heard.append((serial, client))
        return len(heard) == 1

    async with registry(Memory()) as where:
        message = dns.message.from_wire(notify(7, APEX.soa(41)))
        assert await rcode(where, message) == "NOTAUTH"
        where.authority.follow(ORIGIN, hear)
        assert await rcode(where, message) == "NOERROR"
        assert await rcode(where, message) == "REFUSED"
    assert heard == [(41, "127.0.0.1")] * 3  # the second one is like the first, until that is not listened to


async def test_a_notify_like_another_is_answered_alike() -> None:
    heard: list[tuple[int | None, str]] = []
    elsewhere: list[int | None] = []
    sent: list[bytes | None] = []

    def hear(serial: int | None, client: str) -> bool:
        heard.append((serial, client))
        return client == "192.0.2.1"

    def hear_elsewhere(serial: int | None, client: str) -> bool:
        elsewhere.append(serial)
        return True

    async with registry(Memory()) as where:
        where.authority.follow(ORIGIN, hear)
        for number, serial in enumerate((41, 42, 1 << 31)):
            assert where.authority.take(notify(number, APEX.soa(serial)), "192.0.2.1", sent.append)
        where.authority.take(notify(9, APEX.soa(43)), "192.0.2.2", sent.append)
        where.authority.follow(ORIGIN, hear_elsewhere)
        where.authority.take(notify(4, APEX.soa(44)), "192.0.2.1", sent.append)
    assert [serial for serial, client in heard if client == "192.0.2.1"] == [41, 42, 1 << 31]
    assert elsewhere == [44]
    answers = [parse_message(message or b"") for message in sent]
    assert [int.from_bytes(answer.id, "big") for answer in answers] == [0, 1, 2, 9, 4]
    assert [answer.rcode for answer in answers] == [NOERROR] * 3 + [REFUSED, NOERROR]
    assert len({(sent[0] or b"")[2:], (sent[1] or b"")[2:], (sent[2] or b"")[2:], (sent[4] or b"")[2:]}) == 1


GARBAGE = {
    "an update that ends early": bytes.fromhex("000128000001000000010000") + b"\0\0\6\0\1",
    "an update of no zone": bytes.fromhex("000128000000000000000000"),
    "a notify with two zones": bytes.fromhex("000120000002000000000000") + b"\0\0\6\0\1" * 2,
    "a difference from nowhere": bytes.fromhex("000100000001000000000000") + ORIGIN + b"\0\xfb\0\1",
    "a transfer of what follows": bytes.fromhex("000100000001000000000000") + b"\xc0\x0c\0\xfc\0\1",
    "a transfer by a count": bytes.fromhex("0001000000000000 00fc 0000"),
}


@pytest.mark.parametrize("case", GARBAGE)
async def test_garbage(case: str) -> None:
    async with registry(Memory()) as where:
        answer, _ = await _raw(where, GARBAGE[case])
        assert answer[:2] == b"\0\1"
        assert answer[3] & 0xF == dns.rcode.FORMERR
        assert not where.primary.content.nodes
