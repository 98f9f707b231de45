"""``weft tap``: exchanges of a running weft, as they end."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from sidecar.options import read_count, read_options
from sidecar.reading import AdminClient, admin_address
from sidecar.status import latency_text
from sidecar.terminal import Painter, printable


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "tap",
        help="exchanges of a running weft, as they end",
        description="Shows a line for each exchange until Ctrl-C. While somebody watches, each exchange costs what "
        "the access log costs.",
    )
    add = parser.add_argument
    add("-n", "--namespace", default="", help="of the Service")
    add("-s", "--service", default="", metavar="NAME")
    add("--protocol", default="", choices=("http", "tcp", "udp"), help="exchanges, connections or sessions")
    add("-X", "--method", default="")
    add("--path", default="", metavar="PREFIX", help="what path and query begin with")
    add("--status", default="", metavar="CODES", help="404, 5xx, 400-403, several separated by commas")
    add("--failed", action="store_true", help="only what the proxy itself ended")
    add("--recent", action="store_true", help="first those of a moment ago that are remembered")
    add("--count", type=read_count, default=None, metavar="N", help="end after so many")
    add("--json", action="store_true", help="a line of JSON for each")


def run(args: argparse.Namespace) -> int:
    client = AdminClient(admin_address(read_options(args)))
    with suppress(KeyboardInterrupt):  # the way to end it
        records = client.lines(f"/api/v1/tap?{urlencode(list(_query(args)))}")
        for record in islice(records, args.count):
            print(json.dumps(record) if args.json else line(record, Painter(sys.stdout)), flush=True)
    return 0


def _query(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for name in ("namespace", "service", "protocol", "method", "path", "status"):
        if getattr(args, name):
            yield name, getattr(args, name)
    for name in ("failed", "recent"):
        if getattr(args, name):
            yield name, "1"


def what(record: Mapping[str, Any]) -> str:
    """A request by its line, anything else by what was moved."""
    if record.get("protocol", "http") != "http":
        return f"{record.get('bytesIn', 0)} bytes in, {record.get('bytesOut', 0)} out"
    return printable(f"{record.get('method', '-')} {record.get('host', '')}{record.get('target', '')}")


def line(record: Mapping[str, Any], paint: Painter) -> str:
    """One exchange: when, how it ended, what it was, who served it, how long it took."""
    if "lost" in record:
        return paint("yellow", f"{record['lost']} more were not shown: they came faster than they were read")
    when = time.strftime("%H:%M:%S", time.localtime(record["time"]))
    status, protocol = record.get("status", 0), record.get("protocol", "http")
    bad = status >= 500 or (protocol != "http" and record.get("reason"))
    colour = "red" if bad else "yellow" if status >= 400 else "green"
    ended = str(status) if protocol == "http" else protocol
    where = f"{record.get('namespace', '')}/{record.get('service', '')}:{record.get('port', '')}"
    how = f" {record['reason']}" if record.get("reason") else ""
    tries = f" try {record['tries']}" if record.get("tries", 1) > 1 else ""
    return (
        f"{when} {paint(colour, ended)}{how} {latency_text(record.get('seconds', 0.0))} {what(record)} from "
        f"{record['client']} to {where} {record.get('endpoint', '-')}{tries} id {record.get('requestId', '-')}"
    )
