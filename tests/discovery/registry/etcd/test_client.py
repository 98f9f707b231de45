"""The client of etcd's gateway, against servers that answer as etcd does when something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web

from discovery.registry.etcd import client as etcd
from discovery.registry.etcd.client import Access, Etcd, range_end
from discovery.registry.store import StoreError
from tests.interop.programs import free_ports

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def gateway(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server whose answers are `handler`'s."""
    app = web.Application()
    app.router.add_post("/v3/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(*endpoints: str, user: str = "") -> AsyncIterator[Etcd]:
    made = Etcd(Access(endpoints, None, user, "secret"))
    try:
        yield made
    finally:
        await made.close()


def says(status: int, body: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    return handler


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, '{"error":"etcdserver: key not found","code":3}', "refuses kv/txn: etcdserver: key not found"),
        (503, '{"error":"etcdserver: no leader","code":14}', "etcdserver: no leader"),
        (404, "Not Found\n", "is no etcd: b'Not Found"),
        (200, "[]", "is no etcd"),
        (200, '{"a":', "is no etcd"),
        (401, '{"error":"etcdserver: invalid auth token","code":16}', "invalid auth token"),
    ],
)
async def test_answers_that_are_none(status: int, body: str, told: str) -> None:
    async with gateway(says(status, body)) as url, client(url) as made:
        with pytest.raises(StoreError, match=told):
            await made.call("kv/txn", {})


async def test_nobody_is_there() -> None:
    first, second = free_ports(2)
    async with client(f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}") as made:
        with pytest.raises(StoreError, match=str(second)):
            await made.call("kv/range", {})


async def test_the_next_is_asked_when_one_is_not_there() -> None:
    (gone,) = free_ports(1)
    async with gateway(says(200, "{}")) as url, client(f"http://127.0.0.1:{gone}", url) as made:
        assert await made.call("kv/range", {}) == {}
        assert made.endpoint == url


async def test_whether_it_was_carried_out_is_not_known_so_nobody_else_is_asked() -> None:
    asked: list[str] = []

    async def hangs(request: web.Request) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(30)
        return web.Response(text="{}")

    async def drops(request: web.Request) -> web.Response:
        asked.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response(text="{}")

    async with gateway(hangs) as slow, gateway(drops) as broken, client(slow, broken) as made:
        with pytest.raises(StoreError, match=r"gave no answer to kv/txn within 0\.1 s"):
            await made.call("kv/txn", {}, seconds=0.1)
        assert made.endpoint == broken
        with pytest.raises(StoreError):
            await made.call("kv/put", {})
        assert made.endpoint == slow
    assert asked == ["/v3/kv/txn", "/v3/kv/put"]


async def test_who_must_say_who_it_is() -> None:
    tokens = iter(["first", "second"])
    now = ""

    async def handler(request: web.Request) -> web.Response:
        nonlocal now
        if request.path == "/v3/auth/authenticate":
            assert await request.json() == {"name": "weft", "password": "secret"}
            now = next(tokens)
            return web.json_response({"token": now})
        if request.headers.get("Authorization") != now:
            return web.json_response({"error": "etcdserver: invalid auth token", "code": 16}, status=401)
        return web.json_response({"count": "1"})

    async with gateway(handler) as url, client(url, user="weft") as made:
        assert await made.call("kv/range", {}) == {"count": "1"}
        now = "etcd was restarted"
        assert await made.call("kv/range", {}) == {"count": "1"}
        assert now == "second"


async def test_who_is_not_let_in() -> None:
    denied = says(400, '{"error":"etcdserver: authentication failed, invalid user ID or password","code":3}')
    async with gateway(denied) as url, client(url, user="weft") as made:
        with pytest.raises(StoreError, match=r"does not let in weft: .*invalid user ID or password"):
            await made.call("kv/range", {})


def streams(*parts: bytes, ends: bool = True) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.001)
        if not ends:
            await asyncio.sleep(30)
        return response

    return handler


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_watch_is_read_line_by_line(size: int) -> None:
    text = b'{"result":{"created":true}}\n{"result":{"events":["' + b"x" * 200 + b'"]}}\n'
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    async with gateway(streams(*parts)) as url, client(url) as made, aclosing(made.watch({})) as watch:
        assert await anext(watch) == {"created": True}
        assert await anext(watch) == {"events": ["x" * 200]}
        with pytest.raises(StoreError, match="ended a watch"):
            await anext(watch)


async def test_a_watch_that_is_refused() -> None:
    error = b'{"error":{"grpc_code":7,"message":"etcdserver: permission denied"}}\n'
    async with gateway(streams(error)) as url, client(url) as made:
        with pytest.raises(StoreError, match="ended a watch: etcdserver: permission denied"):
            await anext(made.watch({}))


async def test_a_silent_watch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "IDLE_SECONDS", 0.1)
    async with gateway(streams(b'{"result":{}}\n', ends=False)) as url, client(url) as made:
        assert [said async for said in made.watch({})] == [{}]


async def test_a_watch_that_says_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "LARGEST", 100)
    async with gateway(streams(b"x" * 101, ends=False)) as url, client(url) as made:
        with pytest.raises(StoreError, match="more than 100 bytes"):
            await anext(made.watch({}))


@pytest.mark.parametrize(("prefix", "end"), [(b"weft/", b"weft0"), (b"a\xff", b"b"), (b"\xff", b"\0"), (b"", b"\0")])
def test_where_a_prefix_ends(prefix: bytes, end: bytes) -> None:
    assert range_end(prefix) == end
