"""``weft token create|list|revoke``: who may open the channel of the registry whose state folder this is.

It works on the state folder alone, whether the registry runs or not; one that runs notices within a second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sidecar.channel.options import parse_run
from sidecar.errors import UserError
from sidecar.options import add_options, read_options


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "token",
        help="credentials of the nodes that may connect to this registry",
        description="Makes, lists and revokes credentials of nodes, in the state folder of the registry.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="print a new token for a node; its last one is good no longer")
    create.add_argument("node", metavar="NODE", help="the node's name, as it registers itself")
    create.add_argument(
        "--run", metavar="NAMESPACE/NAME", dest="runs", action="append", default=[], type=parse_run,
        help="a Deployment that the node may run, with its Secrets; may be given several times (default: none)",
    )  # fmt: skip
    listing = actions.add_parser("list", help="the nodes that have a token, and since when")
    listing.add_argument("--json", action="store_true", help="print JSON")
    revoke = actions.add_parser("revoke", help="cut a node off")
    revoke.add_argument("node", metavar="NODE")
    for action in (create, listing, revoke):
        add_options(action)


def run(args: argparse.Namespace) -> int:
    try:
        return _ACTIONS[args.action](args)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"token: the state folder cannot be used ({error.strerror})") from None
    except ValueError as error:
        raise UserError(f"token: {error}") from None


def _create(args: argparse.Namespace) -> int:
    from sidecar.channel.certificate import certificate
    from sidecar.channel.credentials import Credentials, Token

    state = read_options(args).state
    fingerprint = certificate(state).fingerprint
    secret = Credentials(state).create(args.node, datetime.now(UTC).isoformat(timespec="seconds"), args.runs)
    print(Token(args.node, secret, fingerprint))
    return 0


def _list(args: argparse.Namespace) -> int:
    from sidecar.channel.credentials import Credentials
    from sidecar.status import table
    from sidecar.terminal import Painter

    nodes = Credentials(read_options(args).state).nodes()
    rows = [(name, nodes[name].created, nodes[name].runs) for name in sorted(nodes)]
    if args.json:
        print(json.dumps([{"node": name, "created": at, "runs": runs} for name, at, runs in rows], indent=2))
    elif rows:
        lines = [(name, at, " ".join(runs) or "-") for name, at, runs in rows]
        print("\n".join(table([("NODE", "CREATED", "RUNS"), *lines], Painter(sys.stdout))))
    else:
        print("no node has a token", file=sys.stderr)
    return 0


def _revoke(args: argparse.Namespace) -> int:
    from sidecar.channel.credentials import Credentials

    if not Credentials(read_options(args).state).revoke(args.node):
        raise UserError(f"token: no node {args.node} has a token")
    return 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"create": _create, "list": _list, "revoke": _revoke}
