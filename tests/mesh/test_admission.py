"""What policies have requests go through, end to end: filters, delays, total timeouts, limits and their queue."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from config.balancing import BackendLimits, BalancerPolicy, EndpointLimits, HashKey, LimitPolicy, QueuePolicy
from config.filters import (
    AccessPolicy,
    CORSPolicy,
    FaultAbort,
    FaultDelay,
    FaultPolicy,
    HeaderEdits,
    HeaderPolicy,
    MirrorPolicy,
    RateLimitPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TokenBucketPolicy,
)
from config.meta import IntOrString
from config.policies import RetryPolicy, TargetRef, TimeoutPolicy, TrafficPolicySpec
from mesh.access_log import AccessRecord
from mesh.backend import Backend
from mesh.downstream import RESPONSE
from mesh.filters.chain import Filters
from mesh.filters.making import Where, filters_of
from mesh.filters.rate_limit import RateLimit
from mesh.plan import BackendKey, BackendPlan
from mesh.proxy_protocol import Conveyed, Version, read_header
from tests.mesh.dialogue import GET, OK, Mesh, Wire, answering, get, mesh


class Around:
    """Where splits and mirrors lead: to a Backend that a test fills later."""

    def __init__(self) -> None:
        self.others: dict[str, Backend] = {}

    def backend(self, service: str, port: IntOrString | None) -> Backend:
        return self.others.setdefault(service, Backend(BackendKey("default", service, "http"), time.monotonic))

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        return RateLimit(policy)

    def fill(self, service: str, world: Mesh, number: int) -> Backend:
        """Have the Backend of `service` lead to an endpoint of `world`, which then is not its own any more."""
        backend = self.others[service]
        backend.apply(BackendPlan(backend.key, (world.addresses[number],)))
        world.use(*(each for each in world.addresses if each is not world.addresses[number]))
        return backend


def filters(around: Around | None = None, chance: float = 0.0, **said: Any) -> Filters:
    spec = TrafficPolicySpec(TargetRef("Service", "shop"), **said)
    made = filters_of(spec, Where(), around or Around(), lambda: chance)
    assert made is not None
    return made


async def test_edits_of_both_heads() -> None:
    edits = HeaderPolicy(
        HeaderEdits(set={"X-A": "1"}, remove=("X-Forwarded-For", "X-B")),
        HeaderEdits(add={"X-C": "2"}, remove=("Server",)),
    )
    answer = OK.replace(b"\r\n\r\n", b"\r\nServer: x\r\n\r\n")
    async with mesh(answering(answer), filters=filters(headers=edits)) as world:
        wire = await world.dial()
        for _ in range(3):
            await wire.send(get("/", "X-B: 3"))
            head, body = await wire.message()
            assert b"\r\nX-C: 2\r\n" in head
            assert b"Server" not in head
            assert body == b"ok"
        for head in world.endpoints[0].heads:
            assert b"\r\nX-A: 1\r\n" in head
            assert b"X-B" not in head
            assert b"X-Forwarded-For" not in head
            assert head.count(b"X-Request-Id") == 1
        assert world.endpoints[0].connections == 1


async def test_a_delay_is_no_part_of_the_time_to_answer_whatever_is_read_meanwhile() -> None:
    fault, timeouts = filters(fault=FaultPolicy(FaultDelay(0.3))), TimeoutPolicy(response_head=0.1, idle=0.1)
    async with mesh(answering(OK), filters=fault, timeouts=timeouts) as world:
        wire = await world.dial()
        await wire.send(get("/", "Content-Length: 4", method="PUT") + b"1")
        await world.wait(lambda: bool(world.stats.in_flight))
        until = world.clients[0].deadline
        await wire.send(b"234")
        await world.wait(lambda: world.clients[0].phase == RESPONSE)
        assert world.clients[0].deadline == until
        assert (await wire.message())[0].startswith(b"HTTP/1.1 200")
        assert world.endpoints[0].bodies == [b"1234"]


@pytest.mark.parametrize("retries", [RetryPolicy(on=("timeout",)), RetryPolicy(attempts=0)], ids=["retried", "not"])
async def test_what_is_delayed_is_not_overdue(retries: RetryPolicy) -> None:
    fault = filters(fault=FaultPolicy(FaultDelay(0.1)))
    async with mesh(answering(OK), filters=fault, retries=retries) as world:
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: bool(world.stats.in_flight))
        world.clients[0].on_deadline(world.proxy.deadlines.now)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 200")
        await world.settled()
        assert world.stats.retries == {}
        assert len(world.endpoints[0].heads) == 1


async def test_the_answer_that_switches_protocols_is_edited_like_others() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nServer: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    edits = HeaderPolicy(response=HeaderEdits(add={"X-C": "2"}, remove=("Server",)))
    async with mesh(answering(switch), filters=filters(headers=edits)) as world:
        wire = await world.dial()
        await wire.send(get("/", "Connection: Upgrade", "Upgrade: websocket"))
        head = await wire.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"\r\nUpgrade: websocket\r\n" in head
        assert b"\r\nX-C: 2\r\n" in head
        assert b"Server" not in head
        wire.reset()


async def test_rewrites() -> None:
    async with mesh(answering(OK), filters=filters(rewrite=RewritePolicy("in.example", prefix="/v2"))) as world:
        assert (await world.ask(get("/a?b"))).endswith(b"ok")
        head = world.endpoints[0].heads[0]
        assert head.startswith(b"GET /v2/a?b HTTP/1.1\r\nHost: in.example\r\n")
        assert b"\r\nX-Forwarded-Host: a\r\n" in head


@pytest.mark.parametrize(
    ("said", "request_", "status", "part", "reasons"),
    [
        ({"access": AccessPolicy(deny=("127.0.0.0/8",))}, GET, 403, b"", {"http_request_denied": 1}),
        ({"redirect": RedirectPolicy(scheme="https")}, get("/x?y"), 302, b"\r\nLocation: https://a/x?y\r\n", {}),
        (
            {"cors": CORSPolicy(("https://p.example",))},
            get("/", "Origin: https://p.example", "Access-Control-Request-Method: PUT", method="OPTIONS"),
            204, b"\r\nAccess-Control-Allow-Origin: https://p.example\r\n", {},
        ),
        ({"fault": FaultPolicy(abort=FaultAbort(418))}, GET, 418, b"a policy injects", {"proxy_internal_response": 1}),
        ({"max_request_bytes": 3}, get(method="PUT", body=b"long"), 413, b"", {"http_request_error": 1}),
    ],
    ids=["access", "redirect", "preflight", "fault", "size"],
)  # fmt: skip
async def test_answers_in_the_endpoints_place(
    said: dict[str, Any], request_: bytes, status: int, part: bytes, reasons: dict[str, int]
) -> None:
    async with mesh(answering(OK), filters=filters(**said)) as world:
        answer = await world.ask(request_)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert part in answer
        assert not world.endpoints[0].heads
        assert world.stats.codes == {status: 1}
        assert world.stats.reasons == reasons


async def test_the_connection_goes_on_after_a_refusal() -> None:
    async with mesh(answering(OK), filters=filters(rate_limit=RateLimitPolicy(TokenBucketPolicy(2, 3600.0)))) as world:
        wire = await world.dial()
        statuses = []
        for _ in range(4):
            await wire.send(get(method="POST", body=b"abc"))
            head, _ = await wire.message()
            statuses.append(head[9:12])
        assert statuses == [b"200", b"200", b"429", b"429"]
        assert b"\r\nRetry-After: " in head
        assert b'\r\nRateLimit: "route";r=0;t=' in head


async def test_a_body_that_was_not_read_ends_the_connection() -> None:
    async with mesh(answering(OK), filters=filters(access=AccessPolicy(deny=("127.0.0.1",)))) as world:
        wire = await world.dial()
        await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 10)
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"\r\nConnection: close\r\n" in answer


async def test_a_chunked_body_is_measured_without_its_coding() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with mesh(answering(OK), filters=filters(max_request_bytes=6)) as world:
        wire = await world.dial()
        await wire.send(head + b"3\r\nabc\r\n")
        await wire.send(b"3\r\ndef\r\n0\r\n\r\n")
        assert await wire.exactly(len(OK)) == OK
        await wire.send(head + b"7\r\nabcdefg\r\n0\r\n\r\n" + GET)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 413 ")
        assert await wire.exactly(len(OK)) == OK
        await wire.send(head + b"3\r\nabc\r\n")
        await world.wait(lambda: world.stats.in_flight == 1)
        await wire.send(b"4\r\ndefg\r\n")
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer


async def test_errors_of_the_proxy_can_be_read_by_pages_too() -> None:
    async with mesh(refusing=1, filters=filters(cors=CORSPolicy(("*",)))) as world:
        answer = await world.ask(get("/", "Origin: https://p.example"))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in answer


async def test_behind_a_trusted_proxy_its_client_counts() -> None:
    denied = filters(access=AccessPolicy(deny=("192.0.2.0/24",)))
    async with mesh(answering(OK), trusted="127.0.0.0/8", filters=denied) as world:
        assert (await world.ask(get("/", "X-Forwarded-For: 198.51.100.1, 192.0.2.1"))).startswith(b"HTTP/1.1 403 ")
        assert await world.ask(get("/", "X-Forwarded-For: 192.0.2.1, 198.51.100.1")) == OK
    async with mesh(answering(OK), filters=denied) as world:
        assert await world.ask(get("/", "X-Forwarded-For: 192.0.2.1")) == OK


async def test_a_delay_and_a_client_that_does_not_wait_for_it() -> None:
    async with mesh(answering(OK), filters=filters(fault=FaultPolicy(FaultDelay(0.05)))) as world:
        began = time.monotonic()
        assert await world.ask(GET) == OK
        assert time.monotonic() - began >= 0.05
    async with mesh(answering(OK), filters=filters(fault=FaultPolicy(FaultDelay(60.0)))) as world:
        wire = await world.dial()
        await wire.send(GET)
        await world.wait(lambda: world.stats.in_flight == 1)
        wire.reset()
        await world.settled()
        assert world.stats.codes == {499: 1}
        assert not world.endpoints[0].heads


async def test_a_body_comes_while_the_request_is_delayed() -> None:
    body = b"x" * 200_000
    async with mesh(answering(OK), filters=filters(fault=FaultPolicy(FaultDelay(0.1)))) as world:
        assert await world.ask(get(method="PUT", body=body)) == OK
        assert world.endpoints[0].bodies == [body]


async def test_a_split_sends_a_share_elsewhere() -> None:
    around = Around()
    split = (SplitTarget("v1", weight=1), SplitTarget("v2", weight=1))
    for chance, served in ((0.4, 1), (0.6, 2)):
        async with mesh(*[answering(OK)] * 3, filters=filters(around, chance, split=split)) as world:
            backends = [around.fill("v1", world, 1), around.fill("v2", world, 2)]
            records: list[AccessRecord] = []
            world.proxy.access_log = records.append
            before = [backend.stats.codes.get(200, 0) for backend in backends]
            assert await world.ask(GET) == OK
            assert [len(endpoint.heads) for endpoint in world.endpoints] == [n == served for n in range(3)]
            after = [backend.stats.codes.get(200, 0) for backend in backends]
            assert [b - a for a, b in zip(before, after, strict=True)] == [served == 1, served == 2]
            assert records[0].service == f"v{served}"
            assert not world.stats.codes
            for backend in backends:
                backend.retire()


async def test_retries_beside_a_split_stay_with_the_service_that_was_chosen() -> None:
    """By the policy that splits, not by that of the Service."""
    around = Around()
    unwilling = answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    split = filters(around, split=(SplitTarget("v1"),))
    async with mesh(answering(OK), unwilling, unwilling, filters=split, retries=RetryPolicy(on=("503",))) as world:
        v1 = around.others["v1"]
        v1.apply(BackendPlan(v1.key, tuple(world.addresses[1:]), retries=RetryPolicy(attempts=0)))
        world.use(world.addresses[0])
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 503 No")
        assert [bool(endpoint.heads) for endpoint in world.endpoints] == [False, True, True]
        assert v1.stats.retries == {"tried": 2, "exhausted": 1}
        v1.retire()


async def test_a_mirror_is_sent_all_and_its_answer_is_not_waited_for() -> None:
    around, answered = Around(), asyncio.Event()

    async def slow(wire: Wire) -> None:
        while True:
            await wire.message()
            await answered.wait()
            await wire.send(b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\nlong")

    async with mesh(answering(OK), slow, filters=filters(around, mirror=MirrorPolicy("v1"))) as world:
        mirror = around.fill("v1", world, 1)
        assert await world.ask(get("/a", "X: y", method="PUT", body=b"abc")) == OK
        await world.wait(lambda: bool(world.endpoints[1].bodies))
        assert world.endpoints[1].heads == world.endpoints[0].heads
        assert world.endpoints[1].bodies == [b"abc"]
        assert len(world.proxy.copies) == mirror.stats.in_flight == 1
        answered.set()
        await world.wait(lambda: not world.proxy.copies)
        assert mirror.stats.codes == {500: 1}
        assert world.stats.codes == {200: 1}
        assert await world.ask(GET) == OK
        await world.wait(lambda: mirror.stats.codes == {500: 2})
        assert world.endpoints[1].connections == 1
        mirror.retire()


async def test_a_body_that_is_too_long_to_keep_is_not_mirrored() -> None:
    around, body = Around(), b"x" * 300_000
    async with mesh(answering(OK), answering(OK), filters=filters(around, mirror=MirrorPolicy("v1"))) as world:
        mirror = around.fill("v1", world, 1)
        assert await world.ask(get(method="PUT", body=body)) == OK
        assert not mirror.stats.codes
        assert not world.proxy.copies


async def test_the_whole_exchange_has_its_time() -> None:
    async def silent(wire: Wire) -> None:
        await wire.message()
        await wire.rest()

    async def endless(wire: Wire) -> None:
        await wire.message()
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun")
        await wire.rest()

    in_all = TimeoutPolicy(request=0.1)
    async with mesh(silent, filters=filters(timeouts=in_all)) as world:
        answer = await world.ask(GET)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert b"the request took longer than it may in all" in answer
    async with mesh(endless, filters=filters(timeouts=in_all)) as world:
        assert (await world.ask(GET)).endswith(b"begun")
        assert world.stats.reasons == {"http_response_timeout": 1}
    async with mesh(answering(OK), filters=filters(timeouts=in_all)) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK
            await asyncio.sleep(0.12)


async def test_requests_with_one_key_go_to_one_endpoint() -> None:
    by = BalancerPolicy("Maglev", hash=HashKey(header="X-User"))
    async with mesh(*[answering(OK)] * 3, balancer=by) as world:
        wire = await world.dial()
        for _ in range(6):
            await wire.send(get("/", "X-User: anna"))
            await wire.message()
        assert sorted(len(endpoint.heads) for endpoint in world.endpoints) == [0, 0, 6]
        for user in range(40):
            await wire.send(get("/", f"X-User: {user}"))
            await wire.message()
        assert all(endpoint.heads for endpoint in world.endpoints)


async def test_a_key_needs_an_endpoint_too() -> None:
    by = BalancerPolicy("RingHash", hash=HashKey(source_address=True))
    async with mesh(balancer=by) as world:
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 503 ")
    async with mesh(answering(OK), refusing=2, balancer=by) as world:
        assert [await world.ask(GET) for _ in range(3)] == [OK] * 3


class Held:
    """An endpoint that answers when it may."""

    def __init__(self) -> None:
        self.busy = 0
        self.most = 0
        self._may = asyncio.Semaphore(0)

    async def __call__(self, wire: Wire) -> None:
        while True:
            await wire.message()
            self.busy += 1
            self.most = max(self.most, self.busy)
            await self._may.acquire()
            self.busy -= 1
            await wire.send(OK)

    def let(self, count: int) -> None:
        for _ in range(count):
            self._may.release()


LIMITS = {
    "endpoint": LimitPolicy(endpoint=EndpointLimits(requests=2)),
    "backend": LimitPolicy(backend=BackendLimits(requests=2)),
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
async def test_what_is_over_a_limit_waits_for_its_turn(limits: LimitPolicy) -> None:
    held = Held()
    async with mesh(held, limits=limits) as world:
        wires = [await world.dial() for _ in range(6)]
        for number, wire in enumerate(wires):
            await wire.send(GET if number % 2 else get(method="PUT", body=b"abc"))
        await world.wait(lambda: held.busy == 2 and world.stats.in_flight == 6)
        held.let(6)
        for wire in wires:
            assert await wire.exactly(len(OK)) == OK
        assert held.most == 2
        assert world.stats.codes == {200: 6}


async def test_who_waits_too_long_or_finds_no_place_is_told() -> None:
    held = Held()
    limits = LimitPolicy(endpoint=EndpointLimits(requests=1), queue=QueuePolicy(1, 0.1))
    async with mesh(held, limits=limits) as world:
        first, second = await world.dial(), await world.dial()
        await first.send(GET)
        await world.wait(lambda: held.busy == 1)
        await second.send(GET)
        await world.wait(lambda: world.stats.in_flight == 2)
        answer = await world.ask(GET)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"error=connection_limit_reached" in answer
        assert (await second.message())[0].startswith(b"HTTP/1.1 503 ")
        held.let(1)
        assert await first.exactly(len(OK)) == OK
        await second.send(GET)
        held.let(1)
        assert await second.exactly(len(OK)) == OK


async def test_who_leaves_the_queue_leaves_no_trace() -> None:
    held = Held()
    async with mesh(held, limits=LIMITS["backend"]) as world:
        wires = [await world.dial() for _ in range(4)]
        for number, wire in enumerate(wires, 1):
            await wire.send(GET)
            await world.wait(lambda n=number: world.stats.in_flight == n)  # type: ignore[misc]
        wires[2].reset()
        await world.wait(lambda: world.stats.in_flight == 3)
        held.let(3)
        for wire in (wires[0], wires[1], wires[3]):
            assert await wire.exactly(len(OK)) == OK
        assert held.most == 2
        assert world.stats.codes == {200: 3, 499: 1}


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_endpoints_are_told_who_the_client_is_on_connections_of_its_own(version: Version) -> None:
    said: list[Conveyed] = []

    async def script(wire: Wire) -> None:
        data = b""
        while (found := read_header(data)) is None:
            data += await wire.exactly(1)
        said.append(found)
        while True:
            await wire.message()
            await wire.send(OK)

    async with mesh(script, send_proxy=version) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            assert await wire.exactly(len(OK)) == OK
        client = wire.writer.get_extra_info("sockname")
        assert [each.source for each in said] == [client] * 2
        assert said[0].destination == (world.key.address, world.key.port)


async def test_each_exchange_of_a_connection_has_its_own_time() -> None:
    async def third_is_late(wire: Wire) -> None:
        for _ in range(2):
            await wire.message()
            await wire.send(OK)
        await wire.message()
        await wire.rest()

    in_all = TimeoutPolicy(request=0.3)
    async with mesh(third_is_late, filters=filters(timeouts=in_all)) as world:
        wire = await world.dial()
        for _ in range(2):
            await wire.send(GET)
            await wire.message()
            await asyncio.sleep(0.2)
        began = time.monotonic()
        await wire.send(GET)
        assert (await wire.message())[0].startswith(b"HTTP/1.1 504")
        assert 0.29 <= time.monotonic() - began < 3.0
    assert world.stats.codes == {200: 2, 504: 1}


async def test_what_filters_refuse_may_have_a_body() -> None:
    async with mesh(answering(OK), filters=filters(max_request_bytes=4)) as world:
        wire = await world.dial()
        await wire.send(get("/", method="POST", body=b"12345") + get("/", method="POST", body=b"1234"))
        assert (await wire.message())[0].startswith(b"HTTP/1.1 413")
        assert await wire.message() == (OK[:-2], b"ok")
        assert world.endpoints[0].bodies == [b"1234"]
