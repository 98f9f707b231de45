"""Latencies in logarithmic buckets: constant memory, under 1 % error, and two of them add up.

The layout is that of HdrHistogram: every power of two is cut into the same number of linear steps.
"""

from __future__ import annotations

from collections.abc import Iterable

STEPS_BITS = 7
STEPS = 1 << STEPS_BITS
"""Linear steps per power of two: 128, so that a bucket is at most 1/128 of its value wide."""


def bucket_of(microseconds: int) -> int:
    """Number of the bucket that holds a value; values under 128 us have a bucket each."""
    shift = max(microseconds.bit_length() - STEPS_BITS - 1, 0)
    return (shift << STEPS_BITS) + (microseconds >> shift)


def value_of(bucket: int) -> int:
    """The highest value, in microseconds, that falls into `bucket`."""
    shift = max((bucket >> STEPS_BITS) - 1, 0)
    return ((bucket - (shift << STEPS_BITS) + 1) << shift) - 1


class Histogram:
    """Counts of latencies; memory grows with the number of different buckets, not of values."""

    __slots__ = ("_counts", "maximum", "total", "total_seconds")

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._counts: dict[int, int] = {}
        self.total = 0
        self.total_seconds = 0.0
        self.maximum = 0.0
        for value in seconds:
            self.add(value)

    def add(self, seconds: float) -> None:
        """Count one latency; a negative one (a clock that was read late) counts as 0."""
        seconds = max(seconds, 0.0)
        bucket = bucket_of(int(seconds * 1e6))
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.total += 1
        self.total_seconds += seconds
        self.maximum = max(self.maximum, seconds)

    def merge(self, other: Histogram) -> None:
        """Add all that `other` counted."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.total += other.total
        self.total_seconds += other.total_seconds
        self.maximum = max(self.maximum, other.maximum)

    @property
    def mean(self) -> float:
        """Seconds; 0 when nothing was counted."""
        return self.total_seconds / self.total if self.total else 0.0

    def percentile(self, percent: float) -> float:
        """The latency, in seconds, that `percent` of all do not exceed (to the bucket's width)."""
        wanted = max(self.total * percent / 100, 1)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(value_of(bucket) / 1e6, self.maximum)
        return 0.0
