"""The table of ``weft status``, and the rates in it: made from two readings of /metrics.

Rates are made on the reader's side, so that a weft which nobody looks at does no work for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sidecar.terminal import Painter

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


HEADINGS = ("SERVICE", "TYPE", "ADDRESS", "PORT", "READY", "REQ/S", "P99", "SERVED AT")


def render(
    services: Sequence[Mapping[str, Any]], ready: Mapping[str, Any], rates: Iterable[Rate], paint: Painter
) -> str:
    """The whole text of ``weft status``."""
    by_port = {(rate.namespace, rate.service, rate.port): rate for rate in rates}
    rows = [row for service in services for row in service_rows(service, by_port)]
    lines = table((HEADINGS, *rows), paint) if rows else ["no services"]
    if not ready["ready"]:
        lines += ["", paint("yellow", "not ready:")]
        lines += [f"  {item['what']}: {item['why']}" for item in ready["missing"]]
    return "\n".join(lines)


def service_rows(service: Mapping[str, Any], rates: Mapping[PortKey, Rate]) -> Iterator[tuple[str, ...]]:
    """One row for each port of a Service, as ``/api/v1/services`` gives it."""
    endpoints = service["endpoints"]
    for port in service["ports"] or [{"name": "", "port": "", "nodePort": None, "protocol": "", "listens": []}]:
        key = service["namespace"], service["name"], port["name"] or str(port["port"])
        rate = rates.get(key)
        yield (
            f"{service['namespace']}/{service['name']}",
            service["type"],
            service["clusterIP"] or "-",
            port_text(port),
            f"{endpoints['ready']}/{endpoints['total']}",
            rate_text(rate),
            latency_text(rate.p99_seconds if rate else None),
            " ".join(port["listens"]) or "-",
        )


def port_text(port: Mapping[str, Any]) -> str:
    """As kubectl writes it: ``http:80:30080/TCP``."""
    parts = [str(part) for part in (port["name"], port["port"], port["nodePort"]) if part]
    return ":".join(parts) + f"/{port['protocol']}" if parts else "-"


def rate_text(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"{rate.requests_per_second or rate.connections_per_second:.1f}"


def latency_text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f}ms" if seconds < 1 else f"{seconds:.2f}s"


def table(rows: Sequence[tuple[str, ...]], paint: Painter) -> list[str]:
    """Columns as wide as their longest cell; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [paint("bold", lines[0]), *lines[1:]]
