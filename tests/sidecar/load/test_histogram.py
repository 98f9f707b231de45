"""The histogram against exact percentiles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.load.histogram import Histogram, bucket_of, value_of

latencies = st.lists(st.floats(0, 100), min_size=1, max_size=200)


@given(st.integers(0, 10**9))
def test_a_bucket_holds_its_values_within_one_percent(microseconds: int) -> None:
    highest = value_of(bucket_of(microseconds))
    assert microseconds <= highest <= microseconds * 1.008 + 1


@given(st.integers(0, 10**9))
def test_buckets_are_ordered(microseconds: int) -> None:
    assert bucket_of(microseconds) <= bucket_of(microseconds + 1) <= bucket_of(microseconds) + 1


@given(latencies, st.sampled_from([50.0, 90.0, 99.0, 99.9, 100.0]))
def test_percentiles_are_those_of_the_sorted_list(seconds: list[float], percent: float) -> None:
    exact = sorted(seconds)[max(math.ceil(len(seconds) * percent / 100) - 1, 0)]
    assert Histogram(seconds).percentile(percent) == pytest.approx(exact, rel=0.01, abs=2e-6)


@given(latencies, latencies)
def test_two_histograms_add_up(some: list[float], more: list[float]) -> None:
    merged = Histogram(some)
    merged.merge(Histogram(more))
    both = Histogram(some + more)
    assert (merged.total, merged.maximum) == (both.total, both.maximum)
    assert merged.percentile(75) == both.percentile(75)


def test_an_empty_histogram_answers_zero() -> None:
    assert (Histogram().mean, Histogram().percentile(99), Histogram().maximum) == (0.0, 0.0, 0.0)


def test_a_clock_read_late_counts_as_zero() -> None:
    assert Histogram([-0.5]).maximum == 0.0
