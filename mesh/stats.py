"""Counters: plain integers and lists on objects that a request already holds, and frames of them.

The hot path only ever adds to a slot.  Everything else (`/metrics`, the autoscaler) reads `StatsFrame`s:
plain data that adds up across workers and nodes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeVar

import msgspec

DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the request duration histogram, seconds; one more bucket holds what is above."""

BATCH = 256
"""Requests with one status that are counted at once."""


class BackendStats:
    """Counters of one Backend."""

    __slots__ = (
        "_codes", "_duration_buckets", "_duration_sum", "_times", "bytes_in", "bytes_out", "detected",
        "forgotten_ejections", "forgotten_requests", "handshakes", "in_flight", "reasons", "retries", "tcp_open",
        "tcp_total",
        "udp_in", "udp_lost", "udp_open", "udp_out", "udp_total",
    )  # fmt: skip

    def __init__(self) -> None:
        self._times: dict[int, list[float]] = {}
        """Of requests that are not counted yet: final status to seconds."""
        self._codes: dict[int, int] = {}
        self.reasons: dict[str, int] = {}
        """Reason code (RFC 9209 error type) to responses or connections that the proxy itself ended."""
        self._duration_buckets = [0] * (len(DURATION_BOUNDS) + 1)
        self._duration_sum = 0.0
        self.in_flight = 0
        self.retries: dict[str, int] = {}
        """Outcome (tried, budget, exhausted, not-replayable) to count."""
        self.bytes_in = 0
        """From clients."""
        self.bytes_out = 0
        """To clients."""
        self.detected: dict[str, int] = {}
        """Protocol (http, tcp, tls, http2, silent) to connections whose first bytes told it."""
        self.handshakes: dict[str, int] = {}
        """TLS version, and whether a session was resumed (``TLSv1.3 full``), to handshakes with clients."""
        self.tcp_total = 0
        self.tcp_open = 0
        self.udp_total = 0
        """Sessions; what follows counts datagrams, but for those that are open now."""
        self.udp_open = 0
        self.udp_in = 0
        self.udp_out = 0
        self.udp_lost = 0
        """That the system did not take."""
        self.forgotten_requests = 0
        """Of endpoints without series of their own that are no longer remembered; ``other`` counts on."""
        self.forgotten_ejections = 0

    def finished(self, status: int, seconds: float) -> None:
        """Count one HTTP request that has ended (not its place in flight)."""
        try:
            times = self._times[status]
        except KeyError:
            times = self._times[status] = []
        times.append(seconds)
        if len(times) == BATCH:
            self._count()

    @property
    def codes(self) -> dict[int, int]:
        """Final status to requests."""
        self._count()
        return self._codes

    @property
    def duration_buckets(self) -> list[int]:
        """Requests by their seconds, see `DURATION_BOUNDS`."""
        self._count()
        return self._duration_buckets

    @property
    def duration_sum(self) -> float:
        self._count()
        return self._duration_sum

    def _count(self) -> None:
        """Sorted, many are put into their buckets in the time that a few take one by one."""
        for status, times in self._times.items():
            if times:
                times.sort()
                self._codes[status] = self._codes.get(status, 0) + len(times)
                self._duration_sum += sum(times)
                ends = [0, *(bisect_right(times, bound) for bound in DURATION_BOUNDS), len(times)]
                for bucket, (begin, end) in enumerate(pairwise(ends)):
                    self._duration_buckets[bucket] += end - begin
                times.clear()


OTHER = "other"
"""Stands for all endpoints of a Backend that have no series of their own."""


class EndpointFrame(msgspec.Struct, gc=False):
    ready: int = 0
    """1 or 0; of ``other``, how many."""
    requests: int = 0
    ejections: int = 0


class BackendFrame(msgspec.Struct):
    """The counters of one Backend at one moment; fields mean what they mean in `BackendStats`."""

    namespace: str
    service: str
    port: str
    codes: dict[int, int] = {}
    reasons: dict[str, int] = {}
    duration_buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    duration_sum: float = 0.0
    in_flight: int = 0
    queued: int = 0
    """Of those in flight, and of TCP connections: how many wait for room at an endpoint."""
    retries: dict[str, int] = {}
    detected: dict[str, int] = {}
    handshakes: dict[str, int] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    tcp_total: int = 0
    tcp_open: int = 0
    udp_total: int = 0
    udp_open: int = 0
    udp_in: int = 0
    udp_out: int = 0
    udp_lost: int = 0
    endpoints: dict[str, EndpointFrame] = {}
    """By address and port, or ``other``."""
    asleep: bool = False
    """It has no endpoint, and is not to have one before somebody asks for it."""


class StatsFrame(msgspec.Struct):
    """All counters of one data plane at one moment: plain data that adds up."""

    backends: list[BackendFrame] = []


_SUMS = (
    "duration_sum", "in_flight", "queued", "bytes_in", "bytes_out", "tcp_total", "tcp_open",
    "udp_total", "udp_open", "udp_in", "udp_out", "udp_lost",
)  # fmt: skip


def merge(frames: Iterable[StatsFrame]) -> StatsFrame:
    """The sum of `frames`, one per data plane.  Whether an endpoint is ready is not summed: all planes say the same."""
    total: dict[tuple[str, str, str], BackendFrame] = {}
    for frame in frames:
        for backend in frame.backends:
            key = (backend.namespace, backend.service, backend.port)
            add(total.setdefault(key, BackendFrame(*key)), backend)
    return StatsFrame(list(total.values()))


def add(total: BackendFrame, more: BackendFrame) -> None:
    """Make `total` the sum of both."""
    for name in _SUMS:
        setattr(total, name, getattr(total, name) + getattr(more, name))
    total.duration_buckets = [a + b for a, b in zip(total.duration_buckets, more.duration_buckets, strict=True)]
    total.codes = _summed(total.codes, more.codes)
    total.reasons = _summed(total.reasons, more.reasons)
    total.retries = _summed(total.retries, more.retries)
    total.detected = _summed(total.detected, more.detected)
    total.handshakes = _summed(total.handshakes, more.handshakes)
    total.asleep |= more.asleep
    for name, endpoint in more.endpoints.items():
        known = total.endpoints.setdefault(name, EndpointFrame())
        known.ready = max(known.ready, endpoint.ready)
        known.requests += endpoint.requests
        known.ejections += endpoint.ejections


K = TypeVar("K", int, str)


def _summed(total: dict[K, int], more: dict[K, int]) -> dict[K, int]:
    return {key: total.get(key, 0) + more.get(key, 0) for key in total | more}
