from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from discovery.registry import server as server_module
from discovery.registry.gate import Gate, Verdict
from discovery.registry.server import LARGEST_QUERY, MOST_CONNECTIONS, MOST_UNDER_WAY
from tests.discovery.registry.making import agree, query, responder, values
from tests.discovery.registry.servers import Nowhere, serving

SHOP = "shop.default.svc.cluster.local."
PATIENCE = 10.0

pytestmark = pytest.mark.both_loops


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


async def receive(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def end(reader: asyncio.StreamReader) -> bytes:
    """What comes before the connection ends, in whatever way."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_udp_and_tcp(address: str) -> None:
    async with serving(responder(), Nowhere(), address) as (_, where):
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp):
            for _ in range(3):
                answer = await ask(query(SHOP), where[0], PATIENCE, where[1])
                assert values(answer) == ["A 127.96.1.1"]


async def test_more_datagrams_than_a_batch() -> None:
    made = responder()
    async with serving(made, Nowhere()) as (_, where):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(where)
            messages = [query(SHOP).to_wire() for _ in range(3 * server_module.BATCH)]
            for message in messages:
                client.send(message)
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(PATIENCE):
                answers = [await loop.sock_recv(client, 4096) for _ in messages]
        assert [answer[:2] for answer in answers] == [message[:2] for message in messages]
        assert made.counts["A", "NOERROR"] == [len(messages)]


async def test_noise_gets_no_answer_and_changes_nothing() -> None:
    async with serving(responder(), Nowhere()) as (_, where):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(where)
            for noise in (b"", b"x", b"\0" * 12, b"\xff" * 3000):
                client.send(noise)
        answer = await dns.asyncquery.udp(query(SHOP), where[0], PATIENCE, where[1])
        assert values(answer) == ["A 127.96.1.1"]


async def test_pipelined_queries_in_any_pieces() -> None:
    async with serving(responder(), Nowhere()) as (_, where):
        reader, writer = await asyncio.open_connection(*where)
        messages = [query(SHOP).to_wire() for _ in range(20)]
        stream = b"".join(map(framed, messages))
        for at in range(0, len(stream), 7):
            writer.write(stream[at : at + 7])
            await writer.drain()
        assert [(await receive(reader))[:2] for _ in messages] == [message[:2] for message in messages]
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_what_is_looked_up_elsewhere_does_not_hold_up_the_rest() -> None:
    nowhere = Nowhere()
    async with serving(responder(recursion=True), nowhere) as (_, where):
        reader, writer = await asyncio.open_connection(*where)
        elsewhere, ours = query("www.example.com."), query(SHOP)
        writer.write(framed(elsewhere.to_wire()) + framed(ours.to_wire()))
        writer.write_eof()
        assert agree(await receive(reader)).id == ours.id
        [(asked, client, tcp, send)] = nowhere.asked
        assert (asked.labels, client, tcp) == ((b"www", b"example", b"com"), "127.0.0.1", True)
        send(dns.message.make_response(elsewhere).to_wire())
        assert (await receive(reader))[:2] == elsewhere.id.to_bytes(2, "big")
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_has_only_so_much_under_way() -> None:
    nowhere = Nowhere()
    async with serving(responder(recursion=True), nowhere) as (_, where):
        reader, writer = await asyncio.open_connection(*where)
        messages = [query(f"www{number}.example.com.") for number in range(MOST_UNDER_WAY + 5)]
        writer.write(b"".join(framed(message.to_wire()) for message in messages))
        await until(lambda: len(nowhere.asked) == MOST_UNDER_WAY)
        for number, message in enumerate(messages):
            await until(lambda n=number: len(nowhere.asked) > n)  # type: ignore[misc]
            nowhere.asked[number][3](dns.message.make_response(message).to_wire())
            await receive(reader)
        writer.close()


async def test_an_answer_that_comes_after_its_client_is_gone() -> None:
    nowhere = Nowhere()
    async with serving(responder(recursion=True), nowhere) as (server, where):
        _, writer = await asyncio.open_connection(*where)
        writer.write(framed(query("www.example.com.").to_wire()))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(query("www.example.com.").to_wire(), where)
            await until(lambda: len(nowhere.asked) == 2)
        for connection in tuple(server.connections):
            connection.abort()
        writer.close()
        for *_, send in nowhere.asked:
            send(b"late")
    for *_, send in nowhere.asked:
        send(b"later still")


@pytest.mark.parametrize("sent", [framed(b"x" * (LARGEST_QUERY + 1)), framed(b"x"), framed(b"")])
async def test_a_connection_that_talks_nonsense_is_closed(sent: bytes) -> None:
    async with serving(responder(), Nowhere()) as (_, where):
        reader, writer = await asyncio.open_connection(*where)
        writer.write(sent)
        assert await asyncio.wait_for(end(reader), PATIENCE) == b""
        writer.close()


async def test_the_quietest_connection_makes_room() -> None:
    async with serving(responder(), Nowhere()) as (server, where):
        pairs = [await asyncio.open_connection(*where) for _ in range(MOST_CONNECTIONS)]
        await until(lambda: len(server.connections) == MOST_CONNECTIONS)
        reader, writer = pairs[0]
        writer.write(framed(query(SHOP).to_wire()))
        await receive(reader)
        pairs.append(await asyncio.open_connection(*where))
        await until(lambda: pairs[1][0].at_eof() or pairs[1][0].exception() is not None)
        assert len(server.connections) == MOST_CONNECTIONS
        writer.write(framed(query(SHOP).to_wire()))
        assert values(agree(await receive(reader))) == ["A 127.96.1.1"]
        for _, each in pairs:
            each.close()


async def test_a_connection_that_waits_for_an_answer_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "CHECK_SECONDS", 0.01)
    nowhere = Nowhere()
    async with serving(responder(recursion=True), nowhere) as (server, where):
        reader, writer = await asyncio.open_connection(*where)
        asked = query("www.example.com").to_wire()
        for byte in len(asked).to_bytes(2, "big") + asked:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        assert len(server.connections) == 1
        ((_, _, _, send),) = nowhere.asked
        send(asked)
        assert await reader.readexactly(2 + len(asked))
        assert await reader.read() == b""
        writer.close()


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(server_module, "CHECK_SECONDS", 0.01)
    async with serving(responder(), Nowhere()) as (server, where):
        _, writer = await asyncio.open_connection(*where)
        await until(lambda: len(server.connections) == 1)
        await until(lambda: not server.connections)
        writer.close()


async def test_a_client_that_does_not_read_holds_little(monkeypatch: pytest.MonkeyPatch) -> None:
    made = responder()
    async with serving(made, Nowhere()) as (server, where):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(where)
        reader, writer = await asyncio.open_connection(sock=line)
        message = framed(query(SHOP).to_wire())
        writer.transport.set_write_buffer_limits(1 << 16)

        async def flood() -> None:
            while True:
                writer.write(message * 100)
                await writer.drain()

        flooding = asyncio.create_task(flood())
        seen = -1
        while seen != (seen := made.counts.get(("A", "NOERROR"), [0])[0]) or not seen:
            await asyncio.sleep(0.2)
        assert not reader.at_eof()
        [connection] = server.connections
        assert connection._transport is not None
        assert connection._transport.get_write_buffer_size() < 1 << 18
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
        writer.transport.abort()


class Strict(Gate):
    """Takes this machine for one that is not."""

    def __init__(self, said: Verdict) -> None:
        super().__init__((), 0)
        self.said = said

    def verdict(self, address: str, now: float) -> Verdict:
        return self.said

    def admits(self, address: str) -> bool:
        return self.said is Verdict.ANSWER


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize(("said", "rcode", "flag"), [
    (Verdict.ANSWER, dns.rcode.NOERROR, 0),
    (Verdict.TRUNCATE, dns.rcode.NOERROR, dns.flags.TC),
    (Verdict.REFUSE, dns.rcode.REFUSED, 0),
])  # fmt: skip
async def test_a_gate_is_asked(address: str, said: Verdict, rcode: int, flag: int) -> None:
    async with serving(responder(), Nowhere(), address, gate=Strict(said)) as (server, (_, port)):
        answer = await dns.asyncquery.udp(query(SHOP), "127.0.0.1", PATIENCE, port)
        assert (answer.rcode(), answer.flags & dns.flags.TC, bool(answer.answer)) == (
            rcode, flag, said is Verdict.ANSWER,
        )  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(framed(query(SHOP).to_wire()))
        if said is Verdict.ANSWER:
            assert await receive(reader)
        else:
            assert await end(reader) == b""
            await until(lambda: not server.connections)
        writer.close()
