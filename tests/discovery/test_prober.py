"""The prober with real probes against real little servers: what is reported, when, and that it is bounded."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from config.resources.workloads import ExecAction, HTTPGetAction, Probe, TCPSocketAction
from discovery.health import Kind, Outcome
from discovery.prober import Prober, ProbeTarget, Verdict
from tests.discovery.probes.servers import refused_port, serving, silent

pytestmark = pytest.mark.both_loops

READY = Verdict(ready=True, alive=True, reason="")
SHORT: Any = 0.05
"""A period and timeout that manifests cannot have, so that tests need not wait."""


class Reports(list[Verdict]):
    """What was reported; `until` waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, verdict: Verdict) -> None:
        self.append(verdict)
        self._news.set()

    async def until(self, wanted: Callable[[Verdict], bool]) -> Verdict:
        async with asyncio.timeout(10):
            while not self or not wanted(self[-1]):
                self._news.clear()
                await self._news.wait()
        return self[-1]


@asynccontextmanager
async def probing(**limits: Any) -> AsyncIterator[Prober]:
    prober = Prober(random.Random(7), asyncio.get_running_loop().time, **limits)
    try:
        yield prober
    finally:
        await prober.close()
        assert len(prober) == 0


class App:
    """An HTTP server whose status can be changed; counts what it is asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


def http(port: int, period: Any = SHORT, failure: int = 1, **more: Any) -> Probe:
    return Probe(http_get=HTTPGetAction(port=port), period_seconds=period, failure_threshold=failure, **more)


def ticked(count: int = 5) -> Probe:
    return Probe(exec=ExecAction(command=("true",)), period_seconds=SHORT, failure_threshold=count)


def target(name: str = "a-1", **more: Any) -> ProbeTarget:
    return ProbeTarget(name, "web", "127.0.0.1", **more)


async def test_readiness_follows_what_the_probe_says() -> None:
    app, reports = App(503), Reports()
    async with probing() as prober, serving(app) as port:
        prober.start(target(readiness=http(port)), reports)
        assert reports == [], "never before start has returned"
        assert await reports.until(bool) == Verdict(False, True, "readiness probe: HTTP 503")
        app.status = 200
        assert await reports.until(lambda v: v.ready) == READY
        app.status = 500
        assert await reports.until(lambda v: not v.ready) == Verdict(False, True, "readiness probe: HTTP 500")
    assert len(reports) == 3, "only changes are reported"


async def test_a_container_without_probes_is_ready_at_once() -> None:
    reports = Reports()
    async with probing() as prober:
        prober.start(target(), reports)
        await reports.until(lambda v: v.ready)
    assert reports == [READY]


async def test_without_readiness_probe_ports_that_accept_are_enough_and_are_asked_no_more() -> None:
    reports = Reports()
    port = refused_port()
    async with probing() as prober:
        prober.start(target(accept_ports=(port,)), reports)
        refused = await reports.until(bool)
        assert refused == Verdict(False, True, f"ports: port {port}: connection refused")
        async with serving(silent, port=port):
            await reports.until(lambda v: v.ready)
        runs = dict(prober.stats.runs)
        await asyncio.sleep(0.3)
        assert prober.stats.runs == runs


async def test_liveness_that_fails_for_good_ends_the_probing() -> None:
    reports = Reports()
    async with probing() as prober, serving(App()) as port:
        live = Probe(tcp_socket=TCPSocketAction(port=refused_port()), period_seconds=SHORT, failure_threshold=2)
        prober.start(target(readiness=http(port), liveness=live), reports)
        verdict = await reports.until(lambda v: not v.alive)
        assert verdict.reason == "liveness probe failed 2 times in a row: connection refused"
        runs = dict(prober.stats.runs)
        await asyncio.sleep(0.2)
        assert prober.stats.runs == runs
        assert len(prober) == 1, "until it is stopped, or started anew"


async def test_startup_comes_first() -> None:
    started, app, reports = App(503), App(), Reports()
    async with probing() as prober, serving(started) as first, serving(app) as port:
        prober.start(target(readiness=http(port), startup=http(first, period=5, failure=9)), reports)
        assert (await reports.until(bool)).reason == "startup probe: HTTP 503"
        assert app.asked == 0
        started.status = 200
        await reports.until(lambda v: v.ready)
        asked = started.asked
        await asyncio.sleep(0.2)
        assert started.asked == asked


async def test_until_it_succeeds_readiness_is_asked_long_before_its_period() -> None:
    app, reports = App(503), Reports()
    async with probing() as prober, serving(app) as port:
        prober.start(target(readiness=http(port, period=60)), reports)
        async with asyncio.timeout(5):
            while app.asked < 3:
                await asyncio.sleep(0.02)
        app.status = 200
        await reports.until(lambda v: v.ready)
        asked = app.asked
        await asyncio.sleep(0.5)
        assert app.asked == asked


async def test_after_stop_nothing_is_reported() -> None:
    reports = Reports()
    async with probing() as prober, serving(silent) as port:
        prober.start(target(readiness=http(port)), reports)
        await asyncio.sleep(0.05)
        prober.stop("a-1", "web")
        prober.stop("a-1", "web")
        prober.stop("never", "there")
        await asyncio.sleep(0.2)
        assert (reports, len(prober)) == ([], 0)


async def test_stop_within_a_report() -> None:
    reports: list[Verdict] = []
    reported = asyncio.Event()
    async with probing() as prober, serving(App(503)) as port:

        def report(verdict: Verdict) -> None:
            reports.append(verdict)
            prober.stop("a-1", "web")
            reported.set()

        prober.start(target(readiness=http(port)), report)
        await asyncio.wait_for(reported.wait(), 5)
        await asyncio.sleep(0.3)
    assert len(reports) == 1


async def test_an_answer_that_comes_in_the_same_turn_as_stop_is_not_reported() -> None:
    loop, reports, answered = asyncio.get_running_loop(), Reports(), asyncio.Event()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with probing() as prober:

        async def execute(argv: tuple[str, ...], timeout: float) -> int:
            loop.call_soon(prober.stop, "a-1", "web")
            answered.set()
            return 0

        prober.start(target(readiness=ticked(), execute=execute), reports)
        async with asyncio.timeout(5):
            await answered.wait()
        await asyncio.sleep(0.05)
        assert (reports, told) == ([], [])
        assert sum(prober.stats.runs.values()) == 0


async def test_starting_again_begins_anew() -> None:
    before, after = Reports(), Reports()
    async with probing() as prober, serving(App()) as port:
        prober.start(target(readiness=http(port)), before)
        await before.until(lambda v: v.ready)
        prober.start(target(readiness=http(refused_port())), after)
        assert (await after.until(bool)).reason == "readiness probe: connection refused"
        assert len(prober) == 1
    assert before == [READY]


async def test_closing_cancels_what_runs_and_is_final() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return 0

    async with probing() as prober:
        prober.start(target(liveness=ticked(), execute=execute), Reports())
        await asyncio.wait_for(began.wait(), 5)
        await prober.close()
        assert cancelled.is_set()
        with pytest.raises(RuntimeError):
            prober.start(target(), Reports())


@pytest.mark.parametrize(("limits", "most"), [({"parallel_exec": 2}, 2), ({"parallel_exec": 5}, 5)])
async def test_no_more_commands_at_once_than_allowed(limits: dict[str, int], most: int) -> None:
    running = highest = ended = 0

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        nonlocal running, highest, ended
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0.02)
        running -= 1
        ended += 1
        return 0

    async with probing(**limits) as prober:
        for number in range(10):
            prober.start(target(f"a-{number}", liveness=ticked(), execute=execute), Reports())
        async with asyncio.timeout(10):
            while ended < 30:
                await asyncio.sleep(0.01)
    assert highest == most


async def test_probes_that_hang_do_not_keep_others_waiting() -> None:
    reports = Reports()
    async with probing(parallel=50) as prober, serving(silent) as dead, serving(App()) as port:
        for number in range(40):
            prober.start(target(f"dead-{number}", readiness=http(dead, timeout_seconds=60)), Reports())
        prober.start(target(readiness=http(port)), reports)
        await reports.until(lambda v: v.ready)


async def test_an_unforeseen_error_is_told_and_probing_goes_on() -> None:
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    calls = 0

    async def execute(argv: tuple[str, ...], timeout: float) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return 0

    reports = Reports()
    async with probing() as prober:
        prober.start(target(readiness=ticked(), execute=execute), reports)
        await reports.until(lambda v: v.ready)
        assert prober.stats.runs[Kind.READINESS, Outcome.UNKNOWN] == 1
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    assert reports[0].reason == "readiness probe: unforeseen error: ZeroDivisionError"


async def test_oddities_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with probing() as prober:
        prober.start(target(liveness=ticked()), Reports())
        async with asyncio.timeout(5):
            while prober.stats.runs[Kind.LIVENESS, Outcome.UNKNOWN] < 3:
                await asyncio.sleep(0.01)
    assert caplog.messages == ["a-1/web: liveness probe: exec probes cannot be run on this platform"]


async def test_many_targets_start_within_the_rate_and_drift_apart(size: Callable[[int, int], int]) -> None:
    """All of them are up at once; after a period their probes no longer come together."""
    count = size(200, 1000)
    reports = [Reports() for _ in range(count)]
    async with probing(per_second=2000.0) as prober, serving(App()) as port:
        for number, each in enumerate(reports):
            prober.start(target(f"a-{number}", readiness=http(port, period=1, timeout_seconds=10)), each)
        for each in reports:
            await each.until(lambda v: v.ready)
        runs, began = prober.stats.runs[Kind.READINESS, Outcome.SUCCESS], time.monotonic()
        await asyncio.sleep(0.5)
        halves = math.ceil((time.monotonic() - began) / 0.5 - 0.1)  # on a loaded machine it takes longer
        assert prober.stats.runs[Kind.READINESS, Outcome.SUCCESS] - runs <= count * halves


async def test_who_has_run_for_long_has_no_initial_delay_left() -> None:
    reports = Reports()
    async with serving(App()) as port, probing() as prober:
        delayed = http(port, initial_delay_seconds=600)
        target = ProbeTarget(replica_id="shop-1", container="main", address="127.0.0.1", readiness=delayed, age=601.0)
        prober.start(target, reports)
        assert await reports.until(lambda verdict: verdict.ready) == READY
