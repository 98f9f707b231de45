"""Round robin is exact over all listeners of a Service, and endpoints are told who asked."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import exchange, read_reply
from tests.scenarios.manifests import endpoint_slice, service
from tests.scenarios.world import Inside, inside

pytestmark = pytest.mark.both_loops

ENTRIES = ("ClusterIP", "NodePort")


async def naming(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with the port that took it."""
    name = b"%d" % writer.get_extra_info("sockname")[1]
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name))
        await writer.drain()


async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request with its own head."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        await writer.drain()


@pytest.mark.parametrize("endpoints", [3, 7])
async def test_counts_differ_by_one_at_most(endpoints: int, tmp_path: Path, size: Callable[[int, int], int]) -> None:
    """Some clients keep their connection, some open one for each request; their numbers divide by nothing."""
    clients, requests, taken = 11, size(13, 500), Counter[bytes]()

    async def keeping(node: Inside, entry: str) -> None:
        reader, writer = await asyncio.open_connection(*node.address("web", entry))
        for _ in range(requests):
            writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
            taken[(await read_reply(reader)).body] += 1
        writer.close()
        await writer.wait_closed()

    async def reopening(node: Inside, entry: str) -> None:
        for _ in range(requests):
            reply = await exchange(*node.address("web", entry), b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
            taken[reply.body] += 1

    async with AsyncExitStack() as servers:
        ports = [await servers.enter_async_context(serving(naming)) for _ in range(endpoints)]
        slices = [endpoint_slice("web", {"http": port}) for port in ports]
        web = service("web", {"http": 8080}, kind="NodePort")
        node = await servers.enter_async_context(inside(tmp_path, web, *slices))
        async with asyncio.TaskGroup() as asking:
            for number in range(clients):
                client = (keeping, reopening)[number % 2]
                asking.create_task(client(node, ENTRIES[number // 2 % 2]))
    assert sum(taken.values()) == clients * requests
    assert len(taken) == endpoints
    assert max(taken.values()) - min(taken.values()) <= 1


async def told(folder: Path, entry: str, *lines: str) -> dict[str, list[str]]:
    """The field lines that an endpoint gets of a request with `lines` at `entry`, by names in lower case."""
    async with serving(repeating) as port:
        slices = endpoint_slice("web", {"http": port})
        async with inside(folder, service("web", {"http": 8080}, kind="NodePort"), slices) as node:
            request = "\r\n".join(["GET /path HTTP/1.1", "Host: web.example", *lines, "", ""])
            reply = await exchange(*node.address("web", entry), request.encode())
            listens = node.address("web", entry)
    start, *received = reply.body.decode().split("\r\n")[:-2]
    assert start == "GET /path HTTP/1.1"
    fields: dict[str, list[str]] = {"listens": [str(listens[1])]}
    for line in received:
        name, _, value = line.partition(": ")
        fields.setdefault(name.lower(), []).append(value)
    return fields


FORGED = (
    "X-Forwarded-For: 192.0.2.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: other.example",
    "X-Forwarded-Port: 443",
    "X-Request-Id: mine-1234",
)


@pytest.mark.parametrize("entry", ENTRIES)
async def test_endpoints_are_told_who_asked(entry: str, tmp_path: Path) -> None:
    fields = await told(tmp_path, entry)
    assert fields["host"] == ["web.example"]
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["http"]
    assert fields["x-forwarded-host"] == ["web.example"]
    assert fields["x-forwarded-port"] == fields["listens"]
    assert fields["via"] == ["1.1 weft"]
    (request_id,) = fields["x-request-id"]
    assert re.fullmatch(r"[0-9A-Za-z-]{16,}", request_id)


async def test_clients_of_a_cluster_ip_are_believed(tmp_path: Path) -> None:
    fields = await told(tmp_path, "ClusterIP", *FORGED)
    assert fields["x-forwarded-for"] == ["192.0.2.1, 127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["https"]
    assert fields["x-forwarded-host"] == ["other.example"]
    assert fields["x-forwarded-port"] == ["443"]
    assert fields["x-request-id"] == ["mine-1234"]


async def test_clients_of_a_node_port_are_not_believed(tmp_path: Path) -> None:
    fields = await told(tmp_path, "NodePort", *FORGED, "X-Forwarded-Prefix: /admin", "Forwarded: for=192.0.2.1")
    assert fields["x-forwarded-for"] == ["127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["http"]
    assert fields["x-forwarded-host"] == ["web.example"]
    assert fields["x-forwarded-port"] == fields["listens"]
    assert fields["x-request-id"] != ["mine-1234"]
    assert not {"x-forwarded-prefix", "forwarded"} & set(fields)


async def test_what_concerns_one_hop_goes_no_further(tmp_path: Path) -> None:
    hop = ("Connection: keep-alive, X-Mine", "Keep-Alive: timeout=5", "X-Mine: 1", "TE: trailers, gzip", "Upgrade: h2c")
    fields = await told(tmp_path, "ClusterIP", *hop, "Proxy-Connection: keep-alive", "X-Other: 2")
    assert fields["x-other"] == ["2"]
    assert not {"keep-alive", "x-mine", "upgrade", "proxy-connection"} & set(fields)
    assert (fields["te"], fields["connection"]) == (["trailers"], ["TE"]), "trailers are handed on here too"
