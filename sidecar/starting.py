"""How the commands start a role: the arguments that they share, and the process until it runs."""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial

from sidecar.options import read_lasting_path, read_options
from sidecar.roles import Role


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Declare the manifests that a role is started with."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=read_lasting_path, help="files or folders of manifests"
    )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Declare how autoscalers are only watched."""
    parser.add_argument(
        "--dry-run", action="store_true", help="have autoscalers decide and change nothing: weft autoscale says what"
    )


def start(role: Role, args: argparse.Namespace) -> int:
    """Do what the role does until it is told to stop; the exit code."""
    gc.disable()  # until the first table: what is imported and read lives on, and looking for garbage takes 0.1 s

    from sidecar import lifecycle, logs, up

    options = read_options(args)
    # Where a person looks on, the announcements say all that is well.
    person = sys.stdout.isatty() and sys.stderr.isatty()
    logs.set_up(options.log_level or ("warning" if person else "info"), options.log_format)
    return lifecycle.run(partial(up.up, args.paths, options, role=role))
