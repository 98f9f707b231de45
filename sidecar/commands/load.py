"""``weft load URL --rate R``: an open-loop load test with corrected latencies."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path
from shutil import get_terminal_size

from sidecar.errors import UserError
from sidecar.load.report import Report, render
from sidecar.options import read_count, read_number, read_seconds

MOST_CONNECTIONS = 10_000
TERMINAL = Path()
"""In place of a file: draw with characters."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "load",
        help="an open-loop load test with corrected latencies",
        description="Sends requests at a fixed rate, whether or not answers come, and counts each latency from "
        "the moment the request was due (so that a stall of the server is not hidden by waiting for it). "
        "Exit code 1 when a request got no answer.",
    )
    parser.add_argument("url", metavar="URL", help="http://HOST[:PORT]/PATH")
    parser.add_argument("--rate", type=_positive, required=True, metavar="R", help="requests a second")
    parser.add_argument(
        "--duration", type=_seconds, default=10.0, metavar="SECONDS", help="3, 3s or 1m30s; default: 10"
    )
    parser.add_argument("--connections", type=_connections, default=64, metavar="N", help="default: 64")
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="SECONDS", help="for the last answers; default: 10"
    )
    parser.add_argument(
        "--arrivals", choices=("even", "poisson"), default="even", help="spacing of requests; default: even"
    )
    parser.add_argument("-X", "--method", default="GET", help="default: GET")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("-d", "--data", default="", metavar="TEXT", help="body of every request; @FILE reads a file")
    parser.add_argument(
        "--plot", nargs="?", type=Path, const=TERMINAL, metavar="FILE.png",
        help="latency percentiles over time, as a picture in FILE.png, or without FILE as text",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the report as JSON")


def _positive(text: str) -> float:
    return _finite(text, read_number(text))


def _seconds(text: str) -> float:
    return _finite(text, read_seconds(text))


def _finite(text: str, value: float) -> float:
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    if value == float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def _connections(text: str) -> int:
    return read_count(text, MOST_CONNECTIONS)


def run(args: argparse.Namespace) -> int:
    """Load, report; 1 when nothing was answered or anything failed."""
    import msgspec
    import uvloop

    from sidecar.load.generator import Generator
    from sidecar.load.progress import told
    from sidecar.load.schedule import evenly, poisson
    from sidecar.load.target import BadTarget, parse_target

    _check_plot(args)
    try:
        target = parse_target(args.url, args.method, args.header, _body(args.data))
    except BadTarget as fault:
        raise UserError(f"load: {fault}") from None
    except OSError as fault:
        raise UserError(f"load: {args.data[1:]} cannot be read: {fault.strerror}") from None
    schedule = evenly(args.rate) if args.arrivals == "even" else poisson(args.rate, random.Random())

    async def load() -> Report:
        generator = Generator(target, schedule, args.connections, args.timeout)
        async with told(generator, args.duration, sys.stderr):
            return await generator.run(args.rate, args.duration)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(load())
    except ConnectionError as error:
        raise UserError(f"load: {error}") from None
    print(msgspec.json.encode(report).decode() if args.json else render(report))
    _plot(report, args.plot)
    return 0 if report.answered and not report.errors else 1


def _check_plot(args: argparse.Namespace) -> None:
    """Raises UserError for a plot that could not be made, before the load and not after it."""
    from sidecar.load.picture import NoPicture, check

    if args.plot == TERMINAL:
        if args.json:
            raise UserError("load: --plot without a file draws a text, which is no JSON: give --plot FILE.png")
    elif args.plot is not None:
        try:
            check(args.plot)
        except NoPicture as fault:
            raise UserError(f"load: {fault}") from None


def _plot(report: Report, where: Path | None) -> None:
    if where == TERMINAL:
        from sidecar.load.plot import draw

        print(f"\n{draw(report.timeline, get_terminal_size().columns)}")
    elif where is not None:
        from sidecar.load.picture import save

        try:
            save(report, where)
        except OSError as fault:
            raise UserError(f"load: {where} cannot be written ({fault.strerror})") from None


def _body(text: str) -> bytes:
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
