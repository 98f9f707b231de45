"""How a weft ends, and how an endpoint does: no new work, and time for what is under way."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import connected, exchange, read_reply
from tests.scenarios.editing import Folder, ports, serving_of
from tests.scenarios.manifests import deployment, endpoint_slice, service
from tests.scenarios.weft import Weft, ask
from tests.scenarios.world import endpoints, until

GET = b"GET %b HTTP/1.1\r\nHost: app\r\n\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "manifests")
    made.put("app", deployment("app", 1), service("app", app="app"))
    return made


def where(weft: Weft, port: str = "http") -> tuple[str, int]:
    host, _, number = ports(weft, "app")[port].rpartition(":")
    return host, int(number)


@asynccontextmanager
async def slowly(address: tuple[str, int], ms: int) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which a request is under way for so long."""
    async with connected(*address) as (reader, writer):
        writer.write(GET % b"/slow?ms=%d" % ms)
        yield reader


def in_flight(weft: Weft) -> bool:
    page = weft.admin("/metrics").body.decode()
    lines = [line for line in page.splitlines() if line.startswith("weft_http_requests_in_flight")]
    return any(float(line.split()[-1]) > 0 for line in lines)


def refuses(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


async def cut(reader: asyncio.StreamReader) -> bool:
    """Whether it ends without another byte, be it by a reset: that is seen as well."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def ended(weft: Weft) -> int:
    return await asyncio.to_thread(weft.process.wait, 30)


async def test_it_says_so_serves_on_for_a_while_and_finishes_what_is_under_way(folder: Folder) -> None:
    """From outside, where listeners close before what is in flight has ended."""
    folder.node(drainDelay="1s")
    folder.put("door", service("door", app="app", kind="NodePort"))
    with serving_of(folder) as weft:
        host, _, port = weft.address("door", 1).rpartition(":")
        address = host, int(port)
        async with connected(*address) as idle, slowly(address, 2000) as slow:
            idle[1].write(GET % b"/")
            assert "connection" not in (await read_reply(idle[0])).fields
            await until(lambda: in_flight(weft))
            asked = time.monotonic()
            weft.process.send_signal(signal.SIGTERM)
            answer = await until(lambda: (found := weft.admin("/readyz")).status == 503 and found)
            assert answer.json == {"ready": False, "missing": [{"what": "weft", "why": "it is stopping"}]}
            for number in range(3):
                reply = await exchange(*address, GET % b"/new")
                assert (reply.status, reply.fields["connection"]) == (200, "close"), number
            idle[1].write(GET % b"/")
            assert (await read_reply(idle[0])).fields["connection"] == "close"
            await until(lambda: refuses(address))
            assert 1.0 <= time.monotonic() - asked < 3.0
            reply = await read_reply(slow)
            assert (reply.status, reply.fields["connection"]) == (200, "close")
            assert await ended(weft) == 0


async def test_what_is_under_way_may_still_ask_other_services(folder: Folder) -> None:
    folder.put("door", service("door", app="app", kind="NodePort"))
    with serving_of(folder) as weft:
        inside = weft.address("app")
        host, _, port = weft.address("door", 1).rpartition(":")
        outside = host, int(port)
        async with connected(*outside) as (reader, writer):
            writer.write(GET % f"/slow?ms=3000&then={inside}".encode())
            await until(lambda: in_flight(weft))
            weft.process.send_signal(signal.SIGTERM)
            await until(lambda: refuses(outside))
            reply = await read_reply(reader)
            assert (reply.status, reply.body[:13]) == (200, b"HTTP/1.1 200 ")
        assert await ended(weft) == 0


async def test_what_takes_too_long_is_cut_visibly(folder: Folder) -> None:
    """Whatever its replicas do meanwhile: it learns of this end, not of theirs."""
    folder.node(drainTimeout="500ms", accessLog=True)

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        await reader.read()

    async with serving(begin) as address:
        folder.put("half", service("half", {"http": 8080}), endpoint_slice("half", {"http": address}))
        with serving_of(folder) as weft:
            half = weft.address("half").split(":")
            async with (
                slowly(where(weft), 60_000) as slow,
                connected(*where(weft, "tcp")) as other,
                connected(half[0], int(half[1])) as begun,
            ):
                other[1].write(b"who?")
                assert await other[0].read(100)
                begun[1].write(GET % b"/")
                await begun[0].readuntil(b"hello")
                await until(lambda: in_flight(weft))
                weft.process.send_signal(signal.SIGTERM)
                reply = await read_reply(slow)
                why = "this proxy is shutting down, and drainTimeout has passed"
                assert reply.fields["proxy-status"] == f'weft; error=http_response_timeout; details="{why}"'
                assert reply.status == 504
                assert await cut(other[0])
                assert await cut(begun[0])
                assert await ended(weft) == 0
            lines = [json.loads(line) for line in weft.told().splitlines() if line.startswith("{")]
            reasons = sorted(str(line["reason"]) for line in lines if line.get("reason"))
            assert reasons == ["connection_terminated", "http_response_timeout", "http_response_timeout"], weft.told()


async def test_a_second_signal_ends_it_at_once(folder: Folder) -> None:
    with serving_of(folder) as weft:
        async with slowly(where(weft), 60_000):
            await until(lambda: in_flight(weft))
            weft.process.send_signal(signal.SIGTERM)
            await until(lambda: "stopping" in weft.err.read_text())
            assert weft.process.poll() is None
            weft.process.send_signal(signal.SIGTERM)
            assert await ended(weft) == 143


async def test_a_terminating_endpoint_finishes_what_it_has_and_gets_nothing_new(folder: Folder) -> None:
    began, release = asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        began.set()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    async def soon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsoon")

    async with serving(late) as first, serving(soon) as second:
        leaving, staying = endpoint_slice("two", {"http": first}), endpoint_slice("two", {"http": second})
        folder.put("two", service("two", {"http": 8080}), leaving)
        with serving_of(folder) as weft:
            address = weft.address("two")
            asking = asyncio.ensure_future(asyncio.to_thread(ask, address))
            await asyncio.wait_for(began.wait(), 20)
            leaving["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
            folder.put("two", service("two", {"http": 8080}), leaving, staying)
            await until(lambda: any(each["terminating"] for each in endpoints(weft, "two")), weft.told)
            assert {(await asyncio.to_thread(ask, address)).body for _ in range(10)} == {b"soon"}
            assert not asking.done()
            release.set()
            assert (await asking).body == b"late"
            assert await asyncio.to_thread(weft.stop) == 0
