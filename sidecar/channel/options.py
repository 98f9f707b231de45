"""Options of the channel: where a registry takes connections of nodes, or which registry a node connects to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from config.naming import DNS_SUBDOMAIN
from sidecar.options import Address, parse_address


class ChannelOptions(NamedTuple):
    """What was given; `peers` or `join`, and never both."""

    peers: Address | None = None
    """Where the registry takes connections."""
    join: tuple[Address, ...] = ()
    """Where a registry does; of several, in this order."""
    token: Path | None = None
    """The file with this node's token."""
    runs: tuple[str, ...] = ()
    """``NAMESPACE/NAME`` of stored Deployments that this process runs."""
    run_with: tuple[str, ...] = ()
    """What it takes of them besides their images, as `guard.OPTIONAL` has it."""


def add_peers(parser: Any) -> None:
    """Declare what a process takes that is a registry."""
    parser.add_argument(
        "--peers", metavar="HOST:PORT", type=_address,
        help="take connections of nodes there, which get what `weft apply` stores (see `weft token`)",
    )  # fmt: skip


def add_join(parser: Any) -> None:
    """Declare what a process takes that connects to a registry."""
    parser.add_argument(
        "--join", metavar="HOST:PORT", action="append", default=[], type=_dialled,
        help="where the registry takes connections of nodes (its --peers); a name is looked up for each connection; "
        "may be given several times: when one is gone, or stands by while another acts, the next, which must take the "
        "same token",
    )  # fmt: skip
    parser.add_argument(
        "--token", metavar="FILE", type=Path, help="the token of this node, as `weft token create NODE` printed it"
    )


def add_run(parser: Any) -> None:
    """Declare what a process takes that may run what is stored."""
    parser.add_argument(
        "--run", metavar="NAMESPACE/NAME", dest="runs", action="append", default=[], type=parse_run,
        help="run this Deployment when it is stored in the registry, with spec.images of this node's NodeConfig; may "
        "be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--run-with", metavar="args|env|workingDir", action="append", default=[], choices=("args", "env", "workingDir"),
        help="take these fields of it too, by which whoever stores it may have other things executed here; may be "
        "given several times",
    )  # fmt: skip


def read_channel(args: argparse.Namespace) -> ChannelOptions | None:
    """What was given; None: nothing, so that there is no channel.  Raises UserError for half of it."""
    from sidecar.errors import UserError

    given = vars(args)
    peers, token, runs = (given.get(name) for name in ("peers", "token", "runs"))
    join = tuple(dict.fromkeys(given.get("join") or ()))
    run_with = tuple(sorted(set(given.get("run_with") or ())))
    if run_with and not runs:
        raise UserError("--run-with says what is taken of a Deployment that --run names")
    if join and token is None:
        raise UserError("--join needs --token FILE: `weft token create NODE`, where the registry runs, prints one")
    if token is not None and not join:
        raise UserError("--token needs --join HOST:PORT, the --peers address of the registry")
    if peers is None and not join:
        if runs:
            raise UserError("--run is about what a registry stores: it needs a connection to one, or --peers")
        return None
    return ChannelOptions(peers, join, token, tuple(sorted(set(runs or ()))), run_with)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _dialled(text: str) -> Address:
    """As `_address`, or a name and a port."""
    host, _, port = text.rpartition(":")
    is_name = DNS_SUBDOMAIN.problem(host) is None and not host.rpartition(".")[2].isdecimal() and host != "localhost"
    return _address(f"127.0.0.1:{port}")._replace(host=host) if is_name else _address(text)


def parse_run(text: str) -> str:
    """NAMESPACE/NAME of a Deployment, as argparse wants it checked."""
    namespace, slash, name = text.partition("/")
    if not slash or DNS_SUBDOMAIN.problem(namespace) or DNS_SUBDOMAIN.problem(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME, such as 'default/web'")
    return text
