"""The page of /metrics: the families DESIGN names, valid for Prometheus, bounded in size and in time."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mesh.compiler import compile as compiled_from
from mesh.exposition import render
from mesh.frames import MOST_ENDPOINT_SERIES, FrameTaker
from mesh.live import Live
from mesh.metrics import families, page, process_families
from mesh.stats import OTHER, BackendFrame, EndpointFrame, StatsFrame
from tests.mesh.making import Clock, large_world

NAMES = {
    "weft_http_requests_total": {"namespace", "service", "port", "code"},
    "weft_http_request_duration_seconds": {"namespace", "service", "port"},
    "weft_http_requests_in_flight": {"namespace", "service", "port"},
    "weft_http_requests_queued": {"namespace", "service", "port"},
    "weft_tcp_connections_total": {"namespace", "service", "port"},
    "weft_tcp_connections_open": {"namespace", "service", "port"},
    "weft_udp_sessions_total": {"namespace", "service", "port"},
    "weft_udp_sessions_open": {"namespace", "service", "port"},
    "weft_udp_datagrams_total": {"namespace", "service", "port", "direction"},
    "weft_udp_lost_total": {"namespace", "service", "port"},
    "weft_bytes_total": {"namespace", "service", "port", "direction"},
    "weft_ready_endpoints": {"namespace", "service", "port"},
    "weft_endpoint_ready": {"namespace", "service", "port", "endpoint"},
    "weft_endpoint_requests_total": {"namespace", "service", "port", "endpoint"},
    "weft_endpoint_ejections_total": {"namespace", "service", "port", "endpoint"},
    "weft_retries_total": {"namespace", "service", "port", "outcome"},
    "weft_proxy_errors_total": {"namespace", "service", "port", "reason"},
    "weft_detected_total": {"namespace", "service", "port", "protocol"},
    "weft_loop_lag_seconds": set(),
}
BUSY = BackendFrame(
    "default",
    "shop",
    "http",
    codes={200: 5, 503: 1},
    reasons={"connection_timeout": 1},
    duration_buckets=[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1],
    duration_sum=23.5,
    in_flight=2,
    queued=1,
    retries={"exhausted": 1},
    detected={"http": 4},
    bytes_in=10,
    bytes_out=2**60,
    tcp_total=7,
    tcp_open=3,
    udp_total=11,
    udp_open=5,
    udp_in=100,
    udp_out=90,
    udp_lost=2,
    endpoints={"10.0.0.1:8080": EndpointFrame(1, 5, 2), OTHER: EndpointFrame(3, 1)},
)
IDLE = BackendFrame("default", "idle", "80", endpoints={"10.0.0.2:80": EndpointFrame(1)})


def text(*backends: BackendFrame, loop_lag: float | None = 0.003) -> str:
    return b"".join(render(families(StatsFrame(list(backends)), loop_lag))).decode()


def samples(page_text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page_text)
        for sample in family.samples
    }


def value(page_text: str, name: str, **labels: str) -> float | None:
    here = {"namespace": "default", "service": "shop", "port": "http", **labels}
    return samples(page_text).get((name, frozenset(here.items())))


def test_families_and_their_labels() -> None:
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text(BUSY)):
        for sample in family.samples:
            name = family.name if family.type == "histogram" else sample.name
            found.setdefault(name, set()).update(sample.labels.keys() - {"le"})
    assert found == NAMES


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("weft_http_requests_total", {"code": "503"}, 1),
        ("weft_http_requests_in_flight", {}, 2),
        ("weft_http_requests_queued", {}, 1),
        ("weft_tcp_connections_total", {}, 7),
        ("weft_tcp_connections_open", {}, 3),
        ("weft_bytes_total", {"direction": "in"}, 10),
        ("weft_bytes_total", {"direction": "out"}, 2**60),
        ("weft_ready_endpoints", {}, 4),
        ("weft_endpoint_ready", {"endpoint": OTHER}, 3),
        ("weft_endpoint_requests_total", {"endpoint": "10.0.0.1:8080"}, 5),
        ("weft_endpoint_ejections_total", {"endpoint": "10.0.0.1:8080"}, 2),
        ("weft_retries_total", {"outcome": "exhausted"}, 1),
        ("weft_proxy_errors_total", {"reason": "connection_timeout"}, 1),
        ("weft_detected_total", {"protocol": "http"}, 4),
        ("weft_http_request_duration_seconds_bucket", {"le": "0.001"}, 3),
        ("weft_http_request_duration_seconds_bucket", {"le": "10.0"}, 5),
        ("weft_http_request_duration_seconds_bucket", {"le": "+Inf"}, 6),
        ("weft_http_request_duration_seconds_count", {}, 6),
        ("weft_http_request_duration_seconds_sum", {}, 23.5),
    ],
)
def test_values(name: str, labels: dict[str, str], expected: float) -> None:
    assert value(text(BUSY, IDLE), name, **labels) == expected


def test_idle_backends_are_listed_by_their_endpoints_only() -> None:
    names = {name for name, labels in samples(text(IDLE, loop_lag=None)) if ("service", "idle") in labels}
    endpoints = {"weft_endpoint_ready", "weft_endpoint_requests_total", "weft_endpoint_ejections_total"}
    assert names == {"weft_ready_endpoints", *endpoints}


@pytest.mark.parametrize(("asleep", "there", "ready"), [(False, 0, 0), (True, 0, None), (True, 1, 1)])
def test_of_what_sleeps_nobody_says_that_it_has_no_endpoint(asleep: bool, there: int, ready: int | None) -> None:
    frame = BackendFrame("default", "shop", "http", endpoints={"10.0.0.1:80": EndpointFrame(there)}, asleep=asleep)
    assert value(text(frame), "weft_ready_endpoints") == ready
    assert value(text(frame), "weft_endpoint_ready", endpoint="10.0.0.1:80") == there


@pytest.mark.parametrize("backends", [(), (BUSY,), (BUSY, IDLE)], ids=["empty", "one", "two"])
def test_promtool_has_no_objection(backends: tuple[BackendFrame, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    whole = text(*backends).encode() + b"".join(render(process_families()))
    checked = subprocess.run([promtool, "check", "metrics"], input=whole, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_process_metrics() -> None:
    names = {family.name for family in process_families()}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info", "python_gc_objects_collected"} <= names


def test_types_come_before_samples_and_once() -> None:
    seen: set[str] = set()
    for line in text(BUSY, IDLE).splitlines():
        if line.startswith("# TYPE"):
            name = line.split()[2]
            assert name not in seen
            seen.add(name)
        elif not line.startswith("#"):
            assert any(line.startswith(name) for name in seen), line


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(("services", "each"), [(200, 10), (1, 6000)])
def test_a_large_page_comes_in_short_slices(services: int, each: int) -> None:
    written, existing = large_world(services, each)
    live = Live(Clock())
    compiled = compiled_from(written, existing, None, live)
    live.replace(compiled.backends)
    for backend in compiled.backends.values():
        backend.stats.finished(200, 0.01)
    taker = FrameTaker(live)
    longest = []
    for _ in range(3):  # the quickest of some, since the machine has other things to do
        slowest, lines = 0.0, 0
        began = time.thread_time()
        for chunk in page(taker.steps()):
            slowest = max(slowest, time.thread_time() - began)
            lines += chunk.count(b"\nweft_endpoint_ready{") + chunk.startswith(b"weft_endpoint_ready{")
            began = time.thread_time()
        longest.append(slowest)
    assert min(longest) < 0.005
    assert lines == min(services * each, MOST_ENDPOINT_SERIES) + (services * each > MOST_ENDPOINT_SERIES)


def test_udp() -> None:
    said = text(BUSY, IDLE)
    assert value(said, "weft_udp_sessions_total") == 11
    assert value(said, "weft_udp_sessions_open") == 5
    assert value(said, "weft_udp_datagrams_total", direction="in") == 100
    assert value(said, "weft_udp_datagrams_total", direction="out") == 90
    assert value(said, "weft_udp_lost_total") == 2
    assert "weft_udp_sessions_total{" not in text(IDLE), "a port without such traffic has no series"
