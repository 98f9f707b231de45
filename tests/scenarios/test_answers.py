"""What clients are told of endpoints that answer badly, late or not at all; on the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.discovery.probes.servers import Handler, answering, refused_port, serving
from tests.scenarios.dialogue import Reply, exchange
from tests.scenarios.manifests import endpoint_slice, policy, service
from tests.scenarios.world import Inside, inside

pytestmark = pytest.mark.both_loops

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"


@asynccontextmanager
async def web(folder: Path, *handlers: Handler, also: tuple[int, ...] = (), **spec: Any) -> AsyncIterator[Inside]:
    """The Service `web` of an endpoint for each of `handlers` and the ports `also`, with a policy of `spec`."""
    async with AsyncExitStack() as servers:
        ports = [await servers.enter_async_context(serving(handler)) for handler in handlers]
        slices = [endpoint_slice("web", {"http": port}) for port in (*also, *ports)]
        policies = [policy("web", **spec)] if spec else []
        yield await servers.enter_async_context(inside(folder, service("web", {"http": 8080}), *slices, *policies))


async def ask(node: Inside, request: bytes = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n") -> Reply:
    return await exchange(*node.address("web"), request)


def retries(node: Inside) -> dict[str, int]:
    return dict(node.counters("web").retries)


async def fine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer well, as often as asked."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(FINE)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


MALFORMED = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "control characters": b"\x00\x01\x02\x03" * 8,
    "a version of the future": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: four\r\n\r\nfine",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfine",
    "two framings": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 4\r\n\r\nfine",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nfine",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_garbage_becomes_a_502_and_is_not_tried_again(sent: bytes, tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with web(tmp_path, answering(sent, seen)) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (502, "http_protocol_error")
        assert len(seen) == 1
        assert node.counters("web").reasons == {"http_protocol_error": 1}


async def test_a_head_without_end_is_refused(tmp_path: Path) -> None:
    async with web(tmp_path, answering(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 70_000)) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (502, "http_response_header_section_size")


async def test_endpoints_that_close_before_they_answer_are_left_for_others(tmp_path: Path) -> None:
    async with web(tmp_path, answering(b""), fine) as node:
        for _ in range(4):
            assert (await ask(node)).body == b"fine"
        assert retries(node)["tried"] >= 1


async def test_when_all_close_before_they_answer_the_client_is_told(tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with web(tmp_path, *(answering(b"", seen) for _ in range(4))) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (502, "connection_terminated")
        assert len(seen) == 3, "the first try and two more"
        assert retries(node) == {"tried": 2, "exhausted": 1}


async def test_what_may_have_been_acted_on_is_not_sent_again(tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with web(tmp_path, *(answering(b"", seen) for _ in range(2))) as node:
        reply = await ask(node, POST)
        assert (reply.status, reply.error) == (502, "connection_terminated")
        assert len(seen) == 1
        assert retries(node) == {"not-replayable": 1}


async def test_who_refuses_is_left_for_others_and_set_aside(tmp_path: Path) -> None:
    async with web(tmp_path, fine, also=(refused_port(),)) as node:
        for _ in range(4):
            assert (await ask(node, POST)).body == b"fine"
        assert retries(node) == {"tried": 1}, "one request met the endpoint that refuses, and then it was set aside"


async def test_nobody_listens(tmp_path: Path) -> None:
    async with web(tmp_path, also=(refused_port(),)) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (502, "connection_refused")


async def test_no_endpoints(tmp_path: Path) -> None:
    async with web(tmp_path) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (503, "destination_unavailable")


async def test_an_answer_in_single_bytes_arrives(tmp_path: Path) -> None:
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in FINE:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with web(tmp_path, dripping) as node:
        assert (await ask(node)).body == b"fine"


async def test_slow_answers_hold_up_nobody_else(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        writer.write(FINE)
        await writer.drain()

    async with web(tmp_path, waiting, fine) as node, asyncio.timeout(10), asyncio.TaskGroup() as clients:
        replies = [clients.create_task(ask(node)) for _ in range(6)]
        while sum(reply.done() for reply in replies) < 3:
            await asyncio.sleep(0.005)
        assert node.counters("web").in_flight == 3
        go.set()
    assert [reply.result().body for reply in replies] == [b"fine"] * 6


async def test_an_answer_that_never_comes(tmp_path: Path) -> None:
    async with web(tmp_path, silent, timeouts={"responseHead": "200ms"}) as node:
        reply = await ask(node)
        assert (reply.status, reply.error) == (504, "http_response_timeout")


async def test_an_answer_that_stops_midway_is_cut(tmp_path: Path) -> None:
    async def stopping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(FINE[:-2])
        await silent(reader, writer)

    async with web(tmp_path, stopping, timeouts={"idle": "200ms"}) as node:
        with pytest.raises(asyncio.IncompleteReadError):
            await ask(node)
        assert node.counters("web").reasons == {"connection_read_timeout": 1}


async def test_a_request_leaves_an_endpoint_that_is_withdrawn(tmp_path: Path) -> None:
    stuck = set[int]()

    async def holding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stuck.add(writer.get_extra_info("sockname")[1])
        await silent(reader, writer)

    async with web(tmp_path, holding, fine) as node, asyncio.timeout(10), asyncio.TaskGroup() as clients:
        replies = [clients.create_task(ask(node)) for _ in range(6)]
        while sum(reply.done() for reply in replies) < 3:
            await asyncio.sleep(0.005)
        await node.withdraw("web", *stuck)
    assert [reply.result().body for reply in replies] == [b"fine"] * 6


async def test_stopping_lets_an_answer_be_finished(tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await go.wait()
        writer.write(FINE)
        await writer.drain()

    async with web(tmp_path, waiting) as node, asyncio.timeout(10), asyncio.TaskGroup() as beside:
        address = node.address("web")
        reply = beside.create_task(ask(node))
        await asked.wait()
        stopping = beside.create_task(node.stop())
        while not await refused(*address):
            await asyncio.sleep(0.005)
        assert not reply.done()
        assert not stopping.done()
        go.set()
    assert reply.result().body == b"fine"
    assert reply.result().fields["connection"] == "close"


async def refused(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_a_server_that_speaks_first_behind_a_port_without_a_name(tmp_path: Path) -> None:
    async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 at your service\r\n")
        writer.write((await reader.readline()).upper())
        await writer.drain()

    async with serving(greeting) as port:
        unnamed = [service("mail", {"": 2525}), endpoint_slice("mail", {"": port})]
        async with inside(tmp_path, *unnamed) as node, asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(*node.address("mail"))
            assert await reader.readline() == b"220 at your service\r\n"
            writer.write(b"quit\r\n")
            assert await reader.read() == b"QUIT\r\n"
            writer.close()
            await writer.wait_closed()
            assert node.counters("mail").detected == {"silent": 1}
