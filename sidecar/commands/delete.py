"""``weft delete KIND NAME``: have the registry store an object no longer, and so all nodes do without it."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlencode

from sidecar.commands.apply import PATH, add_writing, write
from sidecar.errors import UserError
from sidecar.objects import Unknown, kind_of


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "delete",
        help="have the registry store a manifest no longer",
        description="Deletes an object from the registry's store.  Needs the state folder of the registry.",
    )
    parser.add_argument("kind", metavar="KIND", help="a kind, as kubectl knows it (service, svc, ...)")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace", default="default", help="default: default")
    add_writing(parser)


def run(args: argparse.Namespace) -> int:
    from config.defaults import namespace_of

    try:
        kind = kind_of(args.kind, one=True)
    except Unknown as fault:
        raise UserError(f"delete: {fault}") from None
    query = urlencode({"kind": kind, "namespace": namespace_of(kind, args.namespace), "name": args.name})
    return write(args, "DELETE", f"{PATH}?{query}")
