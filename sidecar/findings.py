"""What was found in manifests, as text: one line per fault, which editors and CI understand, and a summary.

A line is ``FILE:LINE:COL: KIND/NS/NAME: PATH: SEVERITY: message``.
"""

from __future__ import annotations

from typing import NamedTuple

from config.errors import Fault, Severity
from sidecar.terminal import Painter, printable

SEVERITIES: dict[Severity, str] = {"error": "red", "warning": "yellow", "notice": "dim"}
"""With the colour of each."""


class Findings(NamedTuple):
    """Faults by file and line, and how many objects were looked at."""

    faults: tuple[Fault, ...]
    objects: int

    def count(self, severity: str) -> int:
        return sum(fault.severity == severity for fault in self.faults)


def lines(findings: Findings, paint: Painter) -> list[str]:
    """A line for each fault, for a terminal or a log."""
    return [_line(fault, paint) for fault in findings.faults]


def _line(fault: Fault, paint: Painter) -> str:
    parts = [fault.object, fault.path]
    where = " ".join(f"{printable(str(part))}:" for part in parts if part)
    word = paint(SEVERITIES[fault.severity], f"{fault.severity}:")
    place = paint("bold", f"{printable(str(fault.source))}:")
    return " ".join(part for part in (place, where, word, printable(fault.message)) if part)


def summary(findings: Findings, paint: Painter) -> str:
    """How much was found in how much."""
    objects = _counted(findings.objects, "object")
    if not findings.faults:
        return paint("green", f"{objects}, nothing wrong") if findings.objects else "no objects found"
    counts = [_counted(findings.count(severity), severity) for severity in ("error", "warning")]
    if notices := findings.count("notice"):
        counts.append(_counted(notices, "notice"))
    worst = "red" if findings.count("error") else "yellow" if findings.count("warning") else "green"
    return paint(worst, ", ".join([objects, *counts]))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
