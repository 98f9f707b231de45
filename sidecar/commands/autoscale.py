"""``weft autoscale status`` and ``weft autoscale explain NAME``: what autoscalers want, and how they come to it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from config.suggestions import did_you_mean
from sidecar.errors import UserError
from sidecar.options import read_options
from sidecar.reading import AdminClient, admin_address
from sidecar.status import table
from sidecar.terminal import Painter, printable

Told = Mapping[str, Any]
HEADING = ("NAMESPACE", "NAME", "TARGET", "MIN", "MAX", "CURRENT", "DESIRED", "METRICS", "LAST")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "autoscale",
        help="what the autoscalers of a running weft want, and why",
        description="Shows the autoscalers of a running weft: their sizes and metrics (status), or how one "
        "of them came to its last decision, rule by rule (explain).",
    )
    parser.add_argument("what", choices=("status", "explain"), metavar="status|explain")
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="of a HorizontalPodAutoscaler, for explain")
    parser.add_argument("-n", "--namespace", default="", help="default: all")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    if args.what == "explain" and not args.name:
        raise UserError("autoscale: explain needs the name of a HorizontalPodAutoscaler", 2)
    client = AdminClient(admin_address(read_options(args)))
    document = client.json("/api/v1/autoscalers", accept=(200, 404))
    if "autoscalers" not in document:
        raise UserError(
            f"autoscale: the weft at {client.address} has no autoscaler: weft up and weft registry have one"
        )
    there = _chosen(document["autoscalers"], args.namespace, args.name)
    if args.json:
        print(json.dumps(there[0] if args.what == "explain" else there))
    elif args.what == "explain":
        print("\n\n".join("\n".join(explanation(each, Painter(sys.stdout))) for each in there))
    elif there:
        print("\n".join(table([HEADING, *map(row, there)], Painter(sys.stdout))))
    else:
        print("there is no HorizontalPodAutoscaler", file=sys.stderr)
    return 0


def row(told: Told) -> tuple[str, ...]:
    """A line of the table."""
    metrics = ", ".join(f"{_number(each['value'])}/{_number(each['target'])}" for each in told.get("metrics", ()))
    last = "dry run" if told["dryRun"] else "paused" if told["paused"] else "standby" if told["standby"] else ""
    words = " ".join(word for word in (told.get("word", "none yet"), f"({last})" if last else "") if word)
    sizes = (told["minReplicas"], told["maxReplicas"], told.get("currentReplicas"), told.get("desiredReplicas"))
    shown = ("-" if size is None else str(size) for size in sizes)
    return (told["namespace"], told["name"], told["target"], *shown, metrics or "-", words)


def explanation(told: Told, paint: Painter) -> list[str]:
    """Samples, ratios, what each rule did to the number, and the final word."""
    lines = [paint("bold", f"{told['namespace']}/{told['name']} scales {told['target']}")]
    lines.append(f"between {told['minReplicas']} and {told['maxReplicas']} replicas")
    if told["paused"] or told["dryRun"]:
        lines.append("it changes nothing: " + ("weft.dev/autoscale: paused" if told["paused"] else "dry run"))
    elif told["standby"]:
        lines.append(f"it changes nothing: {printable(told['standby'])}")
    if "at" not in told:
        return [*lines, "there was no decision yet"]
    lines.append(f"decided at {told['at']}")
    for metric in told["metrics"]:
        lines += ["", paint("bold", metric["metric"])]
        lines += [f"  {printable(step)}" for step in metric["steps"]]
        if metric["failure"]:
            lines.append(f"  {paint('red', 'unknown')}: {printable(metric['failure'])}")
    lines += ["", paint("bold", "rules"), *(f"  {printable(step)}" for step in told["steps"])]
    lines += ["", paint("bold", "conditions")]
    for each in told["conditions"]:
        lines.append(f"  {each['type']}: {each['status']}, {each['reason']}: {printable(each['message'])}")
    reason = f": {told['reason']}" if told["reason"] else ""
    return [*lines, "", f"{told['currentReplicas']} -> {told['desiredReplicas']}{reason}"]


def _chosen(there: Sequence[Told], namespace: str, name: str) -> list[Told]:
    inside = [each for each in there if namespace in ("", each["namespace"])]
    found = [each for each in inside if name in ("", each["name"])]
    if name and not found:
        names = [each["name"] for each in inside]
        raise UserError(f'autoscale: there is no HorizontalPodAutoscaler "{name}"{did_you_mean(name, names)}')
    return found


def _number(value: float | None) -> str:
    """As a quantity that people read; `None`: not known."""
    if value is None:
        return "?"
    large = next(((size, suffix) for size, suffix in _SUFFIXES if value >= 10 * size), None)
    return f"{value / large[0]:.4g}{large[1]}" if large else f"{value:.4g}"


_SUFFIXES = ((2.0**30, "Gi"), (2.0**20, "Mi"))
"""Numbers so large are bytes."""
