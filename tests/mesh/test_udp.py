"""UDP: sessions begin, answer, move and end; what they are bound to is alive."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from config.balancing import HashKey
from config.filters import AccessPolicy
from config.policies import RetryPolicy
from discovery.endpoint import Endpoint, WorkloadRef
from mesh.backend import Backend, EndpointState
from mesh.balancing.affinity import AffinityPolicy
from mesh.deadlines import Deadlines
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.listener import Listeners
from mesh.plan import BackendKey, BackendPlan
from mesh.proxy import Proxy
from mesh.table import Listener, ListenerKey, Route, RoutingTable
from mesh.udp import IDLE, LINGER, DatagramAcceptor
from mesh.waiting import LOOK, WaitingRoom
from tests.mesh.dialogue import PATIENCE
from tests.mesh.relaying import until

pytestmark = pytest.mark.both_loops

APP = WorkloadRef("Deployment", "default", "app")
KEY = BackendKey("default", "shop", "dns")


class Speaker:
    """A UDP socket of the test: an endpoint or a client."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.line.setblocking(False)
        self.line.bind((address, port))
        self.address, self.port = self.line.getsockname()[:2]

    async def hears(self) -> tuple[bytes, Any]:
        async with asyncio.timeout(PATIENCE):
            while (heard := self.heard()) is None:
                await asyncio.sleep(0.001)
        return heard

    def heard(self) -> tuple[bytes, Any] | None:
        """What has come, if anything: not all loops can wait for datagrams."""
        try:
            return self.line.recvfrom(65535)
        except BlockingIOError:
            return None

    async def hears_nothing(self) -> None:
        """For longer than something that is sent at once would need."""
        await asyncio.sleep(0.1)
        assert self.heard() is None

    def says(self, data: bytes, to: Any) -> None:
        self.line.sendto(data, to)


class Clock:
    """The loop's time, and what is added to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


class World:
    """A UDP listener with a Backend of several endpoints, each a socket of the test."""

    def __init__(self, endpoints: int, address: str, plan: dict[str, Any], listener: dict[str, Any]) -> None:
        self.clock = Clock()
        self.proxy = Proxy(asyncio.get_running_loop(), self.clock)
        self.proxy.deadlines = Deadlines(self.clock, tick=0.02, patience=0.1)
        self.listeners = Listeners(self.proxy)
        self.backend = Backend(KEY, self.clock, self.proxy.deadlines)
        self.endpoints = [Speaker(address) for _ in range(endpoints)]
        self.key = ListenerKey(address, 0, "UDP")
        self.plan, self.options = plan, listener
        self.clients: list[Speaker] = []
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._ticking = asyncio.ensure_future(self._tick())
        self.use(*self.endpoints)
        await self.publish(Listener(self.key, "ClusterIP", "udp", Route(self.backend), **self.options))

    def use(self, *speakers: Speaker, **changes: Any) -> None:
        there = tuple(Endpoint(each.address, each.port, **changes) for each in speakers)
        self.backend.apply(BackendPlan(KEY, there, **self.plan))

    async def publish(self, *listeners: Listener) -> None:
        self.proxy.table = RoutingTable(self.proxy.table.generation + 1, {each.key: each for each in listeners})
        self.listeners.reconcile(self.proxy.table)
        await asyncio.wait_for(self.listeners.settled(), PATIENCE)

    @property
    def where(self) -> tuple[str, int]:
        bound = self.listeners.states[self.key].bound
        assert bound is not None
        return bound[:2]

    @property
    def acceptor(self) -> DatagramAcceptor:
        found = self.listeners._served[self.key].acceptor
        assert isinstance(found, DatagramAcceptor)
        return found

    @property
    def stats(self) -> Any:
        return self.backend.stats

    def client(self, address: str = "") -> Speaker:
        self.clients.append(Speaker(address or self.key.address))
        return self.clients[-1]

    async def asked(self, client: Speaker, data: bytes = b"ask") -> tuple[Speaker, Any]:
        """The endpoint that heard what `client` said, and where to answer."""
        client.says(data, self.where)
        async with asyncio.timeout(PATIENCE):
            while True:
                for endpoint in self.endpoints:
                    if endpoint.line.fileno() >= 0 and (heard := endpoint.heard()) is not None:
                        assert heard[0] == data
                        return endpoint, heard[1]
                await asyncio.sleep(0.001)

    async def talked(self, client: Speaker) -> Speaker:
        """The endpoint that answered `client`."""
        endpoint, back = await self.asked(client)
        endpoint.says(b"answer", back)
        assert await client.hears() == (b"answer", self._from)
        return endpoint

    @property
    def _from(self) -> Any:
        return self.listeners._served[self.key].bound.socket.getsockname()

    def state(self, speaker: Speaker) -> EndpointState:
        return self.backend.endpoints[speaker.address, speaker.port]

    async def passes(self, seconds: float) -> None:
        self.clock.ahead += seconds
        now = self.clock()
        await until(lambda: self.proxy.deadlines.now >= now)

    async def _tick(self) -> None:
        while True:
            self.proxy.deadlines.advance()
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        await self.listeners.close()
        self.listeners.abort()
        assert self._ticking is not None
        self._ticking.cancel()
        for speaker in (*self.endpoints, *self.clients):
            speaker.line.close()
        assert not self.proxy.clients
        assert self.stats.udp_open == 0
        assert [state.in_flight for state in self.backend.states()] == [0] * len(list(self.backend.states()))


@asynccontextmanager
async def world(
    endpoints: int = 2, address: str = "127.0.0.1", listener: dict[str, Any] | None = None, **plan: Any
) -> AsyncIterator[World]:
    made = World(endpoints, address, plan, listener or {})
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.96.0.7", "::1"])
async def test_a_session_keeps_its_endpoint_and_answers_come_from_where_was_asked(address: str) -> None:
    async with world(address=address) as there:
        one, other = there.client(), there.client()
        first = await there.talked(one)
        second = await there.talked(other)
        assert first is not second, "in turns"
        for _ in range(3):
            assert await there.talked(one) is first
        assert (there.stats.udp_total, there.stats.udp_open) == (2, 2)
        assert (there.stats.udp_in, there.stats.udp_out) == (5, 5)
        assert (there.stats.bytes_in, there.stats.bytes_out) == (15, 30)
        assert there.listeners.states[there.key].connections == 2


@pytest.mark.parametrize("size", [0, 1, 1472, 9000, 65507])
async def test_datagrams_of_all_sizes_pass_whole(size: int) -> None:
    async with world(1) as there:
        client = there.client()
        client.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        data = bytes(number & 255 for number in range(size))
        endpoint, back = await there.asked(client, data)
        endpoint.says(data[::-1], back)
        assert (await client.hears())[0] == data[::-1]


async def test_a_burst_is_handed_on_in_order() -> None:
    async with world(1) as there:
        client, count = there.client(), 200
        for number in range(count):
            client.says(b"%d" % number, there.where)
        heard = [(await there.endpoints[0].hears()) for _ in range(count)]
        assert [data for data, _ in heard] == [b"%d" % number for number in range(count)]
        for number in range(count):
            there.endpoints[0].says(b"%d" % number, heard[0][1])
        assert [(await client.hears())[0] for _ in range(count)] == [b"%d" % number for number in range(count)]


async def test_silence_ends_a_session_and_the_next_datagram_begins_one() -> None:
    async with world() as there:
        client = there.client()
        first = await there.talked(client)
        for _ in range(3):
            await there.passes(IDLE - 1)
            assert await there.talked(client) is first, "it spoke before the time was over"
        await there.passes(IDLE + 1)
        await until(lambda: there.stats.udp_open == 0)
        assert await there.talked(client) is not first, "by turns again"


async def test_a_client_that_is_never_answered_is_forgotten_too() -> None:
    async with world(1) as there:
        client = there.client()
        for _ in range(3):
            await there.asked(client)
        await there.passes(IDLE - 1)
        assert there.stats.udp_open == 1
        await there.passes(2)
        await until(lambda: there.stats.udp_open == 0)


async def test_an_endpoint_that_goes_takes_no_session_with_it() -> None:
    """What is in no black hole: the very next datagram reaches an endpoint that is there."""
    async with world() as there:
        client = there.client()
        first = await there.talked(client)
        (second,) = (each for each in there.endpoints if each is not first)
        there.use(second)
        assert there.stats.udp_open == 0, "nothing was asked, so nothing is waited for"
        assert await there.talked(client) is second


async def test_what_was_asked_may_still_be_answered_by_an_endpoint_that_goes() -> None:
    async with world() as there:
        client = there.client()
        first, back = await there.asked(client)
        (second,) = (each for each in there.endpoints if each is not first)
        there.use(second)
        assert there.state(second).in_flight == 0
        heard, _ = await there.asked(client, b"more")
        assert heard is second, "what is asked from now on goes elsewhere"
        first.says(b"late", back)
        assert (await client.hears())[0] == b"late"
        assert there.stats.udp_open == 2
        await there.passes(LINGER + 1)
        await until(lambda: there.stats.udp_open == 1)


async def test_all_endpoints_gone() -> None:
    async with world() as there:
        client = there.client()
        await there.talked(client)
        there.use()
        client.says(b"anyone?", there.where)
        await until(lambda: there.stats.reasons == {"destination_unavailable": 1})
        assert (there.stats.udp_open, there.acceptor.sessions) == (0, {})
        there.use(there.endpoints[1])
        assert await there.talked(client) is there.endpoints[1]


async def test_what_is_lost_at_zero_wakes_and_what_is_sent_again_arrives() -> None:
    async with world(1) as there:
        there.use()
        client = there.client()
        woken: list[WorkloadRef] = []

        def wake(workload: WorkloadRef) -> bool:
            woken.append(workload)
            return True

        there.backend._room = WaitingRoom(lambda _: APP, wake)
        for _ in range(3):
            client.says(b"ask", there.where)
        await until(lambda: there.stats.reasons.get("destination_unavailable") == 3)
        assert woken == [APP], "once for all"
        await there.passes(LOOK)
        client.says(b"ask", there.where)
        await until(lambda: woken == [APP, APP])
        there.use(*there.endpoints)
        await there.talked(client)


async def test_an_unready_endpoint_counts_as_gone() -> None:
    async with world() as there:
        client = there.client()
        first = await there.talked(client)
        (second,) = (each for each in there.endpoints if each is not first)
        there.backend.apply(
            BackendPlan(
                KEY,
                (
                    Endpoint(first.address, first.port, ready=False, serving=False),
                    Endpoint(second.address, second.port),
                ),
            )
        )
        assert await there.talked(client) is second


async def test_a_refused_first_datagram_goes_to_another_endpoint() -> None:
    async with world() as there:
        client = there.client()
        there.endpoints[0].line.close()
        for _ in range(2):
            client = there.client()
            client.says(b"question", there.where)
            heard, back = await there.endpoints[1].hears()
            assert heard == b"question"
            there.endpoints[1].says(b"answer", back)
            assert (await client.hears())[0] == b"answer"
        assert there.stats.retries == {"tried": 1}
        assert not there.state(there.endpoints[0]).eligible, "it is left out for a while"


async def test_a_refused_session_moves() -> None:
    async with world() as there:
        client = there.client()
        first = await there.talked(client)
        (second,) = (each for each in there.endpoints if each is not first)
        first.line.close()
        client.says(b"lost", there.where)
        await until(lambda: there.stats.retries == {"tried": 1})
        client.says(b"found", there.where)
        assert (await second.hears())[0] == b"found"
        assert there.stats.udp_open == 1


@pytest.mark.parametrize(("retries", "outcome"), [(RetryPolicy(), {"tried": 2}), (RetryPolicy(attempts=0), {})])
async def test_when_all_refuse_the_session_ends(retries: RetryPolicy, outcome: dict[str, int]) -> None:
    async with world(3, retries=retries) as there:
        for endpoint in there.endpoints:
            endpoint.line.close()
        there.client().says(b"anyone?", there.where)
        await until(lambda: there.stats.reasons)
        assert there.stats.udp_open == 0
        assert sum(there.stats.reasons.values()) == 1
        assert {key: count for key, count in there.stats.retries.items() if key == "tried"} == outcome


async def test_forged_addresses_do_not_keep_others_out() -> None:
    """Of a full listener the session that was never answered goes first; one that was stays."""
    async with world(1, listener={"limit": 5}) as there:
        known = there.client()
        await there.talked(known)
        for _ in range(20):
            there.client().says(b"forged", there.where)
        for _ in range(20):
            assert (await there.endpoints[0].hears())[0] == b"forged"
        assert there.stats.udp_open == 5
        assert known.line.getsockname() in there.acceptor.sessions
        await there.talked(known)
        assert there.stats.udp_total == 21


async def test_a_listener_full_of_conversations_takes_no_more() -> None:
    async with world(1, listener={"limit": 2}) as there:
        for _ in range(2):
            await there.talked(there.client())
        there.client().says(b"me too", there.where)
        await until(lambda: there.stats.reasons == {"connection_limit_reached": 1})
        await there.endpoints[0].hears_nothing()


async def test_only_source_ranges_are_let_in() -> None:
    async with world(1, listener={"sources": (ip_network("127.0.0.8/32"),)}) as there:
        there.client("127.0.0.9").says(b"no", there.where)
        await until(lambda: there.stats.reasons == {"http_request_denied": 1})
        await there.talked(there.client("127.0.0.8"))
        assert there.stats.udp_total == 1


async def test_affinity_holds_over_the_end_of_sessions() -> None:
    keep = AffinityPolicy(hash=HashKey(source_address=True), seconds=100)
    async with world(3, balancer=keep) as there:
        first = await there.talked(there.client())
        for _ in range(4):
            assert await there.talked(there.client()) is first, "another port of the same address"
        await there.passes(IDLE + 1)
        await until(lambda: there.stats.udp_open == 0)
        assert await there.talked(there.client()) is first
        assert await there.talked(there.client("127.0.0.9")) is not first
        await there.passes(101)
        assert await there.talked(there.client()) is not first


async def test_a_listener_that_goes_lets_endpoints_answer() -> None:
    async with world(1) as there:
        idle, asking = there.client(), there.client()
        await there.talked(idle)
        endpoint, back = await there.asked(asking)
        where, acceptor = there.where, there.acceptor
        await there.publish()
        assert there.stats.udp_open == 1
        endpoint.says(b"at last", back)
        assert await asking.hears() == (b"at last", where)
        await there.passes(LINGER + 1)
        await until(lambda: there.stats.udp_open == 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            acceptor.reply(memoryview(b""), where)
        rebound = Speaker(*where)
        rebound.line.close()


async def test_draining_ends_what_is_idle() -> None:
    async with world(1) as there:
        idle, asking = there.client(), there.client()
        await there.talked(idle)
        await there.asked(asking)
        there.proxy.drain()
        assert there.stats.udp_open == 1
        await there.listeners.close()
        there.listeners.abort()
        assert there.stats.udp_open == 0


async def test_what_the_system_does_not_take_is_counted() -> None:
    async with world(1) as there:
        client = there.client()
        await there.talked(client)
        session = there.acceptor.sessions[client.line.getsockname()]
        session.ask(bytes(65600), session.deadline)  # larger than any datagram
        assert (there.stats.udp_lost, there.stats.udp_open) == (1, 1)
        assert await there.talked(client)


@pytest.mark.parametrize(
    "gone", [lambda there: there.proxy.__setattr__("table", RoutingTable()), lambda there: there.backend.retire()]
)
async def test_a_client_that_comes_too_late(gone: Callable[[World], None]) -> None:
    async with world(1) as there:
        where = there.where
        gone(there)
        there.client().says(b"late", where)
        await there.endpoints[0].hears_nothing()
        assert there.stats.udp_open == 0


async def test_addresses_on_a_deny_list_are_not_let_in() -> None:
    denied = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("127.0.0.9",))))
    async with world(1) as there:
        await there.publish(Listener(there.key, "ClusterIP", "udp", Route(there.backend, denied)))
        there.client("127.0.0.9").says(b"no", there.where)
        await until(lambda: there.stats.reasons == {"http_request_denied": 1})
        await there.talked(there.client("127.0.0.8"))
