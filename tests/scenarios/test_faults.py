"""Faults under load, against a real ``weft up`` and replicas that are killed, fail their probe, or close at once."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import exchange
from tests.scenarios.manifests import endpoint_slice, service
from tests.scenarios.weft import Weft, alive, ask, wait_for
from tests.scenarios.world import all_well, inside, load, ready, until

AT_ONCE_SECONDS = 0.9
"""No timeout of the data plane is this short."""


def taken(replica: str) -> int:
    return int(ask(replica, "/taken").json["taken"])


def retries(weft: Weft, service: str) -> int:
    page = weft.admin("/metrics").body.decode()
    found = re.search(rf'weft_retries_total\{{.*service="{service}",.*outcome="tried"\}} (\d+)', page)
    return int(found[1]) if found else 0


def relayed(weft: Weft, service: str) -> socket.socket:
    """A connection to the Service's port that is relayed as TCP."""
    services = weft.admin("/api/v1/services").json["services"]
    (address,) = next(each for each in services if each["name"] == service)["ports"][1]["listens"]
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def who(client: socket.socket) -> int:
    """The process that a relayed connection leads to."""
    client.sendall(b"who?")
    return int(client.recv(100))


def echoes(client: socket.socket) -> bool:
    """Whether it still sends back what it is sent."""
    try:
        client.sendall(b"hello")
        return client.recv(5) == b"hello"
    except ConnectionError:
        return False


@asynccontextmanager
async def under_load(weft: Weft, service: str, path: str = "/", seconds: float = 2.0) -> AsyncIterator[None]:
    """All requests that run beside the body of the context must be answered with 200."""
    address = weft.address(service)
    async with asyncio.TaskGroup() as beside:
        loading = beside.create_task(load(address, path, rate=300, seconds=seconds))
        yield
    assert all_well(loading.result()), loading.result()


async def test_an_unready_replica_gets_no_more_requests(weft: Weft) -> None:
    wait_for(lambda: len(ready(weft, "app")) >= 2, weft.told)
    replica, address = ready(weft, "app")[0], weft.address("app")
    async with under_load(weft, "app"):
        ask(replica, "/unready")
        await until(lambda: replica not in ready(weft, "app"))
        before = taken(replica)
    for _ in range(20):
        assert ask(address).status == 200
    assert taken(replica) == before
    ask(replica, "/ready")
    wait_for(lambda: replica in ready(weft, "app"))
    before = taken(replica)
    wait_for(lambda: ask(address).status == 200 and taken(replica) > before)


async def test_endpoints_that_close_after_every_response_fail_no_request(weft: Weft) -> None:
    async with under_load(weft, "short", seconds=1.5):
        assert len(ready(weft, "short")) == 2


def test_without_replicas_clients_are_told_at_once(weft: Weft, gate: Path) -> None:
    gate.touch()
    for replica in ready(weft, "gated"):
        os.kill(ask(replica).json["pid"], signal.SIGKILL)
    wait_for(lambda: not ready(weft, "gated"))
    began = time.monotonic()
    answer = ask(weft.address("gated"))
    assert answer.status == 503
    assert "error=destination_unavailable" in answer.fields["proxy-status"]
    with pytest.raises(ConnectionResetError), relayed(weft, "gated") as client:  # it may come before connect ends
        client.recv(1)
    assert time.monotonic() - began < AT_ONCE_SECONDS


def test_bytes_are_relayed_both_ways_after_one_has_ended(weft: Weft) -> None:
    wait_for(lambda: ready(weft, "app"))
    sent, received = os.urandom(3_000_000), bytearray()
    with relayed(weft, "app") as client:
        for start in range(0, len(sent), 100_000):
            client.sendall(sent[start : start + 100_000])
            received += client.recv(1 << 20)
        client.shutdown(socket.SHUT_WR)
        while data := client.recv(1 << 20):
            received += data
    assert bytes(received) == sent


def test_relayed_connections_end_with_their_replica(weft: Weft) -> None:
    wait_for(lambda: len(ready(weft, "app", "tcp")) >= 2)
    with ExitStack() as open_:
        clients = [open_.enter_context(relayed(weft, "app")) for _ in range(6)]
        at = {client: who(client) for client in clients}
        assert len(set(at.values())) >= 2
        os.kill(at[clients[0]], signal.SIGKILL)
        wait_for(lambda: not alive(at[clients[0]]))
        assert [echoes(client) for client in clients] == [at[client] != at[clients[0]] for client in clients]


async def test_killing_replicas_fails_no_request(weft: Weft) -> None:
    wait_for(lambda: len(ready(weft, "app")) == 3)
    before = retries(weft, "app")
    async with under_load(weft, "app", "/slow?ms=20"):
        for victim in ready(weft, "app")[:2]:
            pid = ask(victim).json["pid"]
            busy = taken(victim) + 20
            await until(lambda: taken(victim) >= busy)  # noqa: B023 - asked within this turn of the loop
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not alive(pid))  # noqa: B023
    assert retries(weft, "app") > before, "some requests were under way at the replicas that died"


@pytest.mark.parametrize("framing", ["", "&chunked"])
def test_a_response_cut_midway_is_seen_as_cut(weft: Weft, framing: str) -> None:
    wait_for(lambda: ready(weft, "app"))
    host, _, port = weft.address("app").rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", f"/half?count=200000{framing}")
    response = connection.getresponse()
    assert len(response.read(50_000)) == 50_000
    os.kill(int(response.getheader("X-Pid", "")), signal.SIGKILL)
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()
    connection.close()


async def test_many_retries_of_slow_requests_take_turns(tmp_path: Path) -> None:
    """An endpoint dies with 20 requests, for which the other one has 8 places at a time."""
    lost, clients = 0, 40
    dying = asyncio.Event()

    async def dying_with_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lost
        await reader.readuntil(b"\r\n\r\n")
        lost += 1
        await dying.wait()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await dying.wait()
        await asyncio.sleep(0.7)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(dying_with_all) as first, serving(slow) as second:
        slices = [endpoint_slice("web", {"http": port}) for port in (first, second)]
        async with inside(tmp_path, service("web", {"http": 8080}), *slices) as node, asyncio.TaskGroup() as asking:
            where = node.address("web")
            request = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
            replies = [asking.create_task(exchange(*where, request)) for _ in range(clients)]
            while lost < clients // 2:
                await asyncio.sleep(0.005)
            dying.set()
    assert {reply.result().status for reply in replies} == {200}
