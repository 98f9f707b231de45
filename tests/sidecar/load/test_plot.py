"""The picture of characters: as wide as the terminal at most, worst values kept, failures marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.load.plot import LABEL, MARKS, draw
from sidecar.load.timeline import Slice, Timeline


def slices(latencies: list[float]) -> list[Slice]:
    timeline = Timeline(len(latencies) * 0.1)
    for number, latency in enumerate(latencies):
        timeline.answered(number * 0.1 + 0.05, latency)
    return timeline.slices()


def test_a_slower_answer_stands_higher() -> None:
    lines = draw(slices([0.001, 0.1, 0.01]), width=15 + LABEL, height=9).splitlines()
    rows = {line[LABEL + 2 :].find("^"): y for y, line in enumerate(lines[:9]) if "^" in line}
    assert sorted(rows, key=rows.__getitem__) == [4, 8, 0]
    assert lines[0].startswith("    100 ms |")
    assert lines[-1].split() == [word for name, mark in MARKS.items() for word in (mark, name)]


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=60), st.integers(20, 200), st.integers(3, 30))
def test_it_fits(latencies: list[float], width: int, height: int) -> None:
    lines = draw(slices(latencies), width, height).splitlines()
    assert max(len(line) for line in lines[:-1]) <= max(width, LABEL + 12)
    assert len(lines) == height + 3


def test_the_worst_of_those_that_share_a_column_is_shown() -> None:
    even, spiky = slices([0.001] * 100), slices([0.001] * 57 + [1.0] + [0.001] * 42)
    assert draw(even, 40) != draw(spiky, 40)
    assert "1000 ms" in draw(spiky, 40)


@pytest.mark.parametrize("some", [[], [Slice(0.0, 0.1, 0, 3, {})]])
def test_nothing_to_plot(some: list[Slice]) -> None:
    assert draw(some) == "no answer to plot"


def test_failures_have_a_line() -> None:
    timeline = Timeline(0.3)
    timeline.answered(0.05, 0.01)
    timeline.failed(0.15)
    line = next(line for line in draw(timeline.slices(), 42).splitlines() if "failed" in line)
    assert line.endswith("|" + " " * 10 + "x" * 10)
