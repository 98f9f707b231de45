"""The admin server over a real socket: paths, Host, methods, bounds."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from itertools import repeat

import pytest
from aiohttp import web

from sidecar import admin
from sidecar.admin import AdminServer, host_allowed
from sidecar.documents import Query, Refused

HOSTS = [
    ("localhost", "127.0.0.1", True),
    ("localhost:9901", "127.0.0.1", True),
    ("LOCALHOST", "127.0.0.1", True),
    ("weft.localhost", "127.0.0.1", True),
    ("127.0.0.1:9901", "127.0.0.1", True),
    ("127.0.0.2", "127.0.0.1", True),
    ("[::1]:9901", "::1", True),
    ("10.0.0.7:9901", "10.0.0.7", True),
    ("10.0.0.8", "10.0.0.7", False),
    ("10.0.0.8", "0.0.0.0", True),
    ("evil.example", "127.0.0.1", False),
    ("evil.example:9901", "0.0.0.0", False),
    ("127.0.0.1.evil.example", "127.0.0.1", False),
    ("notlocalhost", "127.0.0.1", False),
    ("", "127.0.0.1", False),
]


@pytest.mark.parametrize(("host", "bound", "allowed"), HOSTS)
def test_which_hosts_are_meant(host: str, bound: str, allowed: bool) -> None:
    assert host_allowed(host, bound) is allowed


@asynccontextmanager
async def serving(metrics: Callable[[], Iterable[bytes]]) -> AsyncIterator[tuple[str, int]]:
    server = AdminServer(
        {
            "/healthz": lambda: (200, {"ok": True}),
            "/readyz": lambda: (503, {"ready": False, "missing": iter([1, 2])}),
        },
        metrics,
    )
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    await server.start(sock)
    yield sock.getsockname()
    await server.close()


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    async with serving(lambda: iter([b"weft_a 1\n", b"weft_b 2\n"])) as address:
        yield address


async def ask(
    address: tuple[str, int], path: str, method: str = "GET", host: str = "localhost"
) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"{method} {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, body


ANSWERS = {
    "metrics": ("/metrics", "GET", "localhost", 200, b"weft_a 1\nweft_b 2\n"),
    "json": ("/healthz", "GET", "localhost", 200, b'{"ok":true}\n'),
    "query": ("/healthz?x=1", "GET", "localhost", 200, b'{"ok":true}\n'),
    "not ready": ("/readyz", "GET", "localhost", 503, b'{"ready":false,"missing":[1,2]}\n'),
    "head": ("/healthz", "HEAD", "localhost", 200, b""),
    "unknown path": ("/nowhere", "GET", "localhost", 404, None),
    "unknown method": ("/healthz", "POST", "localhost", 405, None),
    "another site": ("/metrics", "GET", "evil.example", 421, None),
    "no host": ("/metrics", "GET", "", 421, None),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_answers(address: tuple[str, int], name: str) -> None:
    path, method, host, status, expected = ANSWERS[name]
    got, fields, body = await ask(address, path, method, host)
    assert got == status
    if expected is None:
        assert list(json.loads(body)) == ["error"]
    else:
        assert body == expected
    metrics = path == "/metrics" and status == 200
    assert fields["content-type"] == ("text/plain; version=0.0.4; charset=utf-8" if metrics else "application/json")


async def test_405_says_what_is_allowed(address: tuple[str, int]) -> None:
    _, fields, _ = await ask(address, "/metrics", "DELETE")
    assert fields["allow"] == "GET, HEAD"


async def test_connections_are_bounded(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MAX_CONNECTIONS", 1)
    _, idle = await asyncio.open_connection(*address)
    idle.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    status, fields, _ = await ask(address, "/healthz")
    assert (status, fields["connection"]) == (503, "close")
    idle.close()
    await idle.wait_closed()


async def test_connections_that_ask_nothing_are_bounded_too(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "MAX_CONNECTIONS", 2)
    opened = [await asyncio.open_connection(*address) for _ in range(5)]
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(opened[4][0].read(), 5) == b""
    for _, writer in opened:
        writer.close()
        with suppress(ConnectionResetError):
            await writer.wait_closed()


async def test_a_reader_that_stopped_reading_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "CLOSE_SECONDS", 0.1)
    async with serving(lambda: repeat(b"x" * 65536)) as address:
        reader, writer = await asyncio.open_connection(*address, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()
        began = time.monotonic()
    assert time.monotonic() - began < 10
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()


def asked(query: Query) -> tuple[int, dict[str, object]]:
    if "bad" in query:
        raise Refused("bad is not good", 404)
    return 200, {"asked": dict(query)}


async def counting(query: Query) -> AsyncGenerator[bytes, None]:
    for number in range(int(query["to"][0])):
        yield b"%d\n" % number


def stream(query: Query) -> AsyncGenerator[bytes, None]:
    if "to" not in query:
        raise Refused("to what?")
    return counting(query)


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[str, int]]:
    server = AdminServer({}, list, {"/ask": asked}, {"/count": stream})
    sock = socket.create_server(("127.0.0.1", 0))
    await server.start(sock)
    yield sock.getsockname()
    await server.close()


QUESTIONS = {
    "query": ("/ask?a=1&a=2&b=%20&c", "GET", 200, b'{"asked":{"a":["1","2"],"b":[" "],"c":[""]}}\n'),
    "refused": ("/ask?bad=1", "GET", 404, b'{"error":"bad is not good"}\n'),
    "too many fields": ("/ask?" + "a&" * 300, "GET", 400, b'{"error":"more than 200 fields in the query"}\n'),
    "stream": ("/count?to=3", "GET", 200, b"0\n1\n2\n"),
    "head of a stream": ("/count?to=3", "HEAD", 200, b""),
    "refused stream": ("/count", "GET", 400, b'{"error":"to what?"}\n'),
    "not to be written": ("/ask", "POST", 405, b'{"error":"/ask can only be read"}\n'),
    "unknown path": ("/x", "GET", 404, b'{"error":"no such path: /x; there are /metrics, /ask, /count"}\n'),
}


@pytest.mark.parametrize("name", QUESTIONS)
async def test_questions_and_streams(name: str) -> None:
    path, method, status, expected = QUESTIONS[name]
    async with answering() as address:
        got, _, body = await ask(address, path, method)
    assert (got, body) == (status, expected)


@pytest.mark.parametrize("path", ["/metrics", "/count?to=3"])
async def test_a_client_that_has_left_before_its_answer_is_no_error(
    path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[asyncio.Transport] = []

    class Watched(admin._Server):
        def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
            super().connection_made(handler, transport)
            taken.append(transport)

    def hang_up() -> Iterable[bytes]:
        taken[0].abort()
        return iter([b"weft_a 1\n"])

    def follow(query: Query) -> AsyncGenerator[bytes, None]:
        hang_up()
        return counting(query)

    monkeypatch.setattr(admin, "_Server", Watched)
    server = AdminServer({}, hang_up, {}, {"/count": follow})
    sock = socket.create_server(("127.0.0.1", 0))
    await server.start(sock)
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    with suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()
    await server.close()
    assert not caplog.records
