"""Latencies over time: a histogram for each slice of a run, by the moment at which requests were due.

A stall shows where it happened, in the slice whose requests it delayed.  There are never more slices than a plot
has room for, however long the run is.
"""

from __future__ import annotations

import msgspec

from sidecar.load.histogram import Histogram

MOST_SLICES = 200
LEAST_SECONDS = 0.1
"""Of a slice."""
PERCENTILES = (50.0, 90.0, 99.0)


class Slice(msgspec.Struct, frozen=True):
    """What became of the requests that were due within `seconds` from `at`; times in seconds."""

    at: float
    seconds: float
    answered: int
    failed: int
    latency: dict[str, float]
    """``p50``, ``p90``, ``p99`` and ``max``; empty when none was answered."""


class Timeline:
    """Counts answers and failures by the seconds since the start at which their requests were due."""

    def __init__(self, seconds: float) -> None:
        self.width = max(seconds / MOST_SLICES, LEAST_SECONDS)
        count = max(min(round(seconds / self.width), MOST_SLICES), 1)
        self._last = count - 1
        self._answered = [Histogram() for _ in range(count)]
        self._failed = [0] * count

    def answered(self, due: float, latency: float) -> None:
        self._answered[self._place(due)].add(latency)

    def failed(self, due: float) -> None:
        self._failed[self._place(due)] += 1

    def total(self) -> Histogram:
        """All latencies."""
        total = Histogram()
        for some in self._answered:
            total.merge(some)
        return total

    def slices(self) -> list[Slice]:
        return [
            Slice(number * self.width, self.width, some.total, failed, _latency(some))
            for number, (some, failed) in enumerate(zip(self._answered, self._failed, strict=True))
        ]

    def _place(self, due: float) -> int:
        return min(max(int(due / self.width), 0), self._last)


def _latency(some: Histogram) -> dict[str, float]:
    if not some.total:
        return {}
    return {f"p{percent:g}": some.percentile(percent) for percent in PERCENTILES} | {"max": some.maximum}
