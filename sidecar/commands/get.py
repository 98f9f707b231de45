"""``weft get TYPE [NAME]``: the objects that a running weft has in force, without their secrets."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from sidecar.errors import UserError
from sidecar.objects import Unknown, chosen, kind_of, manifest, rows
from sidecar.options import read_options
from sidecar.reading import AdminClient, admin_address
from sidecar.status import remark_line, table
from sidecar.terminal import Painter


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "get",
        help="objects that a running weft has in force",
        description="Shows objects in force, with the defaults and addresses that they were given. Values of secrets "
        "are hidden.",
    )
    parser.add_argument("type", metavar="TYPE", help="a kind, as kubectl knows it (services, svc, ...), or all")
    parser.add_argument("name", metavar="NAME", nargs="?", default="")
    parser.add_argument("-n", "--namespace", default="", help="default: all")
    parser.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table", help="default: table")
    parser.add_argument("--json", action="store_const", const="json", dest="output", help="print JSON")


def run(args: argparse.Namespace) -> int:
    try:
        kind = kind_of(args.type)
        objects = AdminClient(admin_address(read_options(args))).json("/api/v1/config")["objects"]
        items = chosen(objects, kind, args.namespace, args.name)
    except Unknown as fault:
        raise UserError(f"get: {fault}") from None
    if args.output == "json":
        print(json.dumps([manifest(item) for item in items], indent=2))
    elif args.output == "yaml":
        import yaml

        print(yaml.safe_dump_all([manifest(item) for item in items], sort_keys=False, allow_unicode=True), end="")
    elif not items:
        print(f"no {kind or 'object'} is in force", file=sys.stderr)
    else:
        remarks = [remark_line(item) for item in items if item["status"]["reasons"]]
        print("\n".join([*table(rows(items, kind), Painter(sys.stdout)), *([""] if remarks else []), *remarks]))
    return 0
