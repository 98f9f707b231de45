"""Means of a number over the last seconds, in buckets of one second, as Knative's metric collector keeps them."""

from __future__ import annotations

from collections import deque


class _Bucket:
    __slots__ = ("count", "second", "total")

    def __init__(self, second: int) -> None:
        self.second = second
        self.total = 0.0
        self.count = 0


class Averages:
    """Times are in seconds of any clock that only goes forward."""

    def __init__(self, seconds: float) -> None:
        """Keeps the last `seconds`."""
        self._buckets: deque[_Bucket] = deque(maxlen=int(seconds) + 2)
        self._first: float | None = None

    def add(self, value: float, now: float) -> None:
        """It is `value` now."""
        if self._first is None:
            self._first = now
        if not self._buckets or self._buckets[-1].second != int(now):
            self._buckets.append(_Bucket(int(now)))
        bucket = self._buckets[-1]
        bucket.total += value
        bucket.count += 1

    def mean(self, seconds: float, now: float) -> float | None:
        """Over the last `seconds`, or as long as there is something; None: nothing was measured in them."""
        inside = [bucket for bucket in self._buckets if bucket.second > now - seconds - 1]
        return sum(bucket.total / bucket.count for bucket in inside) / len(inside) if inside else None

    def age(self, now: float) -> float:
        """Seconds since the first."""
        return now - self._first if self._first is not None else 0.0
