"""What metrics read, and what they say when they cannot."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from config.resources.autoscaling import MetricSpec
from discovery.platforms.base import ContainerUsage
from mesh.autoscaling.reading import Reading, amount
from mesh.autoscaling.samples import Uses, Window, sample
from mesh.autoscaling.signals import OBJECT_METRICS, POD_METRICS, read
from mesh.autoscaling.target import ReplicaLoad
from mesh.stats import DURATION_BOUNDS, BackendFrame, StatsFrame
from tests.mesh.autoscaling.objects import metric

SECONDS = 10.0


def backend(port: str, ended: int = 0, **counts: Any) -> BackendFrame:
    buckets = counts.pop("buckets", [0] * (len(DURATION_BOUNDS) + 1))
    return BackendFrame("default", "web", port, codes={200: ended}, duration_buckets=buckets, **counts)


def window(*backends: BackendFrame) -> Window:
    made = Window()
    made.add(
        sample(0.0, StatsFrame([backend(each.port) for each in backends]), {"a": ReplicaLoad(), "b": ReplicaLoad()})
    )
    made.add(sample(SECONDS, StatsFrame(list(backends)), {"a": ReplicaLoad(4, 50), "b": ReplicaLoad(2, 20)}))
    return made


def of_service(name: str, kind: str = "Service", service: str = "web", **selector: str) -> MetricSpec:
    identifier: dict[str, Any] = {"name": name} | ({"selector": {"matchLabels": selector}} if selector else {})
    described, target = {"kind": kind, "name": service}, {"type": "Value", "value": "1"}
    source = {"describedObject": described, "metric": identifier, "target": target}
    return msgspec.convert({"type": "Object", "object": source}, MetricSpec)


def of_pods(name: str, **selector: str) -> MetricSpec:
    identifier: dict[str, Any] = {"name": name} | ({"selector": {"matchLabels": selector}} if selector else {})
    source = {"metric": identifier, "target": {"type": "AverageValue", "averageValue": "1"}}
    return msgspec.convert({"type": "Pods", "pods": source}, MetricSpec)


def reading(spec: MetricSpec, window: Window, uses: Uses | None = None) -> Reading:
    return read(spec, "default", window, uses or Uses())


HTTP = backend("http", ended=60, in_flight=5, queued=2, tcp_open=1)
OTHER = backend("other", ended=10, in_flight=3, queued=1, tcp_open=7)


@pytest.mark.parametrize(
    ("name", "port", "value"),
    [
        ("weft_http_requests_in_flight", "", 8),
        ("weft_http_requests_in_flight", "http", 5),
        ("weft_http_requests_per_second", "", 7.8),
        ("weft_http_requests_per_second", "other", 1.3),
        ("weft_http_requests_queued", "", 3),
        ("weft_tcp_connections_open", "other", 7),
    ],
)
def test_of_a_service(name: str, port: str, value: float) -> None:
    spec = of_service(name, **({"port": port} if port else {}))
    assert reading(spec, window(HTTP, OTHER)) == Reading(value=amount(value))


def durations(**counts: int) -> list[int]:
    """By the index of their buckets."""
    buckets = [0] * (len(DURATION_BOUNDS) + 1)
    for name, count in counts.items():
        buckets[int(name.lstrip("b"))] = count
    return buckets


@pytest.mark.parametrize(
    ("percent", "buckets", "value"),
    [
        (50, durations(b7=100), 0.075),
        (95, durations(b7=100), 0.0975),
        (95, durations(b0=94, b10=6), 0.5 + 0.5 * (1 / 6)),
        (99, durations(b0=50, b14=50), 10.0),
        (50, durations(b0=10), 0.00025),
        (50, durations(), 0.0),
    ],
    ids=["within a bucket", "at its end", "rank between", "beyond the last bound", "in the first", "no requests"],
)
def test_latencies(percent: int, buckets: list[int], value: float) -> None:
    spec = of_service(f"weft_http_request_duration_seconds_p{percent}")
    assert reading(spec, window(backend("http", buckets=buckets))).value == pytest.approx(amount(value), abs=2)


def test_a_latency_that_nobody_can_know() -> None:
    spec = of_service("weft_http_request_duration_seconds_p95")
    assert reading(spec, window(backend("http", in_flight=2))).failure.endswith("no request has ended in 10 s")


def test_of_pods() -> None:
    assert reading(of_pods("weft_http_requests_in_flight"), window()).samples == {"a": amount(4), "b": amount(2)}
    assert reading(of_pods("weft_http_requests_per_second"), window()).samples == {"a": amount(5), "b": amount(2)}


def used(*looks: dict[str, tuple[ContainerUsage, ...]]) -> Uses:
    uses = Uses()
    for place, usage in enumerate(looks):
        uses.add(100.0 + SECONDS * place, usage)
    return uses


def container(name: str, seconds: float | None, used: float | None = None, **requests: str) -> ContainerUsage:
    return ContainerUsage(name, seconds, used, requests)


BEFORE = {"a": (container("main", 0.0), container("side", 0.0)), "b": (container("main", 0.0), container("side", None))}
AFTER = {
    "a": (container("main", 5.0, 100, cpu="500m", memory="1Ki"), container("side", 1.0, 50, cpu="250m")),
    "b": (container("main", 2.0, 100, cpu="500m", memory="1Ki"), container("side", None, None, cpu="250m")),
}


def test_cpu_is_the_sum_of_containers_and_missing_when_one_is() -> None:
    made = reading(metric("cpu%", 50), Window(), used(BEFORE, AFTER))
    assert made.samples == {"a": amount(0.6)}
    assert made.requests == {"a": amount(0.75), "b": amount(0.75)}
    assert (made.at, made.window, made.unrequested) == (110.0, SECONDS, "")


def test_of_one_container() -> None:
    made = reading(metric("cpu@main%", 50), Window(), used(BEFORE, AFTER))
    assert made.samples == {"a": amount(0.5), "b": amount(0.2)}
    assert made.requests == {"a": amount(0.5), "b": amount(0.5)}


def test_memory_and_what_was_not_requested() -> None:
    made = reading(metric("memory", "1Ki"), Window(), used(BEFORE, AFTER))
    assert made.samples == {"a": amount(150)}
    assert made.unrequested == "missing request for memory in container side of Pod a"


NO_METRIC = f"there are {', '.join(OBJECT_METRICS)}"
FAILURES: list[tuple[str, MetricSpec, Window, Uses, str]] = [
    ("an unknown metric", of_service("qps"), window(HTTP), Uses(), f"no metric is called qps; {NO_METRIC}"),
    ("an unknown metric of pods", of_pods("qps"), window(), Uses(), f"called qps; there are {', '.join(POD_METRICS)}"),
    (
        "not of a Service",
        of_service("weft_http_requests_in_flight", "Ingress"),
        window(HTTP),
        Uses(),
        "weft has metrics of Services",
    ),
    (
        "no such Service",
        of_service("weft_http_requests_in_flight", service="x"),
        window(HTTP),
        Uses(),
        "there is no such Service",
    ),
    (
        "no such port",
        of_service("weft_http_requests_in_flight", port="x"),
        window(HTTP),
        Uses(),
        "no port of it is selected",
    ),
    ("too early", of_service("weft_http_requests_in_flight"), Window(), Uses(), "only one sample of it so far"),
    ("labels of pods", of_pods("weft_http_requests_in_flight", a="b"), window(), Uses(), "have no labels to select by"),
    ("too early for cpu", metric("cpu%", 5), Window(), used(AFTER), "there is only one look at it so far"),
    ("a system that does not tell", metric("cpu%", 5), Window(), used({}, {}), "no metrics returned from the platform"),
    (
        "another resource",
        metric("ephemeral-storage", 5),
        Window(),
        used(BEFORE, AFTER),
        "only cpu and memory are measured",
    ),
    (
        "no such container",
        metric("cpu@x", 5),
        Window(),
        used(BEFORE, AFTER),
        "container x not present in metrics for pod a",
    ),
]


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row[0])
def test_failures(row: tuple[str, MetricSpec, Window, Uses, str]) -> None:
    _, spec, samples, uses, failure = row
    assert reading(spec, samples, uses).failure.endswith(failure)
