"""A client's connection: what is refused at the door, the clock, slow readers, and both kinds of loop."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc

import pytest

from config.policies import TimeoutPolicy
from mesh import downstream
from mesh.downstream import HTTPDownstream
from mesh.exchange import Exchange
from mesh.http1.recurring import RequestReader
from mesh.http1.request import Plain
from tests.mesh.dialogue import GET, OK, Mesh, Wire, answering, get, mesh
from tests.mesh.http1.test_request import REFUSED


@pytest.mark.parametrize(
    "name", ["no Host", "two Hosts", "folded field", "HTTP/0.9", "version 2.0", "CONNECT", "101 fields"]
)
async def test_a_bad_head_is_answered_and_ends_the_connection(name: str) -> None:
    head, status = REFUSED[name]
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        await wire.exactly(len(OK))
        await wire.send(head + GET)
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b'Proxy-Status: weft; error=http_request_error; details="' in answer
        assert b"Connection: close\r\n" in answer
        assert answer.count(b"\r\n\r\n") == 1
        assert len(world.endpoints[0].heads) == 1


async def test_a_connection_that_is_over_leaves_nothing_to_the_garbage_collector() -> None:
    def alive() -> int:
        return sum(isinstance(each, HTTPDownstream | Exchange) for each in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        async with mesh(answering(OK)) as world:
            before = alive()
            wire = await world.dial()
            await wire.send(GET)
            await wire.exactly(len(OK))
            assert alive() == before + 2
            world.clients.clear()
            await wire.close()
            await world.wait(lambda: alive() == before)  # once the wheel has come to it
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\n", 400),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"b" * 66_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_will_never_be_a_head_is_answered_at_once(data: bytes, status: int) -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(data)
        assert (await wire.rest()).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n"])
async def test_empty_lines_before_a_request_are_skipped(before: bytes) -> None:
    async with mesh(answering(OK)) as world:
        assert await world.ask(before + GET + before + GET) == OK + OK
        wire = await world.dial()
        for at in range(len(before + GET)):
            await wire.send((before + GET)[at : at + 1])
            await asyncio.sleep(0)
        assert await wire.exactly(len(OK)) == OK


async def test_bytes_after_connection_close_are_no_request() -> None:
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(get("/", "Connection: close") + GET)
        answer = await wire.rest()
        assert answer.count(b"HTTP/1.1") == 1
        await asyncio.sleep(0.02)
        assert len(world.endpoints[0].heads) == 1


async def test_the_answer_is_read_even_by_a_client_that_goes_on_sending() -> None:
    async with mesh() as world:
        wire = await world.dial()
        wire.writer.write(get("/", "Content-Length: 10000000", method="POST"))
        wire.writer.write(b"x" * 10_000_000)
        assert b"HTTP/1.1 503 " in await wire.until(b"ready endpoint\n")


async def test_a_slow_head_is_answered_408_and_silence_is_not() -> None:
    async with mesh(answering(OK), timeouts=TimeoutPolicy(client_head=0.1, idle=0.3)) as world:
        wire, silent = await world.dial(), await world.dial()
        slow = asyncio.create_task(_drip(wire))
        answer = await wire.rest()
        slow.cancel()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert await silent.rest() == b""


async def _drip(wire: Wire) -> None:
    """A head whose bytes keep coming, but too slowly."""
    for byte in GET[:-1]:
        wire.writer.write(bytes([byte]))
        await asyncio.sleep(0.03)
    await asyncio.sleep(3600)


async def test_an_idle_connection_is_closed() -> None:
    async with mesh(answering(OK), timeouts=TimeoutPolicy(idle=0.1)) as world:
        wire = await world.dial()
        await wire.send(GET)
        assert await wire.rest() == OK


async def test_limits_of_zero_are_none() -> None:
    timeouts = TimeoutPolicy(connect=0, client_head=0, response_head=0, idle=0)
    async with mesh(answering(OK), timeouts=timeouts) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET[:5])
            await asyncio.sleep(0.05)
            await wire.send(GET[5:])
            assert await wire.exactly(len(OK)) == OK


async def test_a_slow_reader_holds_its_endpoint_and_costs_little() -> None:
    sent = 0

    async def script(wire: Wire) -> None:
        nonlocal sent
        await wire.message()
        size = 60_000_000
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while sent < size:
            wire.writer.write(b"x" * 100_000)
            await asyncio.wait_for(wire.writer.drain(), 30)
            sent += 100_000

    async with mesh(script) as world:
        wire = await world.dial(buffer=4096)
        await wire.send(GET)
        await wire.until(b"\r\n\r\n")
        await world.wait(lambda: world.clients[0]._stuck)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 30_000_000
        assert world.clients[0]._transport.get_write_buffer_size() <= 256 * 1024
        await wire.exactly(60_000_000)


async def test_a_slow_endpoint_holds_its_client() -> None:
    gate = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.until(b"\r\n\r\n")
        await gate.wait()
        await wire.exactly(40_000_000)
        await wire.send(OK)

    async with mesh(script) as world:
        wire = await world.dial()
        wire.writer.write(get("/", "Content-Length: 40000000", method="POST") + b"x" * 40_000_000)
        await world.wait(lambda: world.clients[0].held)
        gate.set()
        assert await wire.exactly(len(OK)) == OK
        await wire.send(GET[:-2])


async def test_a_client_that_reads_nothing_gets_no_further_requests_served() -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    async with mesh(answering(body)) as world:
        wire = await world.dial(buffer=4096)
        wire.writer.write(GET * 300)
        await world.wait(lambda: world.clients[0]._stuck)
        await asyncio.sleep(0.1)
        assert len(world.endpoints[0].heads) < 200
        for _ in range(300):
            assert await wire.exactly(len(body)) == body


class NoTransport:
    def write(self, data: bytes) -> None: ...
    def set_write_buffer_limits(self, high: int) -> None: ...
    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("192.0.2.1", 1234)


async def test_an_idle_connection_costs_little() -> None:
    """What Python holds for it; transport and kernel come on top."""
    async with mesh(answering(OK)) as world:
        count = 500
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        clients = [HTTPDownstream(world.proxy, world.key) for _ in range(count)]
        for client in clients:
            client.connection_made(NoTransport())  # type: ignore[arg-type]
        each = (tracemalloc.get_traced_memory()[0] - before) / count
        tracemalloc.stop()
        for client in clients:
            client.connection_lost(None)
        assert each < 2048


DIALOGUES = [GET, get(method="POST", body=b"hello"), get("/", "Connection: close"), b"GET / HTTP/1.0\r\n\r\n", b"x\n"]


def test_on_asyncio_in_debug_mode() -> None:
    async def talk() -> None:
        async with mesh(answering(OK), refusing=1) as world:
            for request in DIALOGUES:
                answer = await world.ask(request)
                assert answer.startswith(b"HTTP/1.1 400" if request == b"x\n" else b"HTTP/1.1 200")

    asyncio.run(talk(), debug=True)


async def test_a_slow_reader_gets_the_last_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "LINGER", 0.1)
    body = bytes(range(256)) * 1200

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with mesh(script, timeouts=TimeoutPolicy(idle=0.5)) as world:
        wire = await world.dial(buffer=4096)
        await world.wait(lambda: bool(world.clients))
        sock = world.clients[0]._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        wire.reader._limit = 1024  # type: ignore[attr-defined]  # the stream reads no further ahead
        await wire.send(get("/", "Connection: close"))
        received = b""
        while part := await wire.reader.read(16_384):
            received += part
            await asyncio.sleep(0.03)
        assert received.endswith(body)


async def test_who_takes_nothing_of_the_last_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "LINGER", 0.1)
    body = b"x" * 8_000_000

    async def script(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await wire.rest()

    async with mesh(script, timeouts=TimeoutPolicy(idle=0.2)) as world:
        wire = await world.dial(buffer=4096)
        wire.reader._limit = 1024  # type: ignore[attr-defined]
        await wire.send(get("/", "Connection: close"))
        await world.wait(lambda: world.stats.codes == {200: 1})
        await world.wait(lambda: not world.proxy.clients)


async def test_a_head_in_pieces_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    class Counting(RequestReader):
        def read(self, data: bytes) -> Plain | None:
            reads.append(len(data))
            return super().read(data)

    monkeypatch.setattr(downstream, "RequestReader", Counting)
    async with mesh(answering(OK)) as world:
        wire = await world.dial()
        for byte in GET:
            await wire.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await wire.exactly(len(OK)) == OK
    assert len(reads) <= 2


@pytest.mark.both_loops
async def test_requests_sent_ahead_that_end_at_once_leave_others_their_turn() -> None:
    """Answering them all in a row would hold the loop for half a second."""
    at_once: list[int] = []
    async with mesh() as world:
        world.loop.call_soon(_count_turns, world, at_once)
        wire = await world.dial()
        await wire.send(GET * 500)
        text = b""
        while text.count(b"weft: 503") < 500:
            text += await wire.reader.read(2**20)
        assert await world.ask(GET)
        assert world.stats.codes == {503: 501}
        assert max(at_once) <= downstream.BURST + 1


def _count_turns(world: Mesh, at_once: list[int], before: int = 0) -> None:
    """Note how many requests were answered in each turn of the loop."""
    count = world.stats.codes.get(503, 0)
    at_once.append(count - before)
    if count < 501:
        world.loop.call_soon(_count_turns, world, at_once, count)


async def test_what_is_refused_at_the_door_is_counted() -> None:
    async with mesh(answering(OK)) as world:
        assert b" 400 " in await world.ask(b"GET / HTTP/1.1\r\n\r\n")
        assert world.stats.reasons == {"http_request_error": 1}
