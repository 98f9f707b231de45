"""What a load test found, as a value; as a table for people and as JSON for machines."""

from __future__ import annotations

import msgspec

from sidecar.load.histogram import Histogram
from sidecar.load.timeline import Slice

PERCENTILES = (50.0, 75.0, 90.0, 99.0, 99.9, 99.99)


class Report(msgspec.Struct, frozen=True):
    """Outcome of one run; times in seconds."""

    url: str
    rate_wanted: float
    seconds: float
    sent: int
    answered: int
    statuses: dict[str, int]
    errors: dict[str, int]
    """What went wrong (``connect``, ``closed``, ``timeout``, ``overload``) to how often."""
    latency: dict[str, float]
    """``mean``, ``max`` and percentiles (``p50`` ... ``p99.99``), from the moment a request was due."""
    service: dict[str, float]
    """The same, from the moment it was sent: what a closed-loop tool would have told."""
    late: dict[str, float]
    """The same, of the generator itself: how long after it was due a request was sent."""
    timeline: list[Slice] = []
    """What became of the requests that were due in each part of the run."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0


def summary(histogram: Histogram) -> dict[str, float]:
    """Mean, maximum and percentiles of a histogram, in seconds."""
    values = {"mean": histogram.mean, "max": histogram.maximum}
    return values | {f"p{percent:g}": histogram.percentile(percent) for percent in PERCENTILES}


def milliseconds(seconds: float) -> str:
    """Three significant digits."""
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def render(report: Report) -> str:
    """The report as a text of a few lines."""
    keys = ("mean", *(f"p{percent:g}" for percent in PERCENTILES), "max")
    lines = [
        f"{report.url}: {report.rate:.1f} of {report.rate_wanted:g} requests/s answered over {report.seconds:.1f} s",
        "",
        "latency         " + "".join(f"{key:>10}" for key in keys),
    ]
    rows = {"from due time": report.latency, "from sending": report.service, "generator late": report.late}
    lines += [f"{name:<16}" + "".join(f"{milliseconds(row[key]):>10}" for key in keys) for name, row in rows.items()]
    outcome = [f"{count} x {status}" for status, count in sorted(report.statuses.items())]
    outcome += [f"{count} x {error}" for error, count in sorted(report.errors.items())]
    return "\n".join([*lines, "", "answers: " + (", ".join(outcome) or "none")])
