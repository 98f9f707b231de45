"""The text format: escaping, numbers, heads, slices; read back by prometheus_client's parser."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mesh.exposition import SAMPLES_PER_SLICE, Family, FamilyLike, Sample, label_text, render
from tests.texts import texts


def text(*families: FamilyLike) -> str:
    return b"".join(render(families)).decode()


def gauge(value: float, labels: dict[str, str] | None = None, documentation: str = "Text.") -> Family:
    return Family("weft_x", "gauge", documentation, [Sample("weft_x", labels or {}, value)])


def test_a_counter() -> None:
    family = Family("weft_requests", "counter", "Requests.", [("weft_requests_total", 'code="200"', 3)])
    assert text(family) == (
        '# HELP weft_requests_total Requests.\n# TYPE weft_requests_total counter\nweft_requests_total{code="200"} 3\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "1"), (0, "0"), (True, "1"), (1.5, "1.5"), (1e-9, "1e-09"), (math.inf, "+Inf"), (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_numbers(value: float, written: str) -> None:
    assert text(gauge(value)).splitlines()[-1] == f"weft_x {written}"


def test_a_family_without_samples_has_a_head() -> None:
    assert text(Family("weft_x", "gauge", "Text.", ())) == "# HELP weft_x Text.\n# TYPE weft_x gauge\n"


def test_help_escapes_backslash_and_newline_only() -> None:
    assert text(gauge(1, documentation='a\\b\n"c"')).splitlines()[0] == '# HELP weft_x a\\\\b\\n"c"'


@given(st.dictionaries(st.sampled_from(["a", "b"]), texts(20)))
def test_any_label_value_comes_back(labels: dict[str, str]) -> None:
    for written in (labels, label_text(labels)):
        (family,) = text_string_to_metric_families(text(Family("weft_x", "gauge", "T.", [("weft_x", written, 1)])))
        assert family.samples[0].labels == labels


def test_families_of_prometheus_client_are_written_as_it_does() -> None:
    registry = CollectorRegistry()
    Counter("jobs", "Jobs \\ done", ["kind"], registry=registry).labels('a"b').inc()
    Gauge("depth", "Depth", registry=registry).set(1.5)
    Histogram("wait_seconds", "Wait", registry=registry, buckets=(0.1, 1.0)).observe(0.5)

    def bare(page: str) -> list[str]:
        return [line for line in page.splitlines() if "_created" not in line]

    ours = b"".join(render(registry.collect())).decode()  # type: ignore[arg-type]
    assert bare(ours) == bare(generate_latest(registry).decode())


def test_a_large_family_comes_in_slices() -> None:
    samples = (("weft_x", f'n="{number}"', number) for number in range(SAMPLES_PER_SLICE * 3))
    chunks = list(render([Family("weft_x", "gauge", "Text.", samples)]))
    assert len(chunks) == 4
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    assert max(chunk.count(b"\n") for chunk in chunks) <= SAMPLES_PER_SLICE + 2
