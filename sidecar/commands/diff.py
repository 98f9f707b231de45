"""``weft diff PATH...``: what a reload of these manifests would change in a running weft, field by field.

Exit code 0: nothing; 1: something; 2: it cannot be told, or a manifest has errors.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from sidecar.differences import Difference, differences
from sidecar.errors import UserError
from sidecar.options import read_options, read_path
from sidecar.reading import AdminClient, admin_address
from sidecar.terminal import Painter

DIFFERENT, TROUBLE = 1, 2


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="what a reload of manifests would change",
        description="Compares manifests with what a running weft has in force. Exit code 0: the same, 1: different, "
        "2: it cannot be told, or a manifest has errors.",
    )
    parser.add_argument(
        "paths", nargs="+", type=read_path, metavar="PATH", help="as weft up was given; - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from sidecar.comparison import compare
    from sidecar.findings import Findings, lines

    options = read_options(args)
    try:
        objects = AdminClient(admin_address(options)).json("/api/v1/config")["objects"]
    except UserError as error:
        raise UserError(str(error), TROUBLE) from None
    comparison = compare(objects, args.paths, options.state)
    found = list(differences(comparison.before, comparison.after))
    if args.json:
        kept = [key._asdict() for key in comparison.kept]
        print(json.dumps({"differences": [as_json(each) for each in found], "kept": kept}, indent=2))
    else:
        print("\n".join(text(found, Painter(sys.stdout))))
    for line in lines(Findings(comparison.faults, 0), Painter(sys.stderr)):
        print(line, file=sys.stderr)
    for key in comparison.kept:
        print(f"{key} stays as it is, because of these errors", file=sys.stderr)
    if not comparison.secrets_compared:
        print("values that are hidden are not compared: the state folder is not that weft's (--state)", file=sys.stderr)
    return TROUBLE if comparison.faults else DIFFERENT if found else 0


def as_json(found: Difference) -> dict[str, Any]:
    return found.key._asdict() | {
        "what": found.what,
        "changes": [change._asdict() for change in found.changes],
    }


def text(found: list[Difference], paint: Painter) -> list[str]:
    """A line for each object, and one for each field below it."""
    if not found:
        return ["nothing would change"]
    lines = []
    marks = {"added": paint("green", "+"), "changed": paint("yellow", "~"), "removed": paint("red", "-")}
    for each in found:
        lines.append(f"{marks[each.what]} {each.key} {each.what}")
        lines += [f"    {change.path}: {_value(change.before)} -> {_value(change.after)}" for change in each.changes]
    return lines


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith("(") else json.dumps(value, ensure_ascii=False)
