"""``weft delete KIND NAME`` or ``-f PATH``: have the registry store objects no longer, and so all nodes do without."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.meta import ObjectKey
from sidecar.commands.apply import PATH, add_files, add_writing, write
from sidecar.errors import UserError
from sidecar.objects import Unknown, kind_of, split


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "delete",
        help="have the registry store manifests no longer",
        description="Deletes an object, or all objects of files, from the registry's store.  Needs the state folder of "
        "the registry.  Exit code 1 when one is not stored.",
    )
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", default="", help="a kind, as kubectl knows it (service, svc, ...)"
    )
    parser.add_argument("name", metavar="NAME", nargs="?", default="")
    parser.add_argument("-n", "--namespace", default="default", help="of NAME; default: default")
    add_files(parser)
    add_writing(parser)


def run(args: argparse.Namespace) -> int:
    args.kind, args.name = split(args.kind, args.name)
    if bool(args.paths) == bool(args.kind) or bool(args.kind) != bool(args.name):
        raise UserError("delete: give either KIND NAME or -f PATH", 2)
    keys = _written(args.paths) if args.paths else [_named(args)]
    return write(args, "DELETE", PATH, json.dumps({"objects": [key._asdict() for key in keys]}).encode())


def _named(args: argparse.Namespace) -> ObjectKey:
    from config.defaults import namespace_of

    try:
        kind = kind_of(args.kind, one=True)
    except Unknown as fault:
        raise UserError(f"delete: {fault}") from None
    return ObjectKey(kind, namespace_of(kind, args.namespace), args.name)


def _written(paths: Sequence[Path]) -> list[ObjectKey]:
    """What the files say that can be stored, whatever else may be wrong with it."""
    from config.configset import KINDS
    from config.loader import load

    loaded = load(paths)
    if unreadable := [fault for fault in loaded.faults if fault.severity == "error" and fault.object is None]:
        raise UserError("\nweft: ".join(map(str, unreadable)))
    found = {*loaded.config_set.sources, *(fault.object for fault in loaded.faults if fault.object)}
    keys = sorted(key for key in found if key.name and key.kind in KINDS and key.kind != "NodeConfig")
    if not keys:
        raise UserError("delete: there is no object in these files that a registry stores")
    return keys
