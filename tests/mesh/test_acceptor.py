"""Accepting: as many as there is room for, really stopping, and going on; also when descriptors run out."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from config.filters import AccessPolicy
from mesh.acceptor import IntroducedAcceptor, RelayAcceptor, SecureAcceptor, StreamAcceptor, acceptor_type
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.table import AppProtocol, Listener, ListenerKey, Route
from tests.mesh.dialogue import GET, OK, PATIENCE, Wire, answering
from tests.mesh.making import backend
from tests.mesh.relaying import World, echo, gone, relaying, until

pytestmark = pytest.mark.both_loops

ROOT = Path(__file__).parents[2]
PROTOCOLS: tuple[AppProtocol, ...] = ("tcp", "http", "detect")


async def served(wire: Wire, protocol: AppProtocol) -> bool:
    """Whether somebody deals with the connection."""
    await wire.send(GET if protocol != "tcp" else b"hello")
    return bool(await wire.reader.read(1))


def world_of(protocol: AppProtocol, **limits: object) -> object:
    return relaying(echo if protocol == "tcp" else answering(OK), protocol=protocol, **limits)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_full_listener_lets_clients_wait_and_goes_on(protocol: AppProtocol) -> None:
    async with world_of(protocol, limit=3) as world:  # type: ignore[attr-defined]
        first = [await world.connect() for _ in range(3)]
        for wire in first:
            assert await served(wire, protocol)
        await until(lambda: not accepting(world))
        waiting = [await world.connect() for _ in range(2)]
        pending = [asyncio.ensure_future(served(wire, protocol)) for wire in waiting]
        done, _ = await asyncio.wait(pending, timeout=0.3)
        assert not done, "the backlog holds them"
        assert world.open == 3
        for wire in first[:2]:
            await wire.close()
        assert await asyncio.wait_for(asyncio.gather(*pending), PATIENCE) == [True, True]
        assert world.open == 3


def accepting(world: World) -> bool:
    return world.listeners._served[world.key].acceptor.accepting


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_raised_limit_lets_in_who_waits(protocol: AppProtocol) -> None:
    async with world_of(protocol, limit=1) as world:  # type: ignore[attr-defined]
        assert await served(await world.connect(), protocol)
        second = await world.connect()
        pending = asyncio.ensure_future(served(second, protocol))
        await asyncio.wait([pending], timeout=0.2)
        assert not pending.done()
        await world.serve(protocol, limit=2)
        assert await asyncio.wait_for(pending, PATIENCE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_descriptors_bound_all_listeners_together(protocol: AppProtocol) -> None:
    # of 20: a quarter is kept, one is the listener's, and a connection needs two
    async with world_of(protocol, descriptors=20) as world:  # type: ignore[attr-defined]
        wires = [await world.connect() for _ in range(10)]
        await until(lambda: world.open == 7)
        await asyncio.sleep(0.2)
        assert world.open == 7
        for wire in wires[:3]:
            await wire.close()
        await until(lambda: world.open == 7)
        for wire in wires:
            await wire.close()
        await until(lambda: world.open == 0)
        assert world.listeners._descriptors.free == 14


async def test_a_listener_that_left_the_table_resets_what_still_comes() -> None:
    async with relaying(echo) as world:
        world.proxy.table = type(world.proxy.table)()
        assert await world.ending() == "reset"
        await until(lambda: world.open == 0)


async def test_a_client_that_gave_up_in_the_backlog_does_no_harm() -> None:
    async with relaying(echo, limit=1) as world:
        first = await world.connect()
        assert await served(first, "tcp")
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", world.port)) as gone:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await first.close()
        wire = await world.connect()
        assert await served(wire, "tcp")


@pytest.mark.parametrize(
    ("protocol", "limits", "expected"),
    [
        ("http", {}, StreamAcceptor),
        ("https", {}, SecureAcceptor),
        ("tcp", {}, RelayAcceptor),
        ("detect", {}, RelayAcceptor),
        ("http", {"sources": (ip_network("10.0.0.0/8"),)}, RelayAcceptor),
        *(
            (each, {"introduced_by": (ip_network("10.0.0.0/8"),)}, IntroducedAcceptor)
            for each in ("http", "https", "tcp")
        ),
    ],
)
async def test_nobody_looks_for_what_is_not_asked_for(protocol: AppProtocol, limits: Any, expected: type) -> None:
    key = ListenerKey("127.0.0.1", 80)
    assert acceptor_type(Listener(key, "NodePort", protocol, Route(backend()), **limits)) is expected


EXHAUSTED = """
import asyncio, logging, resource, sys
from tests.mesh.dialogue import GET, OK, answering
from tests.mesh.relaying import echo, relaying, until
logging.basicConfig(stream=sys.stderr)
protocol, limit = sys.argv[1], 128

async def main():
    # A budget that is too large: the process runs into the limit itself.
    async with relaying(echo if protocol == "tcp" else answering(OK), protocol=protocol, descriptors=1000) as world:
        hog = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        client = await world.connect()
        waiting = await world.connect()
        try:
            while True:
                hog.append(open("/dev/null"))
        except OSError:
            hog.pop().close()
        late = await world.connect()          # takes the last descriptor: the other side has none
        before = asyncio.get_running_loop().time(), __import__("time").process_time()
        await asyncio.sleep(0.5)
        used = __import__("time").process_time() - before[1]
        for file in hog:
            file.close()
        await client.send(GET)
        assert await asyncio.wait_for(client.reader.read(1), 8)
        await late.send(GET)
        async with asyncio.timeout(8):
            print("served", bool(await late.reader.read(1)), "busy" if used > 0.25 else "calm")

import uvloop
uvloop.run(main())
"""


@pytest.mark.parametrize("protocol", ["tcp"])
def test_running_out_of_descriptors_is_survived_calmly(protocol: AppProtocol) -> None:
    process = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, protocol],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert process.stdout.split() == ["served", "True", "calm"], process.stderr
    assert process.stderr.count("accepts no more for a moment") == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_who_waits_when_the_listener_closes_is_served(protocol: AppProtocol) -> None:
    async with world_of(protocol) as world:  # type: ignore[attr-defined]
        world.listeners._served[world.key].acceptor.pause()
        waiting = [await world.connect() for _ in range(40)]
        pending = [asyncio.ensure_future(served(wire, protocol)) for wire in waiting]
        await world.listeners.close()
        assert all(await asyncio.wait_for(asyncio.gather(*pending), PATIENCE))


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_only_as_many_of_them_as_there_is_room_for(protocol: AppProtocol) -> None:
    async with world_of(protocol, limit=3) as world:  # type: ignore[attr-defined]
        world.listeners._served[world.key].acceptor.pause()
        waiting = [await world.connect() for _ in range(5)]
        gate = world.listeners._served[world.key].gate
        await world.listeners.close()
        assert gate.open == 3
        for wire in waiting:
            await wire.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_who_is_not_of_the_source_ranges_is_reset_and_counted(protocol: AppProtocol) -> None:
    async with world_of(protocol, sources=(ip_network("127.0.0.8/32"),)) as world:  # type: ignore[attr-defined]
        assert await world.ending() == "reset"
        assert world.stats.reasons == {"http_request_denied": 1}
        assert await served(await world.connect(local_addr=("127.0.0.8", 0)), protocol)
        assert world.open == 1
        await world.serve(protocol, sources=())
        assert await served(await world.connect(), protocol)
        await world.serve(protocol, sources=(ip_network("127.0.0.8/32"),))
        assert await world.ending() == "reset"
        assert world.open == 2, "who was let in before stays"


@pytest.mark.parametrize("protocol", ["tcp", "detect"])
async def test_connections_from_denied_addresses_are_reset(protocol: AppProtocol) -> None:
    denied = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("127.0.0.0/8",))))
    async with relaying(echo, protocol=protocol, filters=denied) as world:
        ended = ""
        with suppress(ConnectionResetError):
            wire = await world.connect()
            await wire.send(b"hello, this is no request\r\n")
            ended = await gone(wire)
        assert ended in ("", "reset")
        await until(lambda: not world.open and world.stats.reasons)
        assert not world.endpoints[0].connections


@pytest.mark.parametrize("protocol", ["http", "detect"])
@pytest.mark.parametrize("said", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_nobody_gets_around_filters_by_speaking_something_else(protocol: AppProtocol, said: bytes) -> None:
    some = Filters(lambda: 0.0, most_bytes=1)
    async with relaying(echo, protocol=protocol, filters=some, http_required=True) as world:
        wire = await world.connect()
        await wire.send(said)
        assert (await wire.rest()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 505 "))
        assert not world.endpoints[0].connections
