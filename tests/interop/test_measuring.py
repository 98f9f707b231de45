"""What others measure of weft, and what weft says of itself, agree: wrk, promtool, Prometheus' parser, weft load."""

from __future__ import annotations

import json
import re
import sys

from prometheus_client.parser import text_string_to_metric_families

from tests.interop.programs import needs, run
from tests.scenarios.weft import Weft, ask, wait_for

CONNECTIONS = 16


def page(weft: Weft) -> str:
    return weft.admin("/metrics").body.decode()


def values(weft: Weft, family: str, **labels: str) -> float:
    """The sum over all series of `family` that have `labels`."""
    samples = (s for metric in text_string_to_metric_families(page(weft)) for s in metric.samples)
    return sum(s.value for s in samples if s.name == family and labels.items() <= s.labels.items())


def requests(weft: Weft) -> float:
    return values(weft, "weft_http_requests_total", service="app", code="200")


@needs("wrk")
def test_wrk_counts_what_weft_counts(weft: Weft) -> None:
    before, by_endpoint = requests(weft), values(weft, "weft_endpoint_requests_total", service="app")
    observed = values(weft, "weft_http_request_duration_seconds_count", service="app")
    told = run("wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", f"http://{weft.address('app')}/").stdout.decode()
    assert "Socket errors" not in told, told
    assert "Non-2xx" not in told, told
    counted = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    assert counted > 100
    wait_for(lambda: values(weft, "weft_http_requests_in_flight", service="app") == 0)
    served = requests(weft) - before
    assert counted <= served <= counted + CONNECTIONS, "what was under way when wrk ended, it does not count"
    ended = values(weft, "weft_http_request_duration_seconds_count", service="app") - observed
    assert ended == values(weft, "weft_endpoint_requests_total", service="app") - by_endpoint
    assert served <= ended <= served + CONNECTIONS


@needs("promtool")
def test_promtool_finds_nothing_to_say(weft: Weft) -> None:
    ask(weft.address("app"))
    ask(weft.address("app"), '/path\\with"quotes')
    done = run("promtool", "check", "metrics", stdin=page(weft).encode())
    assert (done.stdout, done.stderr) == (b"", b"")


def test_weft_load(weft: Weft) -> None:
    before = requests(weft)
    words = ("load", f"http://{weft.address('app', 1)}/", "--rate", "200", "--duration", "0.5", "--json")
    report = json.loads(run(sys.executable, "-m", "sidecar", *words).stdout)
    assert (report["statuses"], report["errors"]) == ({"200": report["sent"]}, {})
    assert report["sent"] == 100
    assert requests(weft) - before == 100
    assert 0 < report["latency"]["p50"] <= report["latency"]["p99"] < 5
