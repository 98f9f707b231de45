"""``weft node PATH...``: as ``weft up``, on one of many machines, whose endpoints all meet in a registry."""

from __future__ import annotations

import argparse
from typing import Any

from sidecar.channel.options import add_join, add_run, read_channel
from sidecar.roles import NODE
from sidecar.starting import add_paths, start


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "node",
        help="carry traffic on one of many nodes, which share a registry",
        description="Runs the Deployments of the manifests as processes, registers them at the registries that "
        "spec.registry.servers of the NodeConfig names, and serves the Services with the endpoints of all nodes, "
        "until Ctrl-C.",
    )
    add_paths(parser)
    add_join(parser)
    add_run(parser)


def run(args: argparse.Namespace) -> int:
    return start(NODE._replace(channel=read_channel(args)), args)
