"""Questions to a node that runs: explanations, exchanges that were, and taps, through the real admin server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from sidecar import asking
from sidecar.admin import AdminServer
from sidecar.assembly import Assembly
from sidecar.documents import Refused

Query = Mapping[str, list[str]]


async def request(node: Assembly, target: str = "/") -> bytes:
    """Ask the Service's listener; what it answers."""
    door = next(door for door in node.running.doors() if door.protocol != "udp")
    host, _, port = door.served.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {target} HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".encode())
    data = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return data


def explain(node: Assembly, **query: str) -> Any:
    status, document = node.questions()["/api/v1/explain"]({name: [value] for name, value in query.items()})
    assert status == 200
    return document


async def test_a_request_is_explained(node: Assembly) -> None:
    address = node.running.config_set.services[next(iter(node.running.config_set.services))].spec.cluster_ip
    told = explain(node, url=f"http://{address}:8999/")
    assert told["reached"]
    assert told["listener"]["served"] == f"{address}:8999"
    by_name = explain(node, url="http://web:8999/")
    assert by_name["backend"] == told["backend"]


REFUSED: dict[str, tuple[Query, int, str]] = {
    "nothing asked": ({}, 400, "the query needs url="),
    "no URL": ({"url": ["ftp://a"]}, 400, "the scheme must be one of"),
    "no header": ({"url": ["http://a"], "header": ["x"]}, 400, "Name: value"),
    "an id that nobody knows": ({"id": ["f00d"]}, 404, "no exchange f00d is remembered"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_answered(node: Assembly, name: str) -> None:
    query, status, says = REFUSED[name]
    with pytest.raises(Refused, match=says) as refused:
        node.questions()["/api/v1/explain"](query)
    assert refused.value.status == status


async def test_what_the_proxy_ended_is_remembered_unasked(node: Assembly) -> None:
    node.catalog.put_endpoints("manifest", {})
    await node.publisher.publish()
    answer = await request(node, "/gone")
    assert answer.startswith(b"HTTP/1.1 503 ")
    request_id = next(line for line in answer.decode().split("\r\n") if line.lower().startswith("x-request-id"))
    told = explain(node, id=request_id.partition(": ")[2])
    assert told["exchange"]["target"] == "/gone"
    assert told["verdict"] == "was answered 503 by the proxy (destination_unavailable)"
    assert told["endpoints"] == []


@pytest.fixture
async def admin(node: Assembly) -> AsyncIterator[tuple[str, int]]:
    server = AdminServer(node.answers(), node.metrics, node.questions(), node.streams())
    sock = socket.create_server(("127.0.0.1", 0))
    await server.start(sock)
    yield sock.getsockname()
    await server.close()


async def ask(admin: tuple[str, int], path: str) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*admin)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    return int(head.split()[1]), reader, writer


async def line(reader: asyncio.StreamReader) -> Any:
    """The next line that is not empty."""
    async with asyncio.timeout(5):
        while not (text := (await reader.readline()).strip()):
            continue
    return json.loads(text)


async def test_a_tap_shows_what_passes_its_filter(node: Assembly, admin: tuple[str, int]) -> None:
    status, reader, writer = await ask(admin, "/api/v1/tap?path=/cart&status=2xx")
    assert status == 200
    assert await asyncio.wait_for(reader.readline(), 5) == b"\n", "it watches now"
    await request(node, "/other")
    await request(node, "/cart/1")
    shown = await line(reader)
    assert (shown["target"], shown["status"], shown["service"]) == ("/cart/1", 200, "web")
    told = explain(node, id=shown["requestId"])
    assert told["exchange"]["target"] == "/cart/1", "while somebody watches, all are remembered"
    writer.close()
    await writer.wait_closed()


async def test_who_leaves_puts_it_out(node: Assembly, admin: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "HEARTBEAT", 0.01)
    _, reader, writer = await ask(admin, "/api/v1/tap")
    await asyncio.wait_for(reader.readline(), 5)
    assert node.recent.complete
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while node.recent.complete:
            await asyncio.sleep(0.01)


async def test_recent_ones_come_first(node: Assembly, admin: tuple[str, int]) -> None:
    node.catalog.put_endpoints("manifest", {})
    await node.publisher.publish()
    for number in range(3):
        await request(node, f"/{number}")
    _, reader, writer = await ask(admin, "/api/v1/tap?recent=1&failed=1&path=/")
    assert [(await line(reader))["target"] for _ in range(3)] == ["/0", "/1", "/2"]
    writer.close()
    await writer.wait_closed()


async def test_taps_are_bounded_and_checked(
    node: Assembly, admin: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, reader, writer = await ask(admin, "/api/v1/tap?status=abc")
    assert status == 400
    assert "is no status" in (await line(reader))["error"]
    writer.close()
    monkeypatch.setattr(asking, "MOST_TAPS", 1)
    _, first, watching = await ask(admin, "/api/v1/tap")
    await asyncio.wait_for(first.readline(), 5)
    status, reader, writer = await ask(admin, "/api/v1/tap")
    assert status == 503
    assert "are watching already" in (await line(reader))["error"]
    for each in (writer, watching):
        each.close()
        await each.wait_closed()


async def test_a_tap_does_not_hold_up_the_end(node: Assembly) -> None:
    lines = node.streams()["/api/v1/tap"]({})
    assert await anext(lines) == b"\n"
    await lines.aclose()
    assert not node.recent.complete


async def test_a_tap_on_a_service_that_is_not_there_is_refused(node: Assembly) -> None:
    tap = node.streams()["/api/v1/tap"]
    with pytest.raises(Refused, match='no Service "wbe" is in force; did you mean "web"') as refused:
        tap({"service": ["wbe"]})
    assert refused.value.status == 404
    with pytest.raises(Refused, match="in namespace other"):
        tap({"service": ["web"], "namespace": ["other"]})
    await tap({"service": ["web"]}).aclose()
