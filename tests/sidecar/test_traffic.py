"""Rates from two readings of /metrics."""

from __future__ import annotations

import pytest

from sidecar.traffic import parse_traffic, quantile

METRICS = """\
# HELP weft_http_requests_total Requests.
# TYPE weft_http_requests_total counter
weft_http_requests_total{namespace="default",service="web",port="http",code="200"} %d
weft_http_requests_total{namespace="default",service="web",port="http",code="503"} 5
weft_http_request_duration_seconds_bucket{namespace="default",service="web",port="http",le="0.01"} %d
weft_http_request_duration_seconds_bucket{namespace="default",service="web",port="http",le="0.1"} %d
weft_http_request_duration_seconds_bucket{namespace="default",service="web",port="http",le="+Inf"} %d
weft_tcp_connections_total{namespace="default",service="db",port="5432"} %d
weft_loop_lag_seconds 0.001
"""


def test_rates_are_differences_over_time() -> None:
    before = parse_traffic(METRICS % (100, 100, 100, 100, 0), at=10.0)
    after = parse_traffic(METRICS % (300, 100, 300, 300, 4), at=12.0)
    db, web = after.rates_since(before)
    assert (db.service, db.connections_per_second, db.p99_seconds) == ("db", 2.0, None)
    assert (web.service, web.requests_per_second) == ("web", 100.0)
    assert web.p99_seconds == pytest.approx(0.0991), "all requests in between took from 10 to 100 ms"


def test_without_requests_in_between_the_latency_is_that_of_all() -> None:
    reading = METRICS % (100, 100, 100, 100, 0)
    _, web = parse_traffic(reading, at=12.0).rates_since(parse_traffic(reading, at=10.0))
    assert web.requests_per_second == 0
    assert web.p99_seconds == pytest.approx(0.0099)


INFINITY = float("inf")
QUANTILES = {
    "none": ({}, None),
    "empty": ({0.1: 0, INFINITY: 0}, None),
    "first bucket": ({0.1: 10, INFINITY: 10}, 0.099),
    "above all bounds": ({0.1: 0, INFINITY: 10}, 0.1),
}


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles(name: str) -> None:
    buckets, expected = QUANTILES[name]
    assert quantile(buckets, 0.99) == pytest.approx(expected)
