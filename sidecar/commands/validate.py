"""``weft validate PATH...``: every fault of manifests, without running anything.

Text is one line per fault, ``FILE:LINE:COL: KIND/NS/NAME: PATH: SEVERITY: message``, which editors and CI understand,
and a summary.  ``--json`` prints one object, of this shape::

    {"objects": 3, "errors": 1, "warnings": 0, "notices": 0, "faults": [
        {"severity": "error", "file": "web.yaml", "line": 12, "column": 11, "kind": "Service", "namespace": "default",
         "name": "web", "path": "spec.ports[0].targetPort", "message": "..."}]}

The exit code is 1 when there is an error, else 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import Fault
from sidecar.errors import FAILURE
from sidecar.terminal import Painter

COLOURS = {"error": "red", "warning": "yellow", "notice": "dim"}


class Findings(NamedTuple):
    """Faults by file and line, and how many objects were looked at."""

    faults: tuple[Fault, ...]
    objects: int

    def count(self, severity: str) -> int:
        return sum(fault.severity == severity for fault in self.faults)


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "validate",
        help="every fault of manifests, with file and line",
        description="Reads manifests as weft up does and prints all that is wrong with them.  Exit code 1 on errors.",
    )
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder of YAML and JSON files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    findings = examine(args.paths)
    if args.json:
        print(json.dumps(as_json(findings), indent=2))
    else:
        print("\n".join(lines(findings, Painter(sys.stdout))))
    return FAILURE if findings.count("error") else 0


def examine(paths: list[Path]) -> Findings:
    """Read `paths` and give out addresses, as ``weft up`` would on an empty state folder."""
    # The YAML parser is needed by this command only.
    from config.loader import load
    from discovery.allocation import allocate
    from discovery.assignments import Assignments

    loaded = load(paths)
    faults = (*loaded.faults, *allocate(loaded.config_set, Assignments()).faults)
    objects = {*loaded.config_set.sources, *(fault.object for fault in faults if fault.object)}
    return Findings(tuple(sorted(faults, key=lambda fault: fault.source)), len(objects))


def lines(findings: Findings, paint: Painter) -> list[str]:
    """The text for a terminal or a log."""
    return [*(_line(fault, paint) for fault in findings.faults), _summary(findings, paint)]


def as_json(findings: Findings) -> dict[str, Any]:
    counts = {f"{severity}s": findings.count(severity) for severity in COLOURS}
    return {"objects": findings.objects, **counts, "faults": [_fault_as_json(fault) for fault in findings.faults]}


def _line(fault: Fault, paint: Painter) -> str:
    parts = [fault.object, fault.path]
    where = " ".join(f"{_printable(str(part))}:" for part in parts if part)
    word = paint(COLOURS[fault.severity], f"{fault.severity}:")
    place = paint("bold", f"{_printable(str(fault.source))}:")
    return " ".join(part for part in (place, where, word, _printable(fault.message)) if part)


def _printable(text: str) -> str:
    """A manifest cannot steer the terminal: what is not printable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _summary(findings: Findings, paint: Painter) -> str:
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


def _fault_as_json(fault: Fault) -> dict[str, Any]:
    kind, namespace, name = fault.object or ("", "", "")
    return {
        "severity": fault.severity,
        "file": fault.source.file,
        "line": fault.source.line,
        "column": fault.source.column,
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "path": fault.path,
        "message": fault.message,
    }
