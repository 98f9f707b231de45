"""Counters: plain integers and lists on objects that a request already holds, and frames of them.

The hot path only ever adds to a slot.  Everything else (`/metrics`, the autoscaler) reads `StatsFrame`s:
plain data that adds up across workers and nodes.
"""

from __future__ import annotations

from bisect import bisect_left

DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the request duration histogram, seconds; one more bucket holds what is above."""


class BackendStats:
    """Counters of one Backend."""

    __slots__ = (
        "bytes_in", "bytes_out", "codes", "detected", "duration_buckets", "duration_sum", "in_flight",
        "reasons", "retries", "tcp_open", "tcp_total",
    )  # fmt: skip

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        """Final status to requests."""
        self.reasons: dict[str, int] = {}
        """Reason code (RFC 9209 error type) to responses or connections that the proxy itself ended."""
        self.duration_buckets = [0] * (len(DURATION_BOUNDS) + 1)
        self.duration_sum = 0.0
        self.in_flight = 0
        self.retries: dict[str, int] = {}
        """Outcome (tried, budget, exhausted, not-replayable) to count."""
        self.bytes_in = 0
        """From clients."""
        self.bytes_out = 0
        """To clients."""
        self.detected: dict[str, int] = {}
        """Protocol (http, tcp, tls, http2, silent) to connections whose first bytes told it."""
        self.tcp_total = 0
        self.tcp_open = 0

    def finished(self, status: int, seconds: float) -> None:
        """Count one HTTP request that has ended (not its place in flight)."""
        self.codes[status] = self.codes.get(status, 0) + 1
        self.duration_buckets[bisect_left(DURATION_BOUNDS, seconds)] += 1
        self.duration_sum += seconds
