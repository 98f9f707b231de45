"""``weft get TYPE [NAME]``: the objects that a running weft has in force, without their secrets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from sidecar.errors import UserError
from sidecar.objects import (
    REPLICAS,
    Item,
    Unknown,
    absent,
    chosen,
    endpoint_rows,
    key_of,
    kind_of,
    manifests,
    rows,
    split,
)
from sidecar.options import read_options
from sidecar.reading import AdminClient, admin_address
from sidecar.redaction import HIDDEN
from sidecar.status import remark_line, table
from sidecar.terminal import Painter


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "get",
        help="objects that a running weft has in force",
        description="Shows objects in force, with the defaults and addresses that they were given. Values of secrets "
        "are hidden.",
    )
    parser.add_argument(
        "type",
        metavar="TYPE",
        help="a kind, as kubectl knows it (services, svc, ...), all, or pods: the replicas and "
        "other endpoints behind Services",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", default="")
    parser.add_argument("-n", "--namespace", default="", help="default: all")
    parser.add_argument(
        "--stored", action="store_true", help="only what the registry stores, and where that was written"
    )
    parser.add_argument("-o", "--output", choices=("table", "json", "yaml"), default="table", help="default: table")
    parser.add_argument("--json", action="store_const", const="json", dest="output", help="print JSON")


def run(args: argparse.Namespace) -> int:
    args.type, args.name = split(args.type, args.name)
    if args.type.lower() in REPLICAS:
        return _show_endpoints(args)
    try:
        kind = kind_of(args.type)
        client = AdminClient(admin_address(read_options(args)))
        objects = client.json("/api/v1/config")["objects"]
        if args.stored:
            objects = stored(objects, client.json("/api/v1/manifests", accept=(200, 404)))
        items = chosen(objects, kind, args.namespace, args.name)
    except Unknown as fault:
        raise UserError(f"get: {fault}") from None
    if args.output != "table" and HIDDEN[:-1] in json.dumps([item["object"] for item in items]):
        print("values that may be secret are hidden: do not apply this", file=sys.stderr)
    if args.output == "json":
        print(json.dumps(manifests(items, args.name), indent=2))
    elif args.output == "yaml":
        import yaml

        print(yaml.safe_dump(manifests(items, args.name), sort_keys=False, allow_unicode=True), end="")
    elif not items:
        print(_nothing(kind, args.stored), file=sys.stderr)
    else:
        remarks = [remark_line(item) for item in items if item["status"]["reasons"]]
        print("\n".join([*table(rows(items, kind), Painter(sys.stdout)), *([""] if remarks else []), *remarks]))
    return 0


def _nothing(kind: str, stored: bool) -> str:
    if stored:
        return f"no {kind or 'object'} that is stored is in force yet"
    hint = "; weft get pods shows endpoints that are in use" if kind in {"Endpoints", "EndpointSlice"} else ""
    return f"no {kind or 'object'} is in force{hint}"


def _show_endpoints(args: argparse.Namespace) -> int:
    """Of all Services, whatever they come from; a name is that of a replica."""
    told = AdminClient(admin_address(read_options(args))).json("/api/v1/endpoints")["endpoints"]
    there = [each for each in told if args.namespace in ("", each["namespace"])]
    found = [each for each in there if args.name in ("", each["replica"])]
    if args.name and not found:
        raise UserError(f"get: {absent('pod', args.name, args.namespace, [each['replica'] for each in there])}")
    if args.output == "json":
        print(json.dumps(found, indent=2))
    elif args.output == "yaml":
        import yaml

        print(yaml.safe_dump_all(found, sort_keys=False, allow_unicode=True), end="")
    elif found:
        print("\n".join(table(endpoint_rows(found), Painter(sys.stdout))))
    else:
        print("no endpoint of a Service is known; weft status shows Deployments", file=sys.stderr)
    return 0


def stored(objects: Iterable[Item], said: Mapping[str, Any]) -> list[Item]:
    """Of `objects` in force those that the registry stores, each with the source that it was applied from.

    Raises UserError for a weft that is no registry.
    """
    if "manifests" not in said:
        raise UserError("get: this weft stores no manifests: it is no registry with --peers")
    sources = {(each["kind"], each["namespace"], each["name"]): each["source"] for each in said["manifests"]}
    return [{**item, "source": sources[key]} for item in objects if (key := key_of(item)) in sources]
