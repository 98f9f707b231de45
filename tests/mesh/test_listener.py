"""Listeners follow the table: opened, closed, kept, tried again."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time

import pytest

from mesh import sniffer
from mesh.backend import Backend
from mesh.listener import Listeners
from mesh.plan import BackendKey
from mesh.proxy import Proxy
from mesh.sockets import BindError, Bound, bind, listen
from mesh.table import Entry, Listener, ListenerKey, Route, RoutingTable
from tests.mesh.dialogue import GET, OK, PATIENCE, answering
from tests.mesh.relaying import World, closed_port, echo, gone, relaying, until

pytestmark = pytest.mark.both_loops


def listener(world: World, key: ListenerKey) -> Listener:
    return Listener(key, "ClusterIP", world.protocol, Route(world.backend))


async def test_listeners_come_and_go() -> None:
    async with relaying(echo) as world:
        first, second = ListenerKey("127.96.0.1", closed_port()), ListenerKey("127.96.0.2", closed_port())
        await world.publish({key: listener(world, key) for key in (first, second)})
        assert world.listeners.states.keys() == {first, second}
        assert [world.listeners.states[key].bound for key in (first, second)] == [first, second]
        for key in (first, second):
            _, writer = await asyncio.open_connection(*key[:2])
            writer.close()
        await world.publish({second: listener(world, second)})
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*first[:2])
        _, writer = await asyncio.open_connection(*second[:2])
        writer.close()


@pytest.mark.parametrize("protocol", ["tcp", "http"])
async def test_connections_outlive_their_listener(protocol: str) -> None:
    async with relaying(echo if protocol == "tcp" else answering(OK), protocol=protocol) as world:  # type: ignore[arg-type]
        wire = await world.connect()
        await wire.send(GET)
        await wire.until(b"\r\n\r\n")
        listening = world.port
        await world.publish({})
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listening)
        if protocol == "tcp":
            await wire.send(b"still there")
            assert await wire.exactly(11) == b"still there"
        else:
            assert await wire.exactly(2) == b"ok"
            await wire.send(GET)
            assert b" 503 " in await wire.until(b"\r\n"), "its address serves nothing now"


async def test_a_listener_that_stays_keeps_its_socket() -> None:
    async with relaying(echo) as world:
        before = world.listeners._served[world.key].bound.socket
        port = world.port
        for _ in range(3):
            await world.serve("tcp")
        assert world.listeners._served[world.key].bound.socket is before
        assert world.port == port


async def test_a_change_of_protocol_is_for_new_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniffer, "PATIENCE", PATIENCE)
    async with relaying(answering(OK), protocol="tcp") as world:
        port = world.port
        old = await world.connect()
        await old.send(GET)
        assert await old.message() == (OK[:-2], b"ok")
        await world.serve("http")
        new = await world.connect()
        await new.send(GET)
        await new.message()
        assert b"x-request-id" in world.endpoints[0].heads[-1].lower(), "the new one goes the HTTP path"
        await old.send(GET)
        assert await old.message() == (OK[:-2], b"ok")
        assert b"x-request-id" not in world.endpoints[0].heads[-1].lower()
        await world.serve("detect")
        third = await world.connect()
        await third.send(GET)
        await third.message()
        assert world.stats.detected == {"http": 1}
        assert world.port == port
        assert world.open == 3


async def test_a_taken_port_is_tried_again_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mesh.listener")
    async with relaying(echo) as world:
        free = ListenerKey("127.96.0.1", closed_port())
        with listen("127.96.0.2", 0) as other:
            taken = ListenerKey("127.96.0.2", other.getsockname()[1])
            await world.publish({key: listener(world, key) for key in (taken, free)})
            assert world.listeners.states[free].bound == free
            state = world.listeners.states[taken]
            assert state.bound is None
            assert "is taken by another program" in state.reason
            await until(lambda: world.listeners._failed[taken].backoff.failures > 1)
        await until(lambda: state.bound == taken)
        assert state.reason == ""
        _, writer = await asyncio.open_connection(*taken[:2])
        writer.close()
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "taken by another" in line]) == 1, "the same words are said once"
    assert f"{taken} is bound now" in lines


async def test_a_port_that_could_not_be_bound_may_leave_the_table() -> None:
    async with relaying(echo) as world:
        with listen("127.96.0.2", 0) as other:
            taken = ListenerKey("127.96.0.2", other.getsockname()[1])
            await world.publish({taken: listener(world, taken)})
            await world.publish({})
            assert not world.listeners.states
            assert not world.listeners._failed
        await asyncio.sleep(0.8)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*taken[:2])


async def test_a_fallback_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def elsewhere(key: ListenerKey, entry: Entry) -> Bound:
        return Bound(listen(key.address, 0), key, f"port {key.port} needs a right")

    proxy = Proxy(asyncio.get_running_loop(), time.monotonic)
    listeners = Listeners(proxy, binder=elsewhere)
    key = ListenerKey("127.0.0.1", 80)
    table = RoutingTable(1, {key: Listener(key, "ClusterIP", "tcp", Route(any_backend()))})
    listeners.reconcile(table)
    await asyncio.wait_for(listeners.settled(), PATIENCE)
    state = listeners.states[key]
    assert state.bound is not None
    assert state.bound.port not in (0, 80)
    assert state.reason == "port 80 needs a right"
    assert f"{key} is served at {state.bound}: port 80 needs a right" in caplog.text
    await listeners.close()
    listeners.abort()


def any_backend() -> Backend:
    return Backend(BackendKey("default", "shop", "http"), time.monotonic)


async def test_who_waits_keeps_nothing_of_the_table_before() -> None:
    async with relaying(answering(OK), protocol="http") as world:
        wire = await world.connect()

        async def ask() -> None:
            await wire.send(GET)
            await wire.exactly(len(OK))

        await ask()
        before = world.key
        held = sys.getrefcount(world.proxy.table.listeners[before])
        kept = world.proxy.table.listeners[before]
        await world.publish({before: listener(world, before)})
        await until(lambda: sys.getrefcount(kept) < held)
        await ask()


async def test_the_entry_reaches_who_explains_the_failure() -> None:
    asked: list[Entry] = []

    def failing(key: ListenerKey, entry: Entry) -> Bound:
        asked.append(entry)
        raise BindError("no")

    proxy = Proxy(asyncio.get_running_loop(), time.monotonic)
    listeners = Listeners(proxy, binder=failing)
    key = ListenerKey("127.0.0.1", 30080)
    listeners.reconcile(RoutingTable(1, {key: Listener(key, "NodePort", "http", Route(any_backend()))}))
    await asyncio.wait_for(listeners.settled(), PATIENCE)
    assert asked == ["NodePort"]
    assert listeners.states[key].reason == "no"
    await listeners.close()
    listeners.abort()


@pytest.mark.parametrize("protocol", ["tcp", "http"])
async def test_what_waits_in_the_accept_queue_is_taken_in_before_the_end(protocol: str) -> None:
    async with relaying(echo if protocol == "tcp" else answering(OK), protocol=protocol) as world:  # type: ignore[arg-type]
        with socket.create_connection(("127.0.0.1", world.port)) as client:  # the loop has no turn meanwhile
            await world.listeners.close()
            client.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(client, GET)
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), PATIENCE)


async def test_closed_listeners_finish_what_is_open_until_aborted() -> None:
    async with relaying(echo) as world:
        wire = await world.connect()
        await wire.send(b"hello")
        await wire.exactly(5)
        port = world.port
        await world.listeners.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await wire.send(b"again")
        assert await wire.exactly(5) == b"again"
        assert world.proxy.clients
        world.listeners.give_up()
        assert await gone(wire) == "reset"
        assert not world.proxy.clients
        assert world.stats.reasons == {"connection_terminated": 1}


async def test_two_thousand_listeners_open_quickly_and_in_slices(no_collections: None) -> None:
    count = 2000
    proxy = Proxy(asyncio.get_running_loop(), time.monotonic)
    listeners = Listeners(proxy)
    backend = any_backend()
    port = closed_port()
    keys = [ListenerKey(f"127.96.{number >> 8}.{number & 255}", port) for number in range(1, count + 1)]
    table = RoutingTable(
        1,
        {
            key: Listener(key, "ClusterIP", "http" if number % 2 else "tcp", Route(backend))
            for number, key in enumerate(keys)
        },
    )
    holds: list[float] = []

    async def watch() -> None:
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            holds.append(time.thread_time() - began)

    async def reconciled() -> float:
        began = time.thread_time()
        listeners.reconcile(table)
        await asyncio.wait_for(listeners.settled(), PATIENCE)
        return time.thread_time() - began

    watching = asyncio.ensure_future(watch())
    try:
        took = await reconciled()
        bound = sum(state.bound is not None for state in listeners.states.values())
        assert bound == count, next(state.reason for state in listeners.states.values() if state.reason)
        assert took < 5
        assert sorted(holds)[-3] < 0.05, "slices of 2 ms"
        assert await reconciled() < took
    finally:
        watching.cancel()
        await listeners.close()
        listeners.abort()
    assert not listeners.states


async def test_bind_is_the_default() -> None:
    async with relaying(echo) as world:
        assert world.listeners._binder is bind


async def test_what_may_have_to_move_near_is_bound_last() -> None:
    """LoadBalancer port 80 may end up at 8080, which an Ingress may want."""
    asked: list[int] = []

    def noting(key: ListenerKey, entry: Entry) -> Bound:
        asked.append(key.port)
        return Bound(listen(key.address, 0), key)

    proxy = Proxy(asyncio.get_running_loop(), time.monotonic)
    listeners = Listeners(proxy, binder=noting)
    keys = [ListenerKey("127.0.0.1", port) for port in (80, 8080, 443, 30080)]
    listeners.reconcile(RoutingTable(1, {key: Listener(key, "NodePort", "tcp", Route(any_backend())) for key in keys}))
    await asyncio.wait_for(listeners.settled(), PATIENCE)
    assert asked == [8080, 30080, 80, 443]
    await listeners.close()
    listeners.abort()


async def test_one_port_by_tcp_and_by_udp() -> None:
    async with relaying(echo) as world:
        port = closed_port()
        tcp, udp = ListenerKey("127.96.0.1", port), ListenerKey("127.96.0.1", port, "UDP")
        served = {
            key: Listener(key, "ClusterIP", "udp" if key == udp else "tcp", Route(world.backend)) for key in (tcp, udp)
        }
        await world.publish(served)
        assert [world.listeners.states[key].bound for key in (tcp, udp)] == [tcp, udp]
