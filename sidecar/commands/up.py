"""``weft up PATH...``: everything that one machine needs, in one process, until it is told to stop."""

from __future__ import annotations

import argparse
from typing import Any

from sidecar.channel.options import add_peers, add_run, read_channel
from sidecar.roles import UP
from sidecar.starting import add_dry_run, add_paths, start


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "up",
        help="run the workloads of manifests and carry traffic to them",
        description="Runs the Deployments of the manifests as processes and serves their Services, until Ctrl-C.",
    )
    add_paths(parser)
    add_dry_run(parser)
    add_peers(parser)
    add_run(parser)


def run(args: argparse.Namespace) -> int:
    return start(UP._replace(channel=read_channel(args), dry_run=args.dry_run), args)
