"""Requests of a Service that is scaled to zero: held within bounds, woken for, and let go by and by."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.balancing import EndpointLimits, LimitPolicy
from discovery.endpoint import Endpoint, WorkloadRef
from mesh import waiting
from mesh.backend import Backend, EndpointState
from mesh.deadlines import Deadlines
from mesh.proxy_protocol import header
from mesh.ramp import DOUBLING, FIRST
from mesh.reasons import NO_ENDPOINTS, NO_SERVICE, NOBODY_WAKES, ROOM_FULL, SHARE_TAKEN, STOPPING, Reason
from mesh.waiting import BURST, LOOK, MOST, MOST_BYTES, SHARE, Line, WaitingRoom
from tests.mesh.dialogue import GET, OK, Mesh, answering, get, mesh
from tests.mesh.making import KEY, Clock, endpoints, plan, tell
from tests.mesh.relaying import World, echo, relaying, until

APP = WorkloadRef("Deployment", "default", "app")


class Waiter:
    """A request that waits, of `client`, of which `size` bytes are kept."""

    def __init__(self, client: str = "a", size: int = 0) -> None:
        self.client, self.size = client, size

    def room_now(self) -> None:
        """Nobody tells it here."""

    def turn_away(self, reason: Reason) -> None:
        """Nor this."""

    def cost(self) -> tuple[str, int]:
        return self.client, self.size


# The waiting room


def test_so_many_may_wait_and_no_more() -> None:
    room = WaitingRoom()
    there = [Waiter(str(number % 10)) for number in range(MOST)]
    assert all(room.enter(waiter) is None for waiter in there)
    assert room.enter(Waiter("new")) is ROOM_FULL
    room.leave(there[0])
    room.leave(there[0])
    assert room.enter(Waiter("new")) is None
    assert len(room) == MOST


def test_one_client_has_its_share() -> None:
    room = WaitingRoom()
    assert all(room.enter(Waiter("greedy")) is None for _ in range(MOST // SHARE))
    assert room.enter(Waiter("greedy")) is SHARE_TAKEN
    assert room.enter(Waiter("other")) is None


def test_bytes_count_as_they_come() -> None:
    room = WaitingRoom()
    share = MOST_BYTES // SHARE
    waiter = Waiter("a", 100)
    assert room.enter(waiter) is None
    assert room.grow(waiter, share - 100) is None
    assert room.grow(waiter, 1) is SHARE_TAKEN
    assert all(room.enter(Waiter(client, share)) is None for client in "bcde")
    assert room.enter(Waiter("f", MOST_BYTES - 5 * share + 1)) is ROOM_FULL
    room.leave(waiter)
    assert room.kept == 4 * share


def test_a_process_that_ends_lets_nobody_in() -> None:
    room = WaitingRoom()
    room.close()
    assert room.enter(Waiter()) is STOPPING


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 1 << 22)), max_size=60))
def test_the_room_forgets_nobody(steps: list[tuple[str, int, int]]) -> None:
    room = WaitingRoom()
    there: list[Waiter] = []
    for client, what, size in steps:
        waiter = Waiter(client, size)
        if what < 2 and room.enter(waiter) is None:
            there.append(waiter)
        elif what == 2 and there and room.grow(there[0], size) is None:
            there[0].size += size
        elif what == 3 and there:
            room.leave(there.pop())
        assert len(room) == len(there)
        assert room.kept == sum(waiter.size for waiter in there) <= MOST_BYTES
    for waiter in there:
        room.leave(waiter)
    assert room.kept == 0
    assert not room._clients


# A line


class Asleep:
    """A Backend without endpoints whose workload can be woken, and requests to it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.woken: list[WorkloadRef] = []
        self.wakes = True
        self.workload: WorkloadRef | None = APP
        self.room = WaitingRoom(lambda _: self.workload, self._wake)
        self.backend = Backend(KEY, self.clock, self.deadlines, room=self.room)

    def _wake(self, workload: WorkloadRef) -> bool:
        self.woken.append(workload)
        return self.wakes

    def ask(self) -> Request:
        self.backend.stats.in_flight += 1
        return Request(self)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.deadlines.advance()

    @property
    def waiting(self) -> int:
        return len(self.backend.limits) if isinstance(self.backend.limits, Line) else 0


class Request:
    """A request that has an endpoint, waits for one, or was refused."""

    def __init__(self, world: Asleep) -> None:
        self.world = world
        self.state: EndpointState | None = None
        self.refused: Reason | None = None
        self.room_now()

    def room_now(self) -> None:
        self.state = self.world.backend.pick()
        if self.state is not None:
            self.state.in_flight += 1
        elif refusal := self.world.backend.wait(self):
            self.turn_away(refusal)

    def turn_away(self, reason: Reason) -> None:
        if self.world.backend.limits is not None:
            self.world.backend.limits.leave(self)
        self.refused = reason
        self.world.backend.stats.in_flight -= 1

    def cost(self) -> tuple[str, int]:
        return "", 100

    def answered(self, status: int = 200) -> None:
        assert self.state is not None
        self.state.in_flight -= 1
        self.world.backend.stats.in_flight -= 1
        tell(self.world.backend, self.state, status)


def test_the_first_wakes_and_the_others_wait_with_it() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(3)]
    assert world.woken == [APP]
    assert (world.waiting, len(world.room), world.room.kept) == (3, 3, 300)
    world.backend.apply(plan(*endpoints(1)))
    assert all(request.state is not None for request in requests)
    assert (world.waiting, len(world.room)) == (0, 0)


def test_in_turn_and_as_many_as_answers_come_back() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(40)]
    world.backend.apply(plan(*endpoints(1)))
    assert [bool(request.state) for request in requests] == [True] * FIRST + [False] * (40 - FIRST)
    late = world.ask()
    for number, request in enumerate(requests):
        assert request.state is not None, f"{number} was overtaken"
        assert request.state.in_flight <= FIRST + number
        request.answered()
    assert late.state is not None


def test_the_loop_has_its_turn_between() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(2 * BURST + 1)]
    world.backend.apply(plan(*endpoints(BURST)))
    assert sum(bool(request.state) for request in requests) == BURST
    late = world.ask()
    assert late.state is None, "nobody is overtaken"
    world.pass_time(LOOK + 0.2)
    assert sum(bool(request.state) for request in requests) == 2 * BURST
    requests[0].answered()
    assert requests[-1].state is not None
    assert late.state is not None


def test_failures_do_not_widen_it_and_time_does() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(40)]
    world.backend.apply(plan(*endpoints(1)))
    requests[0].answered(500)
    assert requests[FIRST].state is not None
    assert requests[FIRST + 1].state is None
    world.pass_time(DOUBLING + LOOK)
    assert requests[2 * FIRST].state is not None
    assert requests[-1].state is None
    world.pass_time(5 * DOUBLING)
    assert requests[-1].state is not None


def test_without_anybody_who_wakes_it_is_told_at_once() -> None:
    world = Asleep()
    world.wakes = False
    assert world.ask().refused is NOBODY_WAKES
    assert len(world.room) == 0


def test_who_wakes_may_be_lost_while_they_wait() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(3)]
    world.wakes = False
    world.pass_time(2 * LOOK)
    assert {request.refused for request in requests} == {NOBODY_WAKES}
    assert (len(world.room), world.backend.stats.in_flight) == (0, 0)


def test_who_waits_for_what_turns_out_to_have_no_endpoint_is_told_that() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(3)]
    world.workload = None
    world.pass_time(2 * LOOK)
    assert {request.refused for request in requests} == {NO_ENDPOINTS}
    assert world.ask().refused is NO_ENDPOINTS
    assert len(world.room) == 0


def test_it_is_said_again_while_they_wait() -> None:
    world = Asleep()
    world.ask()
    world.pass_time(4 * LOOK)
    assert len(world.woken) >= 3


def test_what_cannot_sleep_has_no_line() -> None:
    world = Asleep()
    world.workload = None
    request = world.ask()
    assert request.refused is not None
    assert request.refused.details == "the Service has no ready endpoint"
    assert world.backend.limits is None


def test_the_line_ends_and_costs_nothing_any_more() -> None:
    world = Asleep()
    request = world.ask()
    world.backend.apply(plan(*endpoints(1)))
    request.answered()
    assert world.backend.limits is not None
    world.pass_time(10 * DOUBLING)
    assert world.backend.limits is None
    assert world.backend.answered is None
    assert world.ask().state is not None


def test_answers_count_in_a_line_in_which_nobody_waits_any_more() -> None:
    world = Asleep()
    request = world.ask()
    world.backend.apply(plan(*endpoints(1)))
    for _ in range(20):
        request.answered()
        request = world.ask()
    assert all(world.ask().state for _ in range(FIRST + 19))
    assert world.ask().state is None


def test_a_line_that_all_have_left_ends() -> None:
    world = Asleep()
    request = world.ask()
    assert world.backend.limits is not None
    world.backend.limits.leave(request)
    world.pass_time(2 * LOOK)
    assert world.backend.limits is None
    assert len(world.room) == 0
    world.ask()
    assert world.woken == [APP, APP]


def test_endpoints_may_go_again_while_some_wait() -> None:
    world = Asleep()
    requests = [world.ask() for _ in range(2 * FIRST)]
    world.backend.apply(plan(*endpoints(1)))
    world.backend.apply(plan())
    late = world.ask()
    assert world.waiting == FIRST + 1
    world.backend.apply(plan(*endpoints(1)))
    for request in (*requests, late):
        assert request.state is not None
        request.answered()


def test_the_limits_of_a_policy_hold_beside() -> None:
    world = Asleep()
    one = LimitPolicy(EndpointLimits(requests=1))
    world.backend.apply(plan(limits=one))
    requests = [world.ask() for _ in range(5)]
    world.backend.apply(plan(*endpoints(2), limits=one))
    assert sum(bool(request.state) for request in requests) == 2
    world.pass_time(10 * DOUBLING)
    assert world.backend.limits is not None
    assert not isinstance(world.backend.limits, Line)
    assert (len(world.backend.limits), len(world.room)) == (3, 0), "who waits, waits for the policy's limits now"
    for request in requests:
        request.answered()
    assert [bool(world.ask().state) for _ in range(3)] == [True, True, False]


def test_who_waited_for_room_before_waits_in_the_line() -> None:
    world = Asleep()
    one = LimitPolicy(EndpointLimits(requests=1))
    world.backend.apply(plan(*endpoints(1), limits=one))
    served, first, second = world.ask(), world.ask(), world.ask()
    assert served.state is not None
    world.backend.apply(plan(limits=one))
    late = world.ask()
    assert isinstance(world.backend.limits, Line)
    assert world.backend.limits.keep(second, 1000) is None, "it is within the bounds of the queue"
    assert (world.waiting, len(world.room), world.room.kept) == (3, 2, 200)
    world.backend.apply(plan(*endpoints(2)[1:], limits=one))
    for request in (first, second, late):
        assert request.state is not None
        request.answered()
    assert (len(world.room), world.room.kept) == (0, 0)


def test_a_service_that_is_gone_keeps_nobody_waiting() -> None:
    world = Asleep()
    request = world.ask()
    world.backend.retire()
    assert request.refused is NO_SERVICE
    assert len(world.room) == 0


def test_a_process_that_ends_turns_away_who_waits() -> None:
    world = Asleep()
    request = world.ask()
    world.room.close()
    assert {request.refused, world.ask().refused} == {STOPPING}
    assert (world.waiting, len(world.room)) == (0, 0)


# Real requests


@asynccontextmanager
async def sleeping(*scripts: Any, **plan: Any) -> AsyncIterator[Mesh]:
    """A mesh without endpoints, of which `world.addresses` are to be."""
    async with mesh(*scripts, **plan) as world:
        world.proxy.live.room.wakeable = lambda _: APP
        world.proxy.live.room.wake = lambda _: True
        world.use()
        yield world


@pytest.mark.both_loops
async def test_requests_are_held_and_answered() -> None:
    async with sleeping(answering(OK)) as world:
        wires = [await world.dial() for _ in range(20)]
        for number, wire in enumerate(wires):
            await wire.send(GET if number % 2 else get(method="POST", body=b"abc"))
        await world.wait(lambda: len(world.proxy.live.room) == 20)
        world.use(*world.addresses)
        for wire in wires:
            assert await wire.exactly(len(OK)) == OK
        assert world.stats.codes == {200: 20}
        assert sorted(world.endpoints[0].bodies) == [b""] * 10 + [b"abc"] * 10
        await world.settled()


async def test_the_time_that_was_waited_is_not_the_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    took: list[float] = []
    async with sleeping(answering(OK)) as world:
        wire = await world.dial()
        began = world.loop.time()
        await wire.send(GET)
        await world.wait(lambda: len(world.proxy.live.room) == 1 and world.loop.time() > began + 0.3)
        woken = world.loop.time()
        world.use(*world.addresses)
        monkeypatch.setattr(Backend, "left", lambda *told: took.append(told[2]))
        assert await wire.exactly(len(OK)) == OK
        assert took[0] <= world.loop.time() - woken


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_kept_up_to_a_limit_and_then_read_on(chunked: bool) -> None:
    body = bytes(range(256)) * 8000
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    field = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    async with sleeping(answering(OK)) as world:
        wire = await world.dial()
        wire.writer.write(get("/", field, method="POST"))
        wire.writer.write(framed)
        await world.wait(lambda: world.clients[0].held)
        assert world.proxy.live.room.kept < 65_536 + 400_000
        world.use(*world.addresses)
        assert await wire.exactly(len(OK)) == OK
        assert hashlib.sha256(world.endpoints[0].bodies[0]).digest() == hashlib.sha256(body).digest()
        await world.settled()


async def test_behind_a_trusted_proxy_its_clients_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SHARE", 1000)
    async with sleeping(answering(OK), trusted="127.0.0.0/8") as world:
        for client in ("192.0.2.1", "192.0.2.2"):
            await (await world.dial()).send(get("/", f"X-Forwarded-For: {client}"))
        await world.wait(lambda: len(world.proxy.live.room) == 2)
        assert b"this client has enough" in await world.ask(get("/", "X-Forwarded-For: 192.0.2.1"))
        world.use(*world.addresses)


@pytest.mark.both_loops
async def test_who_goes_away_frees_its_place() -> None:
    async with sleeping(answering(OK)) as world:
        stays, closes, resets = [await world.dial() for _ in range(3)]
        for wire in (closes, stays, resets):
            await wire.send(GET)
        await world.wait(lambda: len(world.proxy.live.room) == 3)
        closes.writer.close()
        resets.reset()
        await world.wait(lambda: len(world.proxy.live.room) == 1)
        world.use(*world.addresses)
        assert await stays.exactly(len(OK)) == OK
        assert world.stats.codes == {200: 1, 499: 2}


async def test_who_waits_too_long_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.2)
    async with sleeping(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(GET)
        head, _ = await wire.message()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in head
        assert b"no replica was ready in time" in head
        world.use(*world.addresses)
        await wire.send(GET)
        assert await wire.exactly(len(OK)) == OK, "the connection goes on"


@pytest.mark.parametrize(
    ("patch", "details"),
    [({"MOST": 2, "SHARE": 1}, b"as many requests wait as may"), ({"SHARE": 500}, b"this client has enough")],
)
async def test_beyond_the_limits(monkeypatch: pytest.MonkeyPatch, patch: dict[str, int], details: bytes) -> None:
    for name, value in patch.items():
        monkeypatch.setattr(waiting, name, value)
    async with sleeping(answering(OK)) as world:
        wires = [await world.dial() for _ in range(2)]
        for wire in wires:
            await wire.send(GET)
        await world.wait(lambda: len(world.proxy.live.room) == 2)
        answer = await world.ask(GET)
        assert details in answer
        assert b"\r\nRetry-After: " in answer
        assert world.stats.reasons == {"connection_limit_reached": 1}
        world.use(*world.addresses)
        for wire in wires:
            assert await wire.exactly(len(OK)) == OK


async def test_a_body_beyond_the_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_BYTES", 1000)
    async with sleeping(answering(OK)) as world:
        wire = await world.dial()
        await wire.send(get("/", "Content-Length: 5000", method="POST"))
        await world.wait(lambda: len(world.proxy.live.room) == 1)
        await wire.send(bytes(1000))
        head, _ = await wire.message()
        assert head.startswith(b"HTTP/1.1 503 ")
        await world.wait(lambda: not len(world.proxy.live.room))
        assert world.proxy.live.room.kept == 0


# Connections


async def woken(world: World, wake: Callable[[WorkloadRef], bool] = lambda _: True) -> None:
    world.proxy.live.room.wakeable = lambda _: APP
    world.proxy.live.room.wake = wake
    world.use()


@pytest.mark.both_loops
async def test_connections_are_held_unread() -> None:
    async with relaying(echo) as world:
        await woken(world)
        wires = [await world.connect() for _ in range(3)]
        for number, wire in enumerate(wires):
            await wire.send(b"%d" % number)
        await until(lambda: len(world.proxy.live.room) == 3)
        world.use(Endpoint("127.0.0.1", world.endpoints[0].port))
        for number, wire in enumerate(wires):
            assert await wire.exactly(1) == b"%d" % number


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
async def test_behind_a_load_balancer_the_clients_that_its_headers_name_count(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(waiting, "SHARE", 1000)
    protocol = "http" if first else "tcp"
    async with relaying(echo, introduced_by=(ip_network("127.0.0.0/8"),), protocol=protocol) as world:
        await woken(world)
        wires = []
        for client in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            wires.append(await world.connect())
            await wires[-1].send(header("v2", (client, 40_000), ("198.51.100.1", 443)) + first)
            await until(lambda: len(world.proxy.live.room) == min(len(wires), 2))
        await until(lambda: world.stats.reasons == {SHARE_TAKEN.error: 1})
        assert len(world.proxy.live.room) == 2


@pytest.mark.both_loops
async def test_a_connection_that_breaks_frees_its_place() -> None:
    async with relaying(echo) as world:
        await woken(world)
        gone, stays = await world.connect(), await world.connect()
        await until(lambda: len(world.proxy.live.room) == 2)
        gone.reset()
        await until(lambda: len(world.proxy.live.room) == 1)
        assert world.stats.reasons == {"client_closed": 1}
        world.use(Endpoint("127.0.0.1", world.endpoints[0].port))
        await stays.send(b"x")
        assert await stays.exactly(1) == b"x"


async def test_a_connection_that_nobody_wakes_for_is_refused() -> None:
    async with relaying(echo) as world:
        await woken(world, lambda _: False)
        assert await world.ending() == "reset"
        assert world.stats.reasons == {"destination_unavailable": 1}
        await asyncio.sleep(0)
        assert len(world.proxy.live.room) == 0
