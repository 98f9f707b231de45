"""Latency percentiles over time as a PNG, by matplotlib, which is not needed for anything else and may be missing."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from sidecar.load.report import Report

COLOURS = {"p50": "tab:green", "p90": "tab:olive", "p99": "tab:orange", "max": "tab:red"}


class NoPicture(Exception):
    """The picture cannot be made; the text says what to do."""


def check(path: Path) -> None:
    """Raises `NoPicture`, before the load and not after it."""
    if path.suffix.lower() != ".png":
        raise NoPicture(f"{path}: the picture is a PNG; call it {path.with_suffix('.png')}")
    if find_spec("matplotlib") is None:
        install = ".venv/bin/pip install -e '.[plot]' in weft's clone"
        raise NoPicture(f"a picture needs matplotlib: {install}, or draw with --plot alone")
    if not path.parent.is_dir():
        raise NoPicture(f"{path}: there is no folder {path.parent}")


def save(report: Report, path: Path) -> None:
    """Raises OSError if `path` cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import StrMethodFormatter

    figure = Figure(figsize=(10, 6), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for name, colour in COLOURS.items():
        points = [(each.at, each.latency[name] * 1000) for each in report.timeline if each.latency.get(name)]
        above.plot([at for at, _ in points], [value for _, value in points], color=colour, label=name)
    if any(each.latency for each in report.timeline):
        above.set_yscale("log")
        above.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        above.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
        above.legend(loc="upper right")
    above.set_ylabel("latency from due time, ms")
    above.set_title(f"{report.url}: {report.rate:.0f} of {report.rate_wanted:g} requests/s", parse_math=False)
    moments = [each.at for each in report.timeline]
    below.plot(moments, [each.answered / each.seconds for each in report.timeline], color="tab:blue", label="answered")
    if report.errors:
        below.plot(moments, [each.failed / each.seconds for each in report.timeline], color="tab:red", label="failed")
    below.set_ylim(bottom=0)
    below.legend(loc="lower right")
    below.set_ylabel("a second")
    below.set_xlabel("seconds")
    figure.savefig(path, format="png")
