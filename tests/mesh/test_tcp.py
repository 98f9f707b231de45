"""The TCP relay: half-closes, back-pressure, failures before and after the connection stands."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest
from msgspec import structs

from config.balancing import HashKey
from discovery.endpoint import Endpoint
from mesh import tcp
from mesh.balancing.affinity import AffinityPolicy
from mesh.conduit import BULK
from mesh.proxy_protocol import Version, header
from tests.mesh.dialogue import PATIENCE, Wire
from tests.mesh.relaying import World, begun, closed_port, echo, gone, relaying, silent, until

pytestmark = pytest.mark.both_loops


async def test_bytes_go_both_ways_and_are_counted() -> None:
    async with relaying(echo) as world:
        wire = await world.connect()
        for number in range(20):
            data = b"%d," % number * 50
            await wire.send(data)
            assert await wire.exactly(len(data)) == data
        state = world.backend.endpoints["127.0.0.1", world.endpoints[0].port]
        assert (state.requests, state.in_flight, len(state.connections)) == (1, 1, 1)
        assert (world.stats.tcp_total, world.stats.tcp_open, world.open) == (1, 1, 1)
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await until(lambda: not world.open)
        assert (state.requests, state.in_flight, len(state.connections)) == (1, 0, 0)
        assert (world.stats.tcp_total, world.stats.tcp_open) == (1, 0)
        total = sum(len(b"%d," % number * 50) for number in range(20))
        assert (world.stats.bytes_in, world.stats.bytes_out) == (total, total)


async def test_a_client_that_ended_still_reads() -> None:
    async def count(wire: Wire) -> None:
        received = await wire.reader.read()
        await asyncio.sleep(0.05)
        await wire.send(b"%d bytes" % len(received))

    async with relaying(count) as world:
        wire = await world.connect()
        await wire.send(b"x" * 1000)
        wire.writer.write_eof()
        assert await wire.rest() == b"1000 bytes"
        await until(lambda: not world.open)


async def test_an_endpoint_that_ended_is_still_sent_to() -> None:
    received = asyncio.get_running_loop().create_future()

    async def farewell(wire: Wire) -> None:
        await wire.send(b"last words")
        wire.writer.write_eof()
        received.set_result(await wire.reader.read())

    async with relaying(farewell) as world:
        wire = await world.connect()
        assert await wire.rest() == b"last words"
        await wire.send(b"one thing more")
        wire.writer.write_eof()
        assert await asyncio.wait_for(received, PATIENCE) == b"one thing more"
        await until(lambda: not world.open)


async def test_a_server_that_speaks_first() -> None:
    async def greet(wire: Wire) -> None:
        await wire.send(b"220 ready\r\n")
        await echo(wire)

    async with relaying(greet) as world:
        wire = await world.connect()
        assert await wire.exactly(11) == b"220 ready\r\n"
        await wire.send(b"QUIT")
        assert await wire.exactly(4) == b"QUIT"


async def test_many_bytes_both_ways_at_once(size: Callable[[int, int], int]) -> None:
    data = os.urandom(size(4, 64) * 2**20)
    async with relaying(echo) as world:
        wire = await world.connect()
        seen = hashlib.sha256()

        async def read() -> None:
            left = len(data)
            while left:
                part = await wire.reader.read(2**18)
                assert part, "ended early"
                seen.update(part)
                left -= len(part)

        async with asyncio.timeout(60), asyncio.TaskGroup() as both:
            both.create_task(read())
            for start in range(0, len(data), 2**20):
                wire.writer.write(data[start : start + 2**20])
                await wire.writer.drain()
        assert seen.digest() == hashlib.sha256(data).digest()
        wire.writer.write_eof()
        assert await gone(wire) == "end"
        await until(lambda: not world.open)
        assert world.stats.bytes_in == world.stats.bytes_out == len(data)


def relay_of(world: World) -> tcp.Relay:
    [relay] = [client for client in world.proxy.clients if isinstance(client, tcp.Relay)]
    return relay


async def test_a_slow_reader_is_held_at_most_one_read_for() -> None:
    flood = b"0123456789abcdef" * 4096
    sent = 0

    async def pour(wire: Wire) -> None:
        nonlocal sent
        while sent < 64 * 2**20:
            wire.writer.write(flood)
            await wire.writer.drain()
            sent += len(flood)

    async with relaying(pour) as world:
        loop = world.proxy.loop
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", world.port))
            await until(lambda: world.proxy.clients and relay_of(world)._pending[tcp.ENDPOINT])
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 64 * 2**20
            assert len(relay_of(world)._pending[tcp.ENDPOINT]) <= BULK
            got = 0
            while got < before:
                part = await asyncio.wait_for(loop.sock_recv(client, 2**20), PATIENCE)
                assert flood[got % 16 :].startswith(part[: len(flood) - 16])
                got += len(part)
            await until(lambda: sent > before)


async def test_no_endpoint_is_a_reset_at_once() -> None:
    async with relaying(echo) as world:
        world.use()
        assert await world.ending() == "reset"
        await until(lambda: not world.open)
        assert world.stats.reasons == {"destination_unavailable": 1}
        assert world.stats.tcp_open == 0


async def test_a_refused_connect_goes_to_another_endpoint() -> None:
    async with relaying(echo) as world:
        dead = Endpoint("127.0.0.1", closed_port())
        alive = Endpoint("127.0.0.1", world.endpoints[0].port)
        world.use(dead, alive)
        for _ in range(4):
            wire = await world.connect()
            await wire.send(b"hello")
            assert await wire.exactly(5) == b"hello"
        assert world.backend.endpoints[dead.where].failures == 1
        assert world.stats.retries == {"tried": 1}
        assert world.stats.reasons == {}


RETRIES: dict[str, tuple[dict[str, object], int, dict[str, int]]] = {
    "every endpoint once": ({"attempts": 5}, 3, {"tried": 3}),
    "as often as allowed": ({"attempts": 1}, 2, {"tried": 1, "exhausted": 1}),
    "not at all": ({"attempts": 0}, 1, {}),
    "not for this cause": ({"on": ("connect-failure",)}, 1, {}),
}


@pytest.mark.parametrize("case", RETRIES)
async def test_tries_are_bounded(case: str) -> None:
    retries, tries, outcomes = RETRIES[case]
    async with relaying(echo, retries=retries) as world:
        world.use(*(Endpoint("127.0.0.1", closed_port()) for _ in range(3)))
        assert await world.ending() == "reset"
        await until(lambda: not world.open)
        assert world.stats.retries == outcomes
        assert world.stats.reasons == {"connection_refused": 1}
        assert all(state.in_flight == 0 for state in world.backend.endpoints.values())
        assert sum(state.connect_failures for state in world.backend.endpoints.values()) == tries
        assert sum(state.failures for state in world.backend.endpoints.values()) == 1, "at most half are set aside"


async def test_an_endpoint_without_an_address_is_refused() -> None:
    async with relaying(echo) as world:
        world.use(Endpoint("db.example.com", 5432))
        assert await world.ending() == "reset"
        assert world.stats.reasons == {"destination_ip_unroutable": 1}


async def test_a_connect_that_gets_no_answer_goes_to_another_endpoint() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [begun(full.getsockname()) for _ in range(3)]  # the backlog is full: more are not answered
        async with relaying(echo, timeouts={"connect": 0.2}) as world:
            alive = Endpoint("127.0.0.1", world.endpoints[0].port)
            stuck = Endpoint("127.0.0.1", full.getsockname()[1])
            world.use(stuck, alive)
            for _ in range(2):
                wire = await world.connect()
                await wire.send(b"hello")
                assert await wire.exactly(5) == b"hello"
            assert world.backend.endpoints[stuck.where].failures == 1
            assert world.backend.endpoints[stuck.where].in_flight == 0
        for filler in fillers:
            filler.close()


async def test_a_reset_goes_through() -> None:
    async def cut(wire: Wire) -> None:
        await wire.send(b"half a ")
        await wire.reader.read(1)
        wire.reset()

    async with relaying(cut) as world:
        wire = await world.connect()
        assert await wire.exactly(7) == b"half a "
        await wire.send(b"?")
        assert await gone(wire) == "reset"
        await until(lambda: not world.open)


async def test_the_last_words_of_an_endpoint_that_stops_listening_arrive() -> None:
    async def refuse(wire: Wire) -> None:
        await wire.exactly(10)
        await wire.send(b"413 too large")
        await wire.close()  # with much unread, which the kernel answers with a reset

    async with relaying(refuse) as world:
        loop = world.proxy.loop
        for _ in range(10):
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", world.port))
                with suppress(ConnectionError):
                    await asyncio.wait_for(loop.sock_sendall(client, b"x" * 2**22), PATIENCE)
                # A client that goes on to write would find the reset first; one that reads finds the words.
                assert await asyncio.wait_for(loop.sock_recv(client, 100), PATIENCE) == b"413 too large"
        await until(lambda: not world.open)


async def test_a_client_that_gives_up_while_connecting() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [begun(full.getsockname()) for _ in range(3)]
        async with relaying(echo, timeouts={"connect": 0.3}) as world:
            world.use(Endpoint("127.0.0.1", full.getsockname()[1]))
            wire = await world.connect()
            await until(lambda: world.open)
            wire.reset()
            await until(lambda: not world.open)
            assert world.stats.reasons == {"connection_timeout": 1}
        for filler in fillers:
            filler.close()


async def test_aborted_while_connecting() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [begun(full.getsockname()) for _ in range(3)]
        async with relaying(echo, timeouts={"connect": 0}) as world:
            world.use(Endpoint("127.0.0.1", full.getsockname()[1]))
            wire = await world.connect()
            await until(lambda: world.open)
            await world.listeners.close()
            world.listeners.abort()
            assert await gone(wire) == "reset"
            assert world.stats.tcp_open == 0
        for filler in fillers:
            filler.close()


async def test_a_client_that_resets_is_gone_for_the_endpoint() -> None:
    ended = asyncio.Event()

    async def wait(wire: Wire) -> None:
        await wire.send(b"hello")
        assert await gone(wire) == "reset"
        ended.set()

    async with relaying(wait) as world:
        wire = await world.connect()
        await wire.exactly(5)
        wire.reset()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        await until(lambda: not world.open)


async def test_established_connections_outlive_their_endpoint() -> None:
    async with relaying(echo, echo) as world:
        first = Endpoint("127.0.0.1", world.endpoints[0].port)
        wire = await world.connect()
        await wire.send(b"one")
        await wire.exactly(3)
        state = next(state for state in world.backend.endpoints.values() if state.in_flight)
        unready = Endpoint("127.0.0.1", state.port, ready=False)
        for endpoints in ((unready, first), ()):
            world.use(*{endpoint.where: endpoint for endpoint in endpoints}.values())
            await wire.send(b"two")
            assert await wire.exactly(3) == b"two"
        assert state.in_flight == 1
        await wire.close()
        await until(lambda: state.in_flight == 0)


async def test_idle_connections_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LOOK", 0.05)
    async with relaying(silent, timeouts={"tunnel_idle": 0.4}) as world:
        wire = await world.connect()
        for _ in range(3):
            await asyncio.sleep(0.2)
            await wire.send(b"still here")
        assert world.open == 1
        assert await gone(wire) == "reset"
        await until(lambda: not world.open)


async def test_what_moves_is_counted_while_it_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LOOK", 0.05)
    async with relaying(echo) as world:
        wire = await world.connect()
        await wire.send(b"hello")
        await until(lambda: (world.stats.bytes_in, world.stats.bytes_out) == (5, 5))


async def test_nagle_waits_at_neither_side() -> None:
    async with relaying(echo) as world:
        wire = await world.connect()
        await wire.send(b"hello")
        await wire.exactly(5)
        lines = relay_of(world)._lines
        assert [line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for line in lines] == [1, 1]
        assert not any(line.get_inheritable() if hasattr(line, "get_inheritable") else False for line in lines)


async def test_vanished_ends_are_asked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "LOOK", 0.05)
    async with relaying(echo) as world:
        await world.connect()
        await until(lambda: world.stats.tcp_open and relay_of(world)._long_lived)
        lines = relay_of(world)._lines
        assert [line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) for line in lines] == [1, 1]


async def test_many_short_connections(size: Callable[[int, int], int]) -> None:
    async def answer(wire: Wire) -> None:
        await wire.send(b"answer to " + await wire.reader.readexactly(4))

    async with relaying(answer, answer, answer) as world:
        for start in range(0, size(200, 5000), 50):
            wires = [await world.connect() for _ in range(50)]
            for number, wire in enumerate(wires):
                await wire.send(b"%4d" % number)
            for number, wire in enumerate(wires):
                assert await wire.rest() == b"answer to %4d" % number, start
                await wire.close()
        await until(lambda: not world.open)
        counts = [endpoint.connections for endpoint in world.endpoints]
        assert max(counts) - min(counts) <= 1


async def test_a_client_stays_with_its_endpoint_where_affinity_is_asked_for() -> None:
    async with relaying(echo, echo, echo) as world:
        keep = AffinityPolicy(hash=HashKey(source_address=True), seconds=60)
        world.backend.apply(structs.replace(world.backend.plan, balancer=keep))
        for address in ("127.0.0.1", "127.0.0.9", "127.0.0.1", "127.0.0.9", "127.0.0.1"):
            wire = await world.connect(local_addr=(address, 0))
            await wire.send(b"hello")
            await wire.exactly(5)
        assert sorted(state.requests for state in world.backend.endpoints.values()) == [0, 2, 3]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_endpoint_is_told_who_the_client_is(version: Version) -> None:
    async with relaying(echo, plan={"send_proxy": version}) as world:
        wire = await world.connect()
        await wire.send(b"hello")
        client, server = wire.writer.get_extra_info("sockname"), wire.writer.get_extra_info("peername")
        expected = header(version, client, server)
        assert await wire.exactly(len(expected) + 5) == expected + b"hello"
