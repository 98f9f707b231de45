"""Counters for the registry: not too often, and only what changed."""

from __future__ import annotations

from collections.abc import Generator

from mesh.stats import BackendFrame, StatsFrame
from sidecar.channel.messages import MOST_BACKENDS, Stats
from sidecar.channel.report import SECONDS, Report


class Counting:
    def __init__(self, *services: str) -> None:
        self.counts = dict.fromkeys(services, 0)
        self.report = Report(self.take)

    def take(self) -> Generator[None, None, StatsFrame]:
        yield
        return StatsFrame([BackendFrame("d", name, "p", bytes_in=count) for name, count in self.counts.items()])

    async def due(self, now: float) -> list[Stats]:
        return [stats async for stats in self.report.due(now)]

    async def told(self, now: float) -> list[tuple[str, bool]]:
        return [(each.service, stats.whole) for stats in await self.due(now) for each in stats.backends]


async def test_only_what_changed_is_sent_and_at_most_each_second() -> None:
    counting = Counting("x", "y")
    assert await counting.told(10) == [("x", True), ("y", True)]
    counting.counts["x"] += 1
    assert await counting.told(10 + SECONDS / 2) == []
    assert await counting.told(10 + SECONDS) == [("x", False)]
    assert await counting.due(10 + 2 * SECONDS) == []


async def test_what_somebody_waits_for_is_sent_at_once() -> None:
    counting = Counting("x")
    await counting.due(10)
    counting.counts["x"] += 1
    counting.report.hurry()
    assert await counting.told(10.01) == [("x", False)]


async def test_a_new_connection_and_a_service_that_is_gone_make_it_whole() -> None:
    counting = Counting("x", "y")
    await counting.due(10)
    counting.report.begin()
    assert await counting.told(10.1) == [("x", True), ("y", True)]
    del counting.counts["x"]
    assert await counting.told(12) == [("y", True)]
    del counting.counts["y"]
    assert [stats.whole for stats in await counting.due(14)] == [True]


async def test_messages_are_bounded() -> None:
    counting = Counting(*map(str, range(MOST_BACKENDS * 2 + 1)))
    assert [(len(stats.backends), stats.whole) for stats in await counting.due(1)] == [
        (MOST_BACKENDS, True),
        (MOST_BACKENDS, False),
        (1, False),
    ]
