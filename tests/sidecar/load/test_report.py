"""What a report says."""

from __future__ import annotations

import pytest

from sidecar.load.histogram import Histogram
from sidecar.load.report import Report, milliseconds, render, summary


def report(**changes: object) -> Report:
    row = summary(Histogram([0.001, 0.002, 0.25]))
    values: dict[str, object] = {
        "url": "http://127.0.0.1:80/",
        "rate_wanted": 100.0,
        "seconds": 10.0,
        "sent": 1000,
        "answered": 990,
        "statuses": {"200": 980, "503": 10},
        "errors": {"timeout": 10},
        "latency": row,
        "service": row,
        "late": row,
    }
    return Report(**(values | changes))  # type: ignore[arg-type]


def test_rate_is_answers_a_second() -> None:
    assert report().rate == 99.0
    assert report(seconds=0.0).rate == 0.0


def test_text_names_all_outcomes() -> None:
    text = render(report())
    for part in ("99.0 of 100 requests/s", "980 x 200", "10 x 503", "10 x timeout", "250 ms", "p99.9"):
        assert part in text


@pytest.mark.parametrize(("seconds", "text"), [(0.0001234, "0.123 ms"), (0.0123, "12.3 ms"), (1.5, "1500 ms")])
def test_milliseconds(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text
