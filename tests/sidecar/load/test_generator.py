"""The open loop against real little servers: rates, stalls seen, errors told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from sidecar.load.generator import Generator
from sidecar.load.report import Report
from sidecar.load.schedule import evenly
from sidecar.load.target import parse_target

pytestmark = pytest.mark.both_loops

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)


async def load(url: str, rate: float, seconds: float, connections: int = 4, timeout: float = 5.0) -> Report:
    return await Generator(parse_target(url), evenly(rate), connections, timeout).run(rate, seconds)


async def test_all_that_was_due_is_answered() -> None:
    async with serving(answer) as url:
        report = await load(url, 400, 0.5)
    assert (report.sent, report.answered, report.statuses, report.errors) == (200, 200, {"200": 200}, {})


async def test_a_run_can_be_looked_at() -> None:
    async with serving(answer) as url:
        generator = Generator(parse_target(url), evenly(100), 1, 5.0)
        before = generator.look()
        await generator.run(100, 0.2)
        after = generator.look()
    assert before == (-1.0, 0, 0, 0)
    assert after.elapsed > 0.1
    assert after[1:] == (20, 20, 0)


async def test_a_stall_shows_in_all_that_it_delayed() -> None:
    """One stall of 300 ms: a closed loop would show it once, here a third of the answers carry it."""
    stalled = False

    async def stall_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal stalled
        for number in range(1_000_000):
            await reader.readuntil(b"\r\n\r\n")
            if number == 20 and not stalled:
                stalled = True
                await asyncio.sleep(0.3)
            writer.write(ANSWER)

    async with serving(stall_once) as url:
        report = await load(url, 100, 1.0, connections=1)
    assert report.answered == 100
    assert report.latency["p90"] > 0.15
    assert report.service["p90"] < 0.1


async def test_connections_that_end_are_opened_again() -> None:
    async def close_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with serving(close_each) as url:
        report = await load(url, 200, 0.3)
    assert (report.answered, report.errors) == (60, {})


async def test_cut_answers_are_counted() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()
        writer.close()

    async with serving(cut) as url:
        report = await load(url, 100, 0.2)
    assert (report.answered, report.errors) == (0, {"closed": 20})


async def test_no_answer_is_a_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as url:
        report = await load(url, 100, 0.2, connections=2, timeout=0.2)
    assert (report.sent, report.answered, report.errors) == (2, 0, {"timeout": 20})


async def test_a_closed_port_is_said_at_once() -> None:
    async with serving(answer) as url:
        pass
    with pytest.raises(ConnectionError, match="takes no connection"):
        await load(url, 10, 5.0)


async def test_a_target_that_was_gone_is_used_again() -> None:
    """While it refuses, what is due fails; when it is back, the rest is sent."""
    requests = 0
    clients: list[asyncio.StreamWriter] = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        clients.append(writer)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
            writer.write(ANSWER)

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)

    async with serving(count) as url:
        target = parse_target(url)
        generator = Generator(target, evenly(100), 2, 5.0)
        run = asyncio.create_task(generator.run(100, 1.5))
        await until(lambda: requests >= 5)
    for client in clients:
        client.transport.abort()
    await until(lambda: "connect" in generator.errors)
    before = requests
    async with serving(count, target.port):
        report = await run
    assert requests > before
    assert "timeout" not in report.errors
    assert report.answered + sum(report.errors.values()) == 150


async def test_connections_closed_unused_are_opened_again_without_a_storm() -> None:
    accepted = 0

    async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        if accepted > 4:
            await answer(reader, writer)

    async with serving(close_at_once) as url:
        report = await load(url, 20, 0.5)
    assert 4 < accepted < 20
    assert report.sent == 10
    assert report.answered > 0
    assert report.answered + sum(report.errors.values()) == report.sent


async def test_a_target_that_closes_every_connection_is_not_stormed() -> None:
    accepted = 0

    async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1

    async with serving(close_at_once) as url:
        await load(url, 1, 0.5, timeout=0.1)
    assert accepted < 50
