"""Resilience: retries and their budget, limits, time-outs, rate limits, faults; the defaults, and what follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest

from config.balancing import BackendLimits, EndpointLimits, LimitPolicy, QueuePolicy
from config.filters import FaultAbort, FaultDelay, FaultPolicy, RateLimitPolicy, TokenBucketPolicy
from config.policies import RetryPolicy, TimeoutPolicy
from config.settings import NodeConfigSpec
from mesh.plan import BackendKey, BackendPlan
from mesh.retry import RetryBudget
from tests.conformance.filtering import filters
from tests.mesh.dialogue import GET, OK, Mesh, Wire, answering, get, mesh

NOT_HERE = (
    (
        "Envoy's 1024 connections, pending and requests per cluster",
        "unlimited unless `limits` says so; listeners are bounded",
    ),
    ("breakers by an expression", "ejection, limits and the retry budget do what they are for"),
    ("Envoy's route time-out of 15 s, ECS' of 15 s", "none in all unless asked for: long downloads are cut by neither"),
    ("largest age of a connection", "HTTP is balanced by request, so an old connection pins nobody"),
    ("a global rate limit", "one node"),
    ("overload manager", "bounds on connections, heads, buffers and queues are always on"),
)


async def closing(wire: Wire) -> None:
    await wire.message()


async def silent(wire: Wire) -> None:
    await wire.message()
    await wire.rest()


def failing(status: int) -> bytes:
    return b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % status


def test_defaults() -> None:
    plan = BackendPlan(BackendKey("", "", ""), ())
    retries, timeouts = plan.retries, plan.timeouts
    assert (retries.attempts, set(retries.on)) == (2, {"connect-failure", "refused", "reset"})
    assert (retries.budget_percent, retries.budget_least) == (20, 3)
    assert (timeouts.connect, timeouts.client_head, timeouts.response_head, timeouts.idle) == (1, 10, 60, 60)
    assert (timeouts.tunnel_idle, timeouts.request) == (3600, 0)
    assert plan.limits is None
    assert (LimitPolicy().queue.length, LimitPolicy().queue.deadline) == (1000, 5)
    assert NodeConfigSpec().connections.per_listener == 10_000


# -- retries

RETRIED = {
    "GET, the endpoint closed before it answered": (get(), closing, True),
    "PUT is idempotent": (get(method="PUT", body=b"abc"), closing, True),
    "POST is not, once a byte of it was sent": (get(method="POST", body=b"abc"), closing, False),
    "an answer 503, unless a policy says so": (get(), answering(failing(503)), False),
}


@pytest.mark.parametrize("case", RETRIED)
async def test_what_is_tried_again_by_default(case: str) -> None:
    request, script, again = RETRIED[case]
    async with mesh(script, answering(OK)) as world:
        said = await world.ask(request)
        assert said.startswith(b"HTTP/1.1 200 ") == again
        assert len(world.endpoints[1].heads) == again, "at another endpoint"


async def test_a_refused_connect_is_tried_elsewhere_whatever_the_method() -> None:
    async with mesh(answering(OK), refusing=1) as world:
        assert (await world.ask(get(method="POST", body=b"abc"))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_codes_that_a_policy_may_have_retried(status: int) -> None:
    policy = RetryPolicy(on=(str(status),))  # type: ignore[arg-type]
    async with mesh(answering(failing(status)), answering(OK), retries=policy) as world:
        assert (await world.ask(get())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("attempts", [0, 1, 3])
async def test_attempts_count_retries_and_not_tries(attempts: int) -> None:
    async with mesh(*[closing] * 5, retries=RetryPolicy(attempts=attempts)) as world:
        assert (await world.ask(get())).startswith(b"HTTP/1.1 502 ")
        assert sum(len(endpoint.heads) for endpoint in world.endpoints) == attempts + 1


@pytest.mark.parametrize(("in_flight", "retries"), [(0, 3), (10, 3), (20, 4), (100, 20)])
def test_retries_in_flight_are_a_fifth_and_at_least_three(in_flight: int, retries: int) -> None:
    budget, policy = RetryBudget(), RetryPolicy()
    while budget.has_room(in_flight, policy.budget_percent, policy.budget_least):
        budget.running += 1
    assert budget.running == retries


async def test_the_request_time_out_covers_all_tries() -> None:
    async def slowly(wire: Wire) -> None:
        while True:
            await wire.message()
            await asyncio.sleep(0.1)
            await wire.send(failing(503))

    policy, times = RetryPolicy(attempts=10, on=("503",)), TimeoutPolicy(request=0.35)
    async with mesh(slowly, slowly, retries=policy, filters=filters(timeouts=times)) as world:
        assert b" 504 " in await world.ask(GET)
        assert 1 < sum(len(endpoint.heads) for endpoint in world.endpoints) < 6


async def test_0_switches_a_time_out_off() -> None:
    async def slow(wire: Wire) -> None:
        await wire.message()
        await asyncio.sleep(0.2)
        await wire.send(OK)

    async with mesh(slow, timeouts=TimeoutPolicy(response_head=0, idle=0, client_head=0)) as world:
        assert (await world.ask(get())).startswith(b"HTTP/1.1 200 ")


# -- limits


class Counting:
    """Answers each request after a moment; `most` is how many it had at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __call__(self, wire: Wire) -> None:
        while True:
            await wire.message()
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.02)
            self.now -= 1
            await wire.send(OK)


async def statuses(world: Mesh, count: int) -> list[int]:
    said = await asyncio.gather(*(world.ask(get()) for _ in range(count)))
    return sorted(int(each.split()[1]) for each in said)


@pytest.mark.parametrize(
    "limits",
    [
        LimitPolicy(endpoint=EndpointLimits(connections=2)),
        LimitPolicy(endpoint=EndpointLimits(requests=2)),
        LimitPolicy(backend=BackendLimits(requests=2)),
    ],
    ids=["connections of an endpoint", "requests of an endpoint", "requests of a Backend"],
)
async def test_what_is_over_a_limit_queues(limits: LimitPolicy) -> None:
    script = Counting()
    async with mesh(script, limits=limits) as world:
        assert await statuses(world, 8) == [200] * 8
        assert script.most == 2


async def test_the_queue_is_bounded_in_length() -> None:
    limits = LimitPolicy(backend=BackendLimits(requests=1), queue=QueuePolicy(length=1))
    async with mesh(Counting(), limits=limits) as world:
        assert await statuses(world, 4) == [200, 200, 503, 503]


async def test_the_queue_is_bounded_in_time() -> None:
    limits = LimitPolicy(backend=BackendLimits(requests=1), queue=QueuePolicy(deadline=0.1))
    async with mesh(silent, limits=limits) as world, held(world):
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 503 ")


@asynccontextmanager
async def held(world: Mesh) -> AsyncIterator[None]:
    """Another client's request is in flight, and is not answered."""
    wire = await world.dial()
    await wire.send(GET)
    await world.wait(lambda: bool(world.endpoints[0].heads))
    yield
    wire.reset()


# -- rate limits and faults


async def test_what_is_over_a_rate_limit_is_429_and_says_when_to_come_again() -> None:
    policy = RateLimitPolicy(client=TokenBucketPolicy(requests=1, per=100.0))
    async with mesh(answering(OK), filters=filters(rate_limit=policy)) as world:
        assert (await world.ask(GET)).startswith(b"HTTP/1.1 200 ")
        said = await world.ask(GET)
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nRetry-After: 100\r\n" in said
        assert b"\r\nRateLimit: " in said


FAULTS: dict[str, tuple[FaultPolicy, float, int, float]] = {
    "an answer in the endpoint's place": (FaultPolicy(abort=FaultAbort(status=418)), 0.5, 418, 0),
    "a share that chance does not pick": (FaultPolicy(abort=FaultAbort(status=418, percent=10)), 0.5, 200, 0),
    "a share that chance picks": (FaultPolicy(abort=FaultAbort(status=418, percent=60)), 0.5, 418, 0),
    "a delay": (FaultPolicy(delay=FaultDelay(duration=0.1)), 0.5, 200, 0.09),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_faults_on_purpose(case: str) -> None:
    policy, chance, status, least = FAULTS[case]
    async with mesh(answering(OK), filters=filters(chance=lambda: chance, fault=policy)) as world:
        began = time.monotonic()
        assert int((await world.ask(GET)).split()[1]) == status
        assert time.monotonic() - began >= least


REASONS: dict[str, tuple[dict[str, Any], tuple[Any, ...], bytes]] = {
    "no endpoint": ({}, (), b"503 destination_unavailable"),
    "the endpoint refuses": ({"refusing": 1}, (), b"502 connection_refused"),
    "the endpoint closes": ({}, (closing,), b"502 connection_terminated"),
    "the endpoint is slow": ({"timeouts": TimeoutPolicy(response_head=0.1)}, (silent,), b"504 http_response_timeout"),
    "too much is in flight": (
        {"limits": LimitPolicy(backend=BackendLimits(requests=1), queue=QueuePolicy(length=0))}, (silent,),
        b"503 connection_limit_reached",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS)
async def test_the_client_is_told_why(case: str) -> None:
    """As Envoy's flags UH, UF, UC, UT and UO."""
    made, scripts, expected = REASONS[case]
    status, error = expected.split()
    async with mesh(*scripts, **made) as world, held(world) if "limits" in made else nullcontext():
        said = await world.ask(GET)
        assert said.startswith(b"HTTP/1.1 %b " % status)
        assert b"\r\nProxy-Status: weft; error=%b;" % error in said
