"""Prober: runs the probes of all containers that it was given, and reports what is held of them.

Decisions are made elsewhere: `discovery.health` says which probes a container needs and what findings mean,
`discovery.pacing` says when the next one may run.  Here is what connects them to a loop: one timer for all
targets, a task for each probe in flight and none for those that wait.  Network probes and exec probes have
lanes of their own, because starting processes costs far more than connecting.

The Prober owns its tasks: `stop` cancels those of a container, `close` cancels and awaits all.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial
from math import ceil, inf

from discovery.checking import CheckHealth
from discovery.health import Finding, Health, Kind, Outcome, Phase, Verdict
from discovery.pacing import Lane
from discovery.probes.action import accepts_all, check, perform
from discovery.probes.stats import ProbeStats
from discovery.probes.target import ProbeTarget

__all__ = ["ProbeTarget", "Prober", "Verdict"]

log = logging.getLogger(__name__)

TICK = 0.01
"""Seconds; what falls due within one begins together: a wake-up costs as much as a probe."""
JITTER = 0.1
"""Periods vary by this share, so that targets that started together drift apart."""


class _Watch:
    """One container that is being probed."""

    __slots__ = ("health", "probes", "report", "runs", "target", "verdict", "warned")

    def __init__(self, target: ProbeTarget, report: Callable[[Verdict], None], now: float) -> None:
        self.target = target
        self.report = report
        self.health: Health | CheckHealth = (
            Health(target.readiness, target.liveness, target.startup, now - target.age)
            if target.check is None
            else CheckHealth(target.check, now)
        )
        self.probes = {
            Kind.READINESS: target.readiness,
            Kind.LIVENESS: target.liveness,
            Kind.STARTUP: target.startup,
        }
        self.verdict = self.health.verdict()
        self.runs: dict[Kind, _Run] = {}
        """The next run of each expected probe: it waits for its time, or is under way."""
        self.warned: set[tuple[Kind, Outcome]] = set()


class _Run:
    """One run of one probe, from its waiting in a lane to its end."""

    __slots__ = ("began", "kind", "lane", "task", "ticket", "watch")

    def __init__(self, watch: _Watch, kind: Kind, lane: Lane[_Run], due: float) -> None:
        self.watch = watch
        self.kind = kind
        self.lane = lane
        self.ticket = lane.add(due, self)
        self.began = 0.0
        self.task: asyncio.Task[Finding] | None = None

    def begin(self, now: float) -> asyncio.Task[Finding]:
        self.began = now
        target, probe = self.watch.target, self.watch.probes[self.kind]
        if target.check is not None:
            action = check(target.check, target)
        else:
            action = accepts_all(target) if probe is None else perform(probe, target)
        self.task = asyncio.get_running_loop().create_task(action)
        return self.task

    def abandon(self) -> None:
        self.lane.cancel(self.ticket)
        if self.task is not None:
            self.task.cancel()


class Prober:
    """Probes containers of this node.

    At most `parallel` network probes and `parallel_exec` exec probes run at once, and at most `per_second`
    of each kind begin per second; what is due beyond that waits its turn.
    """

    def __init__(
        self,
        rng: random.Random,
        clock: Callable[[], float],
        *,
        parallel: int = 512,
        per_second: float = 2000.0,
        parallel_exec: int = 8,
    ) -> None:
        self._rng = rng
        self._clock = clock
        self._network: Lane[_Run] = Lane(parallel, per_second)
        self._processes: Lane[_Run] = Lane(parallel_exec, per_second)
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._tasks: set[asyncio.Task[Finding]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = inf
        self._closed = False
        self.stats = ProbeStats()

    def __len__(self) -> int:
        """Containers that are being probed."""
        return len(self._watches)

    def start(self, target: ProbeTarget, report: Callable[[Verdict], None]) -> None:
        """Probe `target` from now on, whatever was known of it; replaces an earlier one of the same name.

        It counts as not ready and alive until `report` says otherwise.  `report` is called at every change
        of the verdict (its reason too), never before `start` has returned and never after `stop`.
        """
        if self._closed:
            raise RuntimeError("the prober is closed")
        self.stop(target.replica_id, target.container)
        watch = _Watch(target, report, self._clock())
        self._watches[target.replica_id, target.container] = watch
        self._schedule(watch)
        self._arm()

    def stop(self, replica_id: str, container: str) -> None:
        """Probe this container no more; nothing happens if it is not probed."""
        watch = self._watches.pop((replica_id, container), None)
        if watch is not None:
            self._abandon(watch)

    async def close(self) -> None:
        """Stop everything and wait until all probes have ended."""
        self._closed = True
        for key in tuple(self._watches):
            self.stop(*key)
        self._arm()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _abandon(self, watch: _Watch) -> None:
        for run in watch.runs.values():
            run.abandon()
        watch.runs.clear()

    def _schedule(self, watch: _Watch, last: _Run | None = None) -> None:
        """Let every expected probe whose next run is not settled wait for its time; `last` has just ended."""
        for kind in watch.health.expected:
            if kind not in watch.runs:
                began = last.began if last is not None and last.kind is kind else None
                probe = watch.probes[kind]
                lane = self._processes if probe is not None and probe.exec is not None else self._network
                watch.runs[kind] = _Run(watch, kind, lane, self._due(watch, kind, began))

    def _due(self, watch: _Watch, kind: Kind, began: float | None) -> float:
        due = watch.health.due(kind, began)
        if began is None:
            return due
        return began + (due - began) * self._rng.uniform(1 - JITTER, 1 + JITTER)

    def _arm(self) -> None:
        """Set the one timer, to the tick at which something may begin."""
        times = [time for lane in (self._network, self._processes) if (time := lane.next_time()) is not None]
        wanted = ceil(min(times) / TICK) * TICK if times and not self._closed else inf
        if wanted == self._wakes:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wakes = wanted
        if wanted < inf:
            delay = max(0.0, wanted - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin_due)

    def _begin_due(self) -> None:
        self._timer, self._wakes = None, inf
        now = self._clock()
        for lane in (self._network, self._processes):
            while (run := lane.take(now)) is not None:
                task = run.begin(now)
                self._tasks.add(task)
                task.add_done_callback(partial(self._ended, run))
        self._arm()

    def _ended(self, run: _Run, task: asyncio.Task[Finding]) -> None:
        self._tasks.discard(task)
        run.lane.done()
        if run.watch.runs.get(run.kind) is run and not task.cancelled():
            del run.watch.runs[run.kind]
            self._take_in(run, self._finding(task))
        self._arm()

    def _finding(self, task: asyncio.Task[Finding]) -> Finding:
        fault = task.exception()
        if fault is None:
            return task.result()
        context = {"message": "a probe ended by an unforeseen error", "exception": fault, "task": task}
        task.get_loop().call_exception_handler(context)
        return Finding(Outcome.UNKNOWN, f"unforeseen error: {type(fault).__name__}")

    def _take_in(self, run: _Run, finding: Finding) -> None:
        watch, now = run.watch, self._clock()
        self.stats.count(run.kind, finding.outcome, now - run.began)
        _warn(watch, run.kind, finding)
        watch.health.observe(run.kind, finding, now)
        if watch.health.phase is Phase.FAILED:
            self._abandon(watch)
        self._schedule(watch, run)
        verdict = watch.health.verdict()
        if verdict != watch.verdict:
            watch.verdict = verdict
            watch.report(verdict)


def _warn(watch: _Watch, kind: Kind, finding: Finding) -> None:
    """Say once what is odd about a success, or why a probe cannot be run at all."""
    if finding.outcome is not Outcome.FAILURE and finding.reason and (kind, finding.outcome) not in watch.warned:
        watch.warned.add((kind, finding.outcome))
        name = f"{watch.target.replica_id}/{watch.target.container}"
        log.warning("%s: %s probe: %s", name, kind.value, finding.reason)
