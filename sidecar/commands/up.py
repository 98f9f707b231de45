"""``weft up PATH...``: everything that one machine needs, in one process, until it is told to stop."""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial
from pathlib import Path
from typing import Any

from sidecar.options import read_options


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "up",
        help="run the workloads of manifests and carry traffic to them",
        description="Runs the Deployments of the manifests as processes and serves their Services, until Ctrl-C.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="files or folders of manifests")


def run(args: argparse.Namespace) -> int:
    gc.disable()  # until the first table: what is imported and read lives on, and looking for garbage takes 0.1 s

    from sidecar import lifecycle, logs, up

    options = read_options(args)
    # Where a person looks on, the announcements say all that is well.
    person = sys.stdout.isatty() and sys.stderr.isatty()
    logs.set_up(options.log_level or ("warning" if person else "info"), options.log_format)
    return lifecycle.run(partial(up.up, args.paths, options))
