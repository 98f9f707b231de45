"""``weft registry PATH...``: the registry alone, which nodes follow: DNS, and no traffic."""

from __future__ import annotations

import argparse
from typing import Any

from sidecar.channel.options import add_peers, read_channel
from sidecar.roles import REGISTRY
from sidecar.starting import add_dry_run, add_paths, start


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "registry",
        help="keep the endpoints of many nodes, as a DNS server",
        description="Serves the zones that nodes write their endpoints to, and the names of the Services of the "
        "manifests, by DNS at spec.dns of the NodeConfig, until Ctrl-C.",
    )
    add_paths(parser)
    add_dry_run(parser)
    add_peers(parser)


def run(args: argparse.Namespace) -> int:
    return start(REGISTRY._replace(channel=read_channel(args), dry_run=args.dry_run), args)
