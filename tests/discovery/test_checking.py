"""Active checks: rise and fall by table, and which checks are under way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from config.balancing import HealthCheckPolicy
from discovery.checking import Check, Checker, CheckHealth
from discovery.health import Finding, Kind, Outcome, Verdict
from discovery.prober import Prober
from discovery.probes.target import ProbeTarget
from tests.discovery.probes.servers import answering, refused_port, serving

FINDINGS = {
    "+": Finding(Outcome.SUCCESS),
    "-": Finding(Outcome.FAILURE, "connection refused"),
    "?": Finding(Outcome.UNKNOWN, "too many open files"),
}


@pytest.mark.parametrize(
    ("rise", "fall", "findings", "verdicts"),
    [
        pytest.param(2, 3, "+", "u", id="the first success is enough"),
        pytest.param(2, 3, "--+", "..u", id="also after failures that were no conclusion"),
        pytest.param(2, 3, "---+-++", "..dddd" + "u", id="once down it takes all of rise"),
        pytest.param(2, 3, "+--+---", "uuuuuud", id="fall in a row"),
        pytest.param(1, 1, "+-+-", "udud", id="one is enough"),
        pytest.param(2, 2, "?-?-?", "...dd", id="what could not be run counts as nothing"),
    ],
)
def test_rise_and_fall(rise: int, fall: int, findings: str, verdicts: str) -> None:
    health = CheckHealth(HealthCheckPolicy(rise=rise, fall=fall), 0.0)
    seen = []
    for finding in findings:
        health.observe(Kind.READINESS, FINDINGS[finding], 0.0)
        verdict = health.verdict()
        seen.append("u" if verdict.ready else "." if verdict.reason == "not checked yet" else "d")
    assert "".join(seen) == verdicts


def test_a_verdict_says_why_and_never_asks_for_a_restart() -> None:
    health = CheckHealth(HealthCheckPolicy(fall=1), 0.0)
    health.observe(Kind.READINESS, FINDINGS["-"], 0.0)
    assert health.verdict() == Verdict(ready=False, alive=True, reason="connection refused")


def test_pace() -> None:
    health = CheckHealth(HealthCheckPolicy(interval=10, fall=2), 5.0)
    assert health.due(Kind.READINESS) == 5.0
    assert health.due(Kind.READINESS, 6.0) == 7.0
    for _ in range(2):
        health.observe(Kind.READINESS, FINDINGS["-"], 0.0)
    assert health.due(Kind.READINESS, 6.0) == 16.0
    assert CheckHealth(HealthCheckPolicy(interval=0.2), 0.0).due(Kind.READINESS, 6.0) == 6.2


class Probing:
    """Takes note of what is started and stopped."""

    def __init__(self) -> None:
        self.running: dict[tuple[str, str], tuple[ProbeTarget, Callable[[Verdict], None]]] = {}
        self.started = 0

    def start(self, target: ProbeTarget, report: Callable[[Verdict], None]) -> None:
        self.running[target.replica_id, target.container] = (target, report)
        self.started += 1

    def stop(self, replica_id: str, container: str) -> None:
        del self.running[replica_id, container]


def test_what_is_wanted_is_under_way_and_goes_on() -> None:
    prober, told = Probing(), []
    checker = Checker(prober, lambda check, healthy: told.append((check, healthy)))
    one, other = (Check("10.0.0.1", port, HealthCheckPolicy()) for port in (80, 81))
    checker.watch({one, other})
    checker.watch({other, one})
    assert prober.started == 2
    checker.watch({other, Check("10.0.0.1", 81, HealthCheckPolicy(rise=5))})
    assert prober.started == 3
    assert sorted(target.accept_ports for target, _ in prober.running.values()) == [(81,), (81,)]
    for _, report in prober.running.values():
        report(Verdict(ready=True, alive=True, reason=""))
    assert (other, True) in told
    checker.watch(())
    assert not prober.running


@pytest.mark.both_loops
async def test_a_server_that_comes_and_goes() -> None:
    prober = Prober(random.Random(7), asyncio.get_running_loop().time)
    told: asyncio.Queue[tuple[Check, bool]] = asyncio.Queue()
    checker = Checker(prober, lambda *news: told.put_nowait(news))
    policy = HealthCheckPolicy(type="http", expected_status=(204,), interval=0.05, timeout=0.5, rise=2, fall=2)
    try:
        async with asyncio.timeout(10), serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n")) as port:
            there = Check("127.0.0.1", port, policy)
            gone = Check("127.0.0.1", refused_port(), replace(policy, type="tcp"))
            checker.watch({there, gone})
            assert {await told.get(), await told.get()} == {(there, True), (gone, False)}
        async with asyncio.timeout(10):
            assert await told.get() == (there, False)
    finally:
        await prober.close()
