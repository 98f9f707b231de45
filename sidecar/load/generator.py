"""The open loop: sends what is due, over a fixed number of connections.

What is due while all connections are busy waits its turn, and its latency counts the wait.  The queue is
bounded: beyond it, requests are counted as ``overload`` and not sent.  A connection that ends is opened again, and
one that is refused is tried again: each refusal fails one request that waits, as its client would have seen it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from time import monotonic

from sidecar.load.client import Connection
from sidecar.load.histogram import Histogram
from sidecar.load.progress import Look
from sidecar.load.report import Report, summary
from sidecar.load.target import Target
from sidecar.load.timeline import Timeline
from sidecar.load.timer import Ticker

TICK = 0.00025
"""Seconds between looks at what is due; the loop's own clock would count whole milliseconds."""
MOST_WAITING = 100_000
REOPEN_AFTER = 0.1
"""Seconds until a connection that was refused, or closed unused, is opened again, lest a target be stormed."""


class Generator:
    """One run against `target`; the owner of its connections (`sidecar.load.client.Owner`)."""

    def __init__(self, target: Target, schedule: Iterator[float], connections: int, timeout: float) -> None:
        self._target = target
        self._schedule = schedule
        self._most = connections
        self._timeout = timeout
        self._began = self._next = self._end = 0.0
        self._waiting: deque[float] = deque()
        """Due times of requests that no connection was free for."""
        self._free: list[Connection] = []
        self._open: set[Connection] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._in_flight = 0
        self._ended = asyncio.Event()
        """Set whenever a request has ended, well or not."""
        self.sent = 0
        self.timeline = Timeline(0.0)
        """Latencies from the moment requests were due."""
        self.answers = 0
        self.service, self.late = Histogram(), Histogram()
        self.statuses: dict[str, int] = {}
        self.errors: dict[str, int] = {}

    async def run(self, rate: float, seconds: float) -> Report:
        """Send for `seconds`, wait for the last answers for at most the time-out, and report.

        Raises ConnectionError when the target has no address, or takes no connection at the start.
        """
        loop = asyncio.get_running_loop()
        await self._resolve(loop)
        await asyncio.gather(*(self._connect(loop) for _ in range(self._most)))
        if not self._open:
            raise ConnectionError(f"{self._target.host}:{self._target.port} takes no connection")
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._began = monotonic()
            self._end = self._began + seconds
            self.timeline = Timeline(seconds)
            self._next = self._began + next(self._schedule)
            for _ in range(self._most - len(self._open)):
                self._reconnect(REOPEN_AFTER)
            with Ticker(loop, TICK, self._send_due):
                await asyncio.sleep(seconds)
                await self._wait_for_answers()
            self._tasks = None
        self._close()
        return self._report(rate, seconds)

    def look(self) -> Look:
        """What has been counted up to now."""
        elapsed = monotonic() - self._began if self._began else -1.0
        return Look(elapsed, self.sent, self.answers, sum(self.errors.values()))

    def _send_due(self) -> None:
        now = monotonic()
        while self._next <= now and self._next < self._end:
            self._waiting.append(self._next)
            self._next = self._began + next(self._schedule)
        while self._waiting and self._free:
            due = self._waiting.popleft()
            self._free.pop().send(self._target.request, due, now)
            self.sent += 1
            self._in_flight += 1
            self.late.add(now - due)
        while len(self._waiting) > MOST_WAITING:
            self._count_error("overload", self._waiting.pop())

    async def _wait_for_answers(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                while self._in_flight or self._waiting:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            for due in (*self._waiting, *(connection.due for connection in self._open if connection.busy)):
                self._count_error("timeout", due)

    def _report(self, rate: float, seconds: float) -> Report:
        return Report(
            url=self._target.url,
            rate_wanted=rate,
            seconds=seconds,
            sent=self.sent,
            answered=self.answers,
            statuses=self.statuses,
            errors=self.errors,
            latency=summary(self.timeline.total()),
            service=summary(self.service),
            late=summary(self.late),
            timeline=self.timeline.slices(),
        )

    # -- connections

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say once that a name has no address, instead of once for each connection."""
        try:
            await loop.getaddrinfo(self._target.host, self._target.port)
        except (OSError, UnicodeError):  # UnicodeError: it cannot be a name at all
            advice = f"give an address, and with it -H 'Host: {self._target.host}'"
            raise ConnectionError(f"{self._target.host} has no address: {advice}") from None

    async def _connect(self, loop: asyncio.AbstractEventLoop, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        try:
            async with asyncio.timeout(self._timeout):
                await loop.create_connection(
                    lambda: Connection(self, self._target.head_only), self._target.host, self._target.port
                )
        except OSError:  # TimeoutError too
            self._refused()
            self._reconnect(REOPEN_AFTER)

    def _refused(self) -> None:
        if self._waiting:
            self._count_error("connect", self._waiting.popleft())
            self._ended.set()
        elif not self._began:
            self._count_error("connect", monotonic())

    def _reconnect(self, after: float) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._connect(asyncio.get_running_loop(), after))

    def _close(self) -> None:
        for connection in tuple(self._open):
            connection.transport.abort()

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        self._free.append(connection)

    def answered(self, connection: Connection, status: int, reusable: bool) -> None:
        now = monotonic()
        self._in_flight -= 1
        self._ended.set()
        self.answers += 1
        self.timeline.answered(connection.due - self._began, now - connection.due)
        self.service.add(now - connection.sent)
        text = str(status)
        self.statuses[text] = self.statuses.get(text, 0) + 1
        if reusable:
            self._free.append(connection)
            if self._waiting:
                self._send_due()
        else:
            self._forget(connection)

    def failed(self, connection: Connection, error: str) -> None:
        if connection.busy:
            connection.busy = False
            self._in_flight -= 1
            self._ended.set()
            self._count_error(error, connection.due)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            if connection in self._free:
                self._free.remove(connection)
            self._reconnect(0.0 if connection.sent else REOPEN_AFTER)

    def _count_error(self, error: str, due: float) -> None:
        self.errors[error] = self.errors.get(error, 0) + 1
        self.timeline.failed(due - self._began)
