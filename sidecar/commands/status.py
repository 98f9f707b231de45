"""``weft status``: what a running weft serves, as a table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from typing import Any

from sidecar.options import read_options, read_seconds
from sidecar.reading import AdminClient, admin_address
from sidecar.status import Report, ingresses, remarks
from sidecar.terminal import Painter
from sidecar.traffic import Traffic, parse_traffic


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "status", help="services, ready endpoints and rates of a running weft, and what is missing"
    )
    parser.add_argument("--watch", action="store_true", help="show it again every second until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--window", metavar="SECONDS", type=_seconds, default=1.0, help="measure rates for this long (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    options = read_options(args)
    client = AdminClient(admin_address(options))
    before = read_traffic(client)
    with suppress(KeyboardInterrupt):  # the way to end --watch
        while True:
            time.sleep(args.window)
            after = read_traffic(client)
            show(client, args, before, after)
            if not args.watch:
                break
            before = after
    return 0


def read_traffic(client: AdminClient) -> Traffic:
    return parse_traffic(client.text("/metrics"), time.monotonic())


def show(client: AdminClient, args: argparse.Namespace, before: Traffic, after: Traffic) -> None:
    services = client.json("/api/v1/services")["services"]
    ready = client.json("/readyz", accept=(200, 503))
    config = client.json("/api/v1/config")
    rates = after.rates_since(before)
    dns = client.json("/api/v1/dns")
    nodes = client.json("/api/v1/nodes", accept=(200, 404))
    rollouts = client.json("/api/v1/rollouts", accept=(200, 404)).get("rollouts", ())
    platforms = client.json("/api/v1/platforms", accept=(200, 404)).get("platforms", ())
    cut_off = client.json("/api/v1/channel", accept=(200, 404)).get("failure", "")
    objects = config["objects"]
    report = Report(
        services, ready, rates, remarks(objects), config["read"], config["faults"], dns, nodes, ingresses(objects),
        rollouts, platforms, cut_off,
    )  # fmt: skip
    if args.json:
        print(json.dumps(report.as_json()), flush=True)
    else:
        clear = "\x1b[H\x1b[J" if args.watch and sys.stdout.isatty() else ""
        print(clear + report.render(Painter(sys.stdout)), flush=True)


def _seconds(text: str) -> float:
    seconds = read_seconds(text)
    if not 0 < seconds <= 60:
        raise argparse.ArgumentTypeError("must be above 0 and at most 60")
    return seconds
