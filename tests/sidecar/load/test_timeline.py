"""Latencies over time add up to all latencies, and stand where their requests were due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.load.histogram import Histogram
from sidecar.load.report import summary
from sidecar.load.timeline import LEAST_SECONDS, MOST_SLICES, Timeline

WIDTHS = {"short": (0.05, 1), "a second": (1.0, 10), "long": (3600.0, MOST_SLICES), "nothing": (0.0, 1)}


@pytest.mark.parametrize("name", WIDTHS)
def test_there_are_never_too_many_slices(name: str) -> None:
    seconds, count = WIDTHS[name]
    slices = Timeline(seconds).slices()
    assert len(slices) == count
    assert slices[0].seconds >= LEAST_SECONDS
    assert slices[-1].at + slices[-1].seconds >= seconds * 0.99


@given(st.lists(st.tuples(st.floats(-1, 20), st.floats(0, 100)), max_size=50), st.floats(0, 10))
def test_nothing_is_lost(answers: list[tuple[float, float]], seconds: float) -> None:
    timeline = Timeline(seconds)
    for due, latency in answers:
        timeline.answered(due, latency)
        timeline.failed(due)
    slices = timeline.slices()
    assert sum(each.answered for each in slices) == sum(each.failed for each in slices) == len(answers)
    expected = summary(Histogram([latency for _, latency in answers]))
    assert summary(timeline.total()) == pytest.approx(expected)


def test_a_stall_stands_where_it_was() -> None:
    timeline = Timeline(1.0)
    for number in range(100):
        timeline.answered(number / 100, 2.0 if 30 <= number < 40 else 0.001)
    worst = [each.at for each in timeline.slices() if each.latency["p50"] > 1]
    assert worst == [pytest.approx(0.3)]


def test_a_slice_without_an_answer_has_no_latency() -> None:
    timeline = Timeline(0.2)
    timeline.failed(0.0)
    assert [(each.answered, each.failed, each.latency) for each in timeline.slices()] == [(0, 1, {}), (0, 0, {})]
