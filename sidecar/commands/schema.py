"""``weft schema``: JSON Schema of what manifests may say, for editors."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sidecar.errors import UserError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "schema",
        help="JSON Schema of manifests, for editors",
        description="Prints a JSON Schema (draft 7) of TrafficPolicy, NodeConfig and the kinds of Kubernetes that are "
        "read. In an editor with yaml-language-server: # yaml-language-server: $schema=weft.schema.json",
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="only these; default: all")
    parser.add_argument("--json", action="store_true", help="print JSON, as it always does")


def run(args: argparse.Namespace) -> int:
    from config.configset import KINDS
    from config.schema import schema
    from config.suggestions import did_you_mean

    by_name = {kind.lower(): kind for kind in KINDS}
    for kind in args.kinds:
        if kind.lower() not in by_name:
            raise UserError(f'schema: no kind "{kind}" is read{did_you_mean(kind, tuple(KINDS))}')
    chosen = tuple(by_name[kind.lower()] for kind in args.kinds) or tuple(KINDS)
    print(json.dumps(schema(chosen), indent=1, ensure_ascii=False))
    return 0
