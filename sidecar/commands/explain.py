"""``weft explain URL``: which listener, rule, Backend and endpoint a request would take, and why.

It asks the weft that runs, or with ``--from PATH`` compiles manifests and asks those.  ``--id`` explains a request
that was, as far as it is remembered.  Exit code 1 when the request would not reach an endpoint.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any
from urllib.parse import urlencode

from sidecar.errors import FAILURE, UserError
from sidecar.options import Options, read_options, read_path
from sidecar.reading import AdminClient, admin_address
from sidecar.terminal import Painter


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "explain",
        help="which way a request would take, and why",
        description="Shows listener, rules, policy, endpoints and the pick for a request, without sending it. "
        "Exit code 1 when it would reach no endpoint.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "url", metavar="URL", nargs="?", help="http://HOST[:PORT]/PATH, also https://, and tcp:// or udp://HOST:PORT"
    )
    what.add_argument("--id", metavar="X-REQUEST-ID", help="a request of a moment ago, by the id that its answer had")
    parser.add_argument("-X", "--method", default="GET", help="default: GET")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("--client", default="127.0.0.1", metavar="ADDRESS", help="who asks; default: 127.0.0.1")
    parser.add_argument(
        "--from", dest="paths", action="append", default=[], type=read_path, metavar="PATH",
        help="explain by these manifests alone, whether or not weft runs",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    options = read_options(args)
    if args.id and args.paths:
        raise UserError("explain: --id asks about a request of a weft that runs, --from about manifests: give one")
    told = _offline(args, options) if args.paths else _online(args, options)
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        from sidecar.explain.text import render

        print(render(told, Painter(sys.stdout)))
    return 0 if told["reached"] else FAILURE


def _online(args: argparse.Namespace, options: Options) -> Any:
    asked = [("id", args.id)] if args.id else [("url", args.url), ("method", args.method), ("client", args.client)]
    asked += [("header", header) for header in args.header]
    told = AdminClient(admin_address(options)).json(f"/api/v1/explain?{urlencode(asked)}", accept=(200, 400, 404))
    if "error" in told:
        raise UserError(f"explain: {told['error']}")
    return told


def _offline(args: argparse.Namespace, options: Options) -> Any:
    from sidecar.explain.offline import explain_offline, known_from
    from sidecar.explain.question import BadQuestion, parse_question
    from sidecar.findings import Findings, lines

    manifests = known_from(args.paths, options.state)
    errors = tuple(fault for fault in manifests.faults if fault.severity == "error")
    for line in lines(Findings(errors, 0), Painter(sys.stderr)):
        print(line, file=sys.stderr)
    try:
        question = parse_question(args.url, args.method, args.header, args.client)
    except BadQuestion as fault:
        raise UserError(f"explain: {fault}") from None
    return explain_offline(question, manifests.known)
