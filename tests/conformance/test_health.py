"""Health: active checks, ejection, panic, failover; what may be concluded, and what never happens."""

from __future__ import annotations

from typing import Any

import pytest

from config.balancing import EjectionPolicy, HealthCheckPolicy, SlowStartPolicy, SuccessRatePolicy
from discovery.checking import CheckHealth
from discovery.endpoint import Endpoint, WorkloadRef
from discovery.health import Finding, Kind, Outcome
from discovery.probes.check import expected
from mesh.backend import Backend, EndpointState
from mesh.eligibility import Rules
from mesh.health_checks import HealthChecks
from tests.mesh.making import KEY, Clock, endpoint, endpoints, plan, tell

NOT_HERE = (
    ("HAProxy's fastinter and downinter", "until the first conclusion a check is repeated every second"),
    ("Envoy's 60 s between checks without traffic", "checks are cheap, and bounded in number"),
    ("Envoy: an unexpected status is unhealthy at once", "`fall` failures in a row, as HAProxy and Kubernetes"),
    ("Linkerd's probe request after a penalty", "an endpoint that comes back is balanced as all are"),
    ("failure-percentage ejection", "off in Envoy too; the success rate is judged"),
    ("Envoy: who was ejected returns at the next sweep, every 10 s", "at the next tick of 0.1 s: pauses begin at 1 s"),
    ("Traefik's breaker expressions", "ejection is per endpoint; what is beyond limits is answered 503"),
)


class World:
    """A Backend on a clock, whose endpoints are called by number."""

    def __init__(self, *there: Endpoint, **more: Any) -> None:
        self.clock = Clock()
        self.backend = Backend(KEY, self.clock)
        self.backend.apply(plan(*there, **more))

    def __getitem__(self, number: int) -> EndpointState:
        return list(self.backend.endpoints.values())[number]

    @property
    def eligible(self) -> set[int]:
        return {int(state.host.rpartition(".")[2]) for state in self.backend.eligible}

    def answers(self, number: int, status: int, times: int = 1) -> None:
        """`status` 0: the connection broke before there was one."""
        for _ in range(times):
            tell(self.backend, self[number], status)

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.backend.on_deadline(self.clock.now)


def checked(findings: str, **policy: Any) -> list[bool]:
    """Whether an endpoint is well after each check; ``+`` is a success."""
    health = CheckHealth(HealthCheckPolicy(**policy), 0.0)
    found = []
    for each in findings:
        health.observe(Kind.READINESS, Finding(Outcome.SUCCESS if each == "+" else Outcome.FAILURE), 0.0)
        found.append(health.verdict().ready)
    return found


def test_defaults_of_checks() -> None:
    made = HealthCheckPolicy()
    assert (made.fall, made.rise, made.interval, made.timeout) == (3, 2, 10, 1)
    assert expected(made.expected_status) == frozenset(range(200, 400))


CHECKS = {
    "the first success is enough": ("+", [True]),
    "fall 3: two failures are nothing, three are": ("+---", [True, True, True, False]),
    "rise 2: then one success is not enough": ("+---++", [True, True, True, False, False, True]),
    "a success ends a streak of failures": ("+--+--", [True] * 6),
}


@pytest.mark.parametrize("case", CHECKS)
def test_checks(case: str) -> None:
    findings, well = CHECKS[case]
    assert checked(findings) == well


def test_endpoints_of_any_source_are_checked_unless_an_agent_vouches_for_them() -> None:
    """Also those that DNS named, which come and go."""
    probed = endpoint(1, workload=WorkloadRef("Deployment", "default", "shop"))
    world = World(endpoint(0), probed, health_check=HealthCheckPolicy())
    assert {check[0] for check in HealthChecks().wanted([world.backend])} == {"10.0.0.0"}


def check_fails(world: World) -> None:
    world.backend.checked(("10.0.0.0", 8080), healthy=False)


def test_a_check_that_succeeds_ends_an_ejection() -> None:
    world = World(*endpoints(2), health_check=HealthCheckPolicy(), ejection=EjectionPolicy(first=1000, longest=1000))
    for address in ("10.0.0.0", "10.0.0.1"):
        world.backend.checked((address, 8080), healthy=True)
    world.backend.connect_failed(world[0])
    check_fails(world)
    assert world.eligible == {1}
    world.backend.checked(("10.0.0.0", 8080), healthy=True)
    assert world.eligible == {0, 1}


def test_readiness_is_never_overridden() -> None:
    """Neither by a check that succeeds, nor by panic."""
    world = World(endpoint(0, ready=False), endpoint(1), health_check=HealthCheckPolicy())
    world.backend.checked(("10.0.0.0", 8080), healthy=True)
    world.backend.checked(("10.0.0.1", 8080), healthy=False)
    assert world.eligible == {1}


def test_slow_start_begins_anew_once_a_check_succeeds_again() -> None:
    world = World(*endpoints(2), health_check=HealthCheckPolicy(), slow_start=SlowStartPolicy(window=10))
    for number in range(2):
        world.backend.checked((f"10.0.0.{number}", 8080), healthy=True)
    world.later(100)
    assert world[0].weight == world[1].weight
    check_fails(world)
    world.later(100)
    world.backend.checked(("10.0.0.0", 8080), healthy=True)
    assert world[0].weight * 10 == world[1].weight


def test_defaults_of_ejection() -> None:
    made = EjectionPolicy()
    assert (made.connect_failures, made.server_errors, made.success_rate) == (1, 0, None)
    assert (made.first, made.longest, made.most_percent) == (1, 30, 50)
    rate = SuccessRatePolicy()
    assert (rate.least_endpoints, rate.least_requests, rate.deviations, rate.interval) == (5, 100, 1.9, 10)


FIVE = EjectionPolicy(server_errors=5, connect_failures=0)


ANSWERS = {"e": 500, "u": 503, "x": 0, "4": 404, "g": 200}
STREAKS = {
    "five server errors in a row": ("eeuue", {1, 2}),
    "four are not": ("eeee", {0, 1, 2}),
    "connections that broke before an answer count too": ("xxeex", {1, 2}),
    "a 4xx is the client's fault": ("444444", {0, 1, 2}),
    "a good answer ends the streak": ("eeeegeeee", {0, 1, 2}),
    "a connect that succeeds does not": ("eeeece", {1, 2}),
}


@pytest.mark.parametrize("case", STREAKS)
def test_streaks(case: str) -> None:
    happens, left = STREAKS[case]
    world = World(*endpoints(3), ejection=FIVE)
    for each in happens:
        if each == "c":
            world.backend.connect_succeeded(world[0])
        else:
            world.answers(0, ANSWERS[each])
    assert world.eligible == left


def test_a_connect_that_succeeds_after_failed_ones_leaves_the_streak_of_errors_alone() -> None:
    world = World(*endpoints(3), ejection=EjectionPolicy(server_errors=5))
    world.backend.connect_failed(world[0])
    world.answers(0, 500, 4)
    world.later(2)
    world.backend.connect_succeeded(world[0])
    assert world.eligible == {0, 1, 2}
    world.answers(0, 500)
    assert world.eligible == {1, 2}


def test_5xx_eject_only_if_asked_to() -> None:
    world = World(*endpoints(3))
    world.answers(0, 500, 100)
    assert world.eligible == {0, 1, 2}


@pytest.mark.parametrize(("there", "percent", "out"), [(10, 1, 1), (10, 50, 5), (3, 50, 1), (2, 50, 1), (1, 100, 0)])
def test_at_least_one_may_be_out_and_never_the_last(there: int, percent: int, out: int) -> None:
    world = World(*endpoints(there), ejection=EjectionPolicy(most_percent=percent))
    for number in range(there):
        world.backend.connect_failed(world[number])
    assert len(world.eligible) == there - out


def test_the_ejected_come_back_on_time_and_are_out_longer_each_time() -> None:
    world = World(*endpoints(3))
    for seconds in (1, 2, 4, 8, 16, 30, 30):
        world.backend.connect_failed(world[0])
        world.later(seconds - 0.5)
        assert world.eligible == {1, 2}
        world.later(0.5)
        assert world.eligible == {0, 1, 2}


def judged(there: int, requests: int, failing: int) -> set[int]:
    """Who is left after an interval in which the first endpoint failed so many times of so many."""
    world = World(*endpoints(there), ejection=EjectionPolicy(success_rate=SuccessRatePolicy()))
    for number in range(there):
        bad = failing if number == 0 else 0
        world.answers(number, 200, requests - bad)
        world.answers(number, 500, bad)
    world.later(10)
    return world.eligible


SUCCESS_RATES = {
    "far below the mean": ((6, 100, 90), {1, 2, 3, 4, 5}),
    "as good as all": ((6, 100, 0), {0, 1, 2, 3, 4, 5}),
    "too few endpoints": ((4, 100, 90), {0, 1, 2, 3}),
    "too few requests": ((6, 99, 90), {0, 1, 2, 3, 4, 5}),
}


@pytest.mark.parametrize("case", SUCCESS_RATES)
def test_success_rate(case: str) -> None:
    given, left = SUCCESS_RATES[case]
    assert judged(*given) == left


@pytest.mark.parametrize(("unwell", "left"), [(2, {2, 3}), (3, {0, 1, 2, 3}), (4, {0, 1, 2, 3})])
def test_panic_below_half_disregards_what_was_concluded(unwell: int, left: set[int]) -> None:
    world = World(*endpoints(4), health_check=HealthCheckPolicy())
    for number in range(4):
        world.backend.checked((f"10.0.0.{number}", 8080), healthy=number >= unwell)
    assert world.eligible == left


def test_without_panic_nobody_is_left_where_all_checks_fail() -> None:
    world = World(*endpoints(2), health_check=HealthCheckPolicy(), rules=Rules(panic_below=0))
    assert world.eligible == set()


@pytest.mark.parametrize(("unwell", "left"), [(0, {0, 1}), (1, {0, 1}), (2, {2})])
def test_the_next_tier_is_for_when_too_few_of_one_are_left(unwell: int, left: set[int]) -> None:
    world = World(endpoint(0), endpoint(1), endpoint(2, tier=1), health_check=HealthCheckPolicy())
    for number in range(3):
        world.backend.checked((f"10.0.0.{number}", 8080), healthy=number >= unwell)
    assert world.eligible == (left if unwell != 1 else {1})
