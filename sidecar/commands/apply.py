"""``weft apply -f PATH``: store manifests in the registry, from where all nodes get them.

They are judged together with what is stored, and accepted as a whole or not at all; every fault is told with its
place.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.bearer import noted_token
from sidecar.errors import FAILURE, UserError
from sidecar.options import read_options, read_path
from sidecar.reading import AdminClient, admin_address
from sidecar.terminal import Painter, printable

PATH = "/api/v1/manifests"
MISSING = "not stored"
"""What becomes of an object that was to be deleted and is not there."""
COLOURS = {"error": "red", "warning": "yellow", "notice": "dim"}


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "apply",
        help="store manifests in the registry, for all nodes",
        description="Stores the objects of the files in the registry, all or none; where they are stored already, they "
        "are replaced.  Needs the state folder of the registry.",
    )
    add_files(parser, required=True)
    add_writing(parser)


def add_files(parser: Any, *, required: bool = False) -> None:
    parser.add_argument(
        "-f", "--filename", metavar="PATH", dest="paths", type=read_path, action="append", required=required,
        help="a file or folder of manifests, or - for standard input; may be given several times",
    )  # fmt: skip


def add_writing(parser: Any) -> None:
    """Declare what commands that write have in common."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from config.errors import FaultList
    from config.files import read_texts

    faults = FaultList()
    files = [{"name": name, "text": text} for name, text in read_texts(args.paths, faults)]
    if unreadable := [fault for fault in faults.all() if fault.severity == "error"]:
        raise UserError("\nweft: ".join(map(str, unreadable)))
    return write(args, "POST", PATH, json.dumps({"files": files}).encode())


def write(args: argparse.Namespace, method: str, path: str, body: bytes) -> int:
    """Have the registry carry it out, and tell what came of it; the exit code."""
    options = read_options(args)
    client = AdminClient(admin_address(options))
    if "manifests" not in client.json(PATH, accept=(200, 404)):
        raise UserError(f"the weft at {client.address} stores no manifests: --admin names one with --peers")
    if args.dry_run:
        path += "?dry-run"
    status, document = client.write(method, path, noted_token(options.state), body)
    if args.json:
        print(json.dumps(document, indent=2))
    else:
        for line in told(document, Painter(sys.stderr)):
            print(line, file=sys.stderr)
        for change in document["changes"] if status == 200 else ():
            where = sys.stderr if change["what"] == MISSING else sys.stdout
            print(f"{_name(change)} {change['what']}{' (dry run)' if args.dry_run else ''}", file=where)
        if status != 200:
            print("nothing was changed", file=sys.stderr)
    is_done = status == 200 and all(change["what"] != MISSING for change in document["changes"])
    return 0 if is_done else FAILURE


def told(document: Mapping[str, Any], paint: Painter) -> Iterator[str]:
    """A line for each fault, as ``weft validate`` writes them."""
    for fault in document["faults"]:
        where = " ".join(f"{printable(fault[part])}:" for part in ("object", "path") if fault[part])
        place = paint("bold", f"{printable(fault['source'])}:")
        word = paint(COLOURS.get(fault["severity"], "red"), f"{fault['severity']}:")
        yield " ".join(part for part in (place, where, word, printable(fault["message"])) if part)


def _name(change: Mapping[str, str]) -> str:
    return "/".join(part for part in (change["kind"], change["namespace"], change["name"]) if part)
