"""Latency percentiles over time as a picture of characters; the scale is logarithmic, since stalls are not linear."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from sidecar.load.report import milliseconds
from sidecar.load.timeline import Slice

MARKS = {"p50": ".", "p90": "o", "p99": "*", "max": "^"}
"""Where two meet, the later one is shown."""
FAILED = "x"
LABEL = 10
"""Columns of the scale's labels."""


def draw(slices: Sequence[Slice], width: int = 80, height: int = 14) -> str:
    """The picture, `width` columns wide at most; without answers it says so."""
    most = max(width - LABEL - 2, 10)
    columns = [column for column in _columns(slices, most) for _ in range(max(most // max(len(slices), 1), 1))]
    values = [value for column in columns for value in column.latency.values() if value > 0]
    if not values:
        return "no answer to plot"
    low, high = floor(log10(min(values)) * 2) / 2, log10(max(values))
    span = max(high - low, 0.5)
    rows = [[" "] * len(columns) for _ in range(height)]
    for x, column in enumerate(columns):
        for name, mark in MARKS.items():
            if value := column.latency.get(name):
                rows[_row(log10(value), low, span, height)][x] = mark
    lines = [_line(_label(y, low, span, height), row) for y, row in enumerate(rows)]
    failures = "".join(FAILED if column.failed else " " for column in columns).rstrip()
    if failures:
        lines.append(_line("failed", list(failures)))
    seconds = slices[-1].at + slices[-1].seconds
    end = f"{seconds:g} s"
    lines.append(" " * LABEL + " +" + "-" * len(columns))
    lines.append(" " * (LABEL + 2) + "0" + end.rjust(len(columns) - 1))
    return "\n".join([*lines, " " * (LABEL + 2) + "  ".join(f"{mark} {name}" for name, mark in MARKS.items())])


def _columns(slices: Sequence[Slice], most: int) -> Sequence[Slice]:
    """As many slices as there are columns; of those that share one, the worst counts."""
    step = max(-(-len(slices) // most), 1)
    groups = [slices[start : start + step] for start in range(0, len(slices), step)]
    return [group[0] if step == 1 else _worst(group) for group in groups]


def _worst(group: Sequence[Slice]) -> Slice:
    latency = {name: max(each.latency.get(name, 0.0) for each in group) for name in MARKS}
    answered, failed = sum(each.answered for each in group), sum(each.failed for each in group)
    return Slice(group[0].at, sum(each.seconds for each in group), answered, failed, latency if answered else {})


def _row(value: float, low: float, span: float, height: int) -> int:
    """Counted from above."""
    return height - 1 - min(max(int((value - low) / span * (height - 1) + 0.5), 0), height - 1)


def _label(y: int, low: float, span: float, height: int) -> str:
    """Every third row has one."""
    place = height - 1 - y
    return milliseconds(10 ** (low + span * place / (height - 1))) if y % 3 == 0 else ""


def _line(label: str, row: list[str]) -> str:
    return f"{label:>{LABEL}} |{''.join(row)}".rstrip()
