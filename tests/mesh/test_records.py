"""What is no exchange leaves a record too: connections as they end, and heads that were refused."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest

from config.policies import TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh.access_log import AccessRecord
from mesh.log_lines import common_lines
from mesh.plan import BackendKey
from mesh.reasons import BAD_REQUEST
from mesh.records import Way, refused_head
from mesh.table import ListenerKey
from tests.mesh.dialogue import OK, Wire, answering, get, mesh
from tests.mesh.relaying import World, closed_port, echo, relaying, silent, until

pytestmark = pytest.mark.both_loops


async def talk(world: World) -> None:
    wire = await world.connect()
    await wire.send(b"hello")
    assert await wire.exactly(5) == b"hello"
    wire.writer.write_eof()
    assert await wire.rest() == b""


async def leave(world: World) -> None:
    wire = await world.connect()
    await wire.send(b"hello")
    assert await wire.exactly(5) == b"hello"
    sock = wire.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wire.writer.transport.abort()


async def be_refused(world: World) -> None:
    world.use(Endpoint("127.0.0.1", closed_port()))
    assert await world.ending() == "reset"


async def find_nobody(world: World) -> None:
    world.use()
    assert await world.ending() == "reset"


async def be_silent(world: World) -> None:
    wire = await world.connect()
    await wire.send(b"hello")
    assert await wire.exactly(5) == b"hello"
    with suppress(ConnectionResetError):
        await wire.rest()


async def be_let_down(world: World) -> None:
    """By an endpoint that resets."""
    with suppress(ConnectionResetError):
        wire = await world.connect()
        await wire.send(b"hello")
        await wire.rest()


async def reset(wire: Wire) -> None:
    await wire.exactly(5)
    wire.reset()


Doing = Callable[[World], Any]
CONNECTIONS: dict[str, tuple[Doing, dict[str, Any], dict[str, Any]]] = {
    "in order": (talk, {}, {"bytes_in": 5, "bytes_out": 5, "reason": "", "tries": 1}),
    "the client resets": (leave, {}, {"bytes_in": 5, "bytes_out": 5, "reason": "client_closed"}),
    "the endpoint resets": (be_let_down, {"script": reset}, {"bytes_in": 5, "reason": "connection_terminated"}),
    "refused": (be_refused, {"retries": {"attempts": 0}}, {"reason": "connection_refused", "tries": 1, "bytes_in": 0}),
    "no endpoint": (find_nobody, {}, {"reason": "destination_unavailable", "tries": 0, "endpoint": ""}),
    "silence": (
        be_silent, {"timeouts": {"tunnel_idle": 0.1}},
        {"bytes_in": 5, "bytes_out": 5, "reason": "connection_read_timeout"},
    ),
}  # fmt: skip


def without(options: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != name}


@pytest.mark.parametrize("case", CONNECTIONS)
@pytest.mark.parametrize("log", ["access_log", "failure_log"])
async def test_one_record_per_connection(case: str, log: str) -> None:
    doing, options, expected = CONNECTIONS[case]
    records: list[AccessRecord] = []
    async with relaying(options.get("script", echo), **without(options, "script")) as world:
        setattr(world.proxy, log, records.append)
        await doing(world)
        await until(lambda: not world.open)
    if log == "failure_log" and not expected["reason"]:
        assert records == []
        return
    [record] = records
    assert {name: getattr(record, name) for name in expected} == expected
    assert (record.protocol, record.namespace, record.service, record.port) == ("tcp", "default", "shop", "db")
    assert (record.status, record.method, record.listener) == (0, "", "127.0.0.1:0")
    assert record.client == "127.0.0.1" or (log, case) == ("failure_log", "the client resets")
    assert record.endpoint or expected.get("endpoint") == ""
    assert record.request_id
    assert 0 <= record.seconds < 5
    assert b'] "tcp" - ' in common_lines([record], 0.0)


async def test_nobody_wants_a_record_and_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr("mesh.dialling.flow", lambda *_, **__: made.append(1))
    async with relaying(echo) as world:
        await talk(world)
        await find_nobody(world)
        await until(lambda: not world.open)
    assert made == []


async def test_who_is_not_let_in() -> None:
    records: list[AccessRecord] = []
    async with relaying(silent, sources=(ip_network("192.0.2.0/24"),)) as world:
        world.proxy.failure_log = records.append
        assert await world.ending() == "reset"
        await until(lambda: records)
    [record] = records
    assert (record.reason, record.protocol, record.tries) == ("http_request_denied", "tcp", 0)
    assert (record.client, record.endpoint) == ("127.0.0.1", "")


HEADS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "no request at all": (b"hello there\r\n\r\n", {"status": 400, "method": "", "target": "", "host": ""}),
    "two hosts": (
        b"GET /a?b HTTP/1.1\r\nHost: shop\r\nHost: cart\r\n\r\n",
        {"status": 400, "method": "GET", "target": "/a?b", "host": "shop"},
    ),
    "too long": (b"GET /x HTTP/1.0\r\nX: " + b"x" * 70_000, {"status": 431, "method": "GET", "minor": 0}),
    "a version of later": (b"GET / HTTP/2.7\r\nHost: shop\r\n\r\n", {"status": 505, "method": "", "host": "shop"}),
    "a control character": (b"GET / HTTP/1.1\r\nHost: a\x01b\r\n", {"status": 400, "method": "GET", "host": "a"}),
}


@pytest.mark.parametrize("case", HEADS)
@pytest.mark.parametrize("log", ["access_log", "failure_log"])
async def test_one_record_per_refused_head(case: str, log: str) -> None:
    head, expected = HEADS[case]
    records: list[AccessRecord] = []
    async with mesh(answering(OK)) as world:
        setattr(world.proxy, log, records.append)
        wire = await world.dial()
        await wire.send(head)
        answer = await wire.rest()
    [record] = records
    assert {name: getattr(record, name) for name in expected} == expected
    assert (record.reason, record.protocol, record.bytes_out) == ("http_request_error", "http", len(answer))
    assert f"X-Request-Id: {record.request_id}\r\n".encode() in answer, "so that explain --id finds it"
    assert record.client == "127.0.0.1"


async def test_a_head_that_does_not_come_in_time() -> None:
    records: list[AccessRecord] = []
    async with mesh(answering(OK), timeouts=TimeoutPolicy(client_head=0.05)) as world:
        world.proxy.failure_log = records.append
        wire = await world.dial()
        await wire.send(b"GET /slow HTTP/1.1\r\nHost: shop\r\n")
        assert b" 408 " in await wire.rest()
    [record] = records
    assert (record.status, record.method, record.target, record.host) == (408, "GET", "/slow", "shop")


async def test_a_good_exchange_leaves_one_record() -> None:
    records: list[AccessRecord] = []
    async with mesh(answering(OK)) as world:
        world.proxy.access_log = records.append
        wire = await world.dial()
        await wire.send(get())
        await wire.exactly(len(OK))
    assert [record.protocol for record in records] == ["http"]


def test_what_a_refused_head_says_is_bounded() -> None:
    way = Way("http", ListenerKey("127.96.0.1", 80), "192.0.2.1", BackendKey("a", "b", "c"), None)  # type: ignore[arg-type]
    record = refused_head(way, BAD_REQUEST, b"GET /" + b"x" * 60_000 + b" HTTP/1.1\r\n\r\n", 7, b"id")
    assert (record.target, record.bytes_in) == ("", 60_018)
