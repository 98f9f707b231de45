"""Rates and latencies, made from two readings of /metrics.

They are made on the reader's side, so that a weft which nobody looks at does no work for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

PortKey = tuple[str, str, str]
"""Namespace, Service, port."""

_SAMPLE = re.compile(r"^(weft_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class PortTraffic(NamedTuple):
    """Counters of one Service port; `buckets` are cumulative, by upper bound in seconds."""

    requests: float
    connections: float
    buckets: Mapping[float, float]


class Rate(NamedTuple):
    namespace: str
    service: str
    port: str
    requests_per_second: float
    connections_per_second: float
    p99_seconds: float | None
    """Of the requests in between, else of all until now; None: there was none."""

    def as_json(self) -> dict[str, object]:
        return {
            "namespace": self.namespace,
            "service": self.service,
            "port": self.port,
            "requestsPerSecond": round(self.requests_per_second, 1),
            "connectionsPerSecond": round(self.connections_per_second, 1),
            "p99Seconds": self.p99_seconds,
        }


class Traffic(NamedTuple):
    """What one reading of /metrics said, and when (monotonic seconds)."""

    at: float
    ports: Mapping[PortKey, PortTraffic]

    def rates_since(self, before: Traffic) -> list[Rate]:
        seconds = max(self.at - before.at, 1e-3)
        return [_rate(key, before.ports.get(key, _NOTHING), now, seconds) for key, now in sorted(self.ports.items())]


_NOTHING = PortTraffic(0, 0, {})


def parse_traffic(text: str, at: float) -> Traffic:
    """The traffic counters in a text of /metrics."""
    requests: dict[PortKey, float] = {}
    connections: dict[PortKey, float] = {}
    buckets: dict[PortKey, dict[float, float]] = {}
    for name, labels, value in _samples(text):
        key = labels.get("namespace", ""), labels.get("service", ""), labels.get("port", "")
        if name == "weft_http_requests_total":
            requests[key] = requests.get(key, 0) + value
        elif name == "weft_tcp_connections_total":
            connections[key] = connections.get(key, 0) + value
        elif name == "weft_http_request_duration_seconds_bucket":
            buckets.setdefault(key, {})[float(labels["le"])] = value
    keys = {*requests, *connections, *buckets}
    return Traffic(
        at, {key: PortTraffic(requests.get(key, 0), connections.get(key, 0), buckets.get(key, {})) for key in keys}
    )


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for match in _SAMPLE.finditer(text):
        yield match[1], dict(_LABEL.findall(match[2])), float(match[3])


def _rate(key: PortKey, before: PortTraffic, now: PortTraffic, seconds: float) -> Rate:
    between = {bound: count - before.buckets.get(bound, 0) for bound, count in now.buckets.items()}
    return Rate(
        *key,
        (now.requests - before.requests) / seconds,
        (now.connections - before.connections) / seconds,
        quantile(between, 0.99) or quantile(now.buckets, 0.99),
    )


def quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """Upper estimate by linear interpolation in cumulative `buckets`, as Prometheus' histogram_quantile does."""
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = q * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (rank - below) / max(count - below, 1e-9)
        lower, below = bound, count
    return lower
