"""``weft sidecar``: one application's proxy, which registers it, probes it, guards and drains it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from config.resources.workloads import Probe
from sidecar.beside import Beside, parse_port, parse_probe, parse_service
from sidecar.channel.options import add_join, read_channel
from sidecar.roles import SIDECAR
from sidecar.starting import add_paths, start

T = TypeVar("T")

LARGEST_NAME = 254
"""Of a node, and the colon after it."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sidecar",
        help="stand beside one application: register, probe, guard and drain it",
        usage="weft sidecar --service NAMESPACE/NAME --port NAME=TARGETPORT [options] PATH... [-- COMMAND...]",
        description="Registers an application that listens on 127.0.0.1 as an endpoint of a Service, at the registries "
        "that spec.registry.servers of the NodeConfig names, and serves the Services of the manifests to it.  With a "
        "COMMAND it starts the application, passes signals on, and ends with its exit code.",
    )
    add = parser.add_argument
    add(
        "--service",
        required=True,
        metavar="[NAMESPACE/]NAME",
        type=_typed(parse_service),
        help="whose endpoint it is; NAME alone is in the namespace default",
    )
    add(
        "--port",
        required=True,
        action="append",
        metavar="NAME=TARGETPORT",
        type=_typed(parse_port),
        help="a port of the Service, and where the application listens; may be given again",
    )
    add(
        "--use",
        action="append",
        default=[],
        metavar="[NAMESPACE/]NAME",
        type=_typed(parse_service),
        help="a Service whose endpoints are known from the start; those of others are asked for once something is "
        "sent to them; may be given again",
    )
    add("--probe", metavar="http:PATH|tcp", help="how to see that it is ready (default: it accepts connections once)")
    add_paths(parser)
    add_join(parser)


def run(args: argparse.Namespace) -> int:
    beside = Beside(args.service, tuple(args.port), _probe(args), args.beyond, tuple(args.use), _name(args))
    return start(SIDECAR._replace(beside=beside, channel=read_channel(args)), args)


def _name(args: argparse.Namespace) -> str:
    """Whom the token is for; empty without one, and with one that is none, which is told when it is used."""
    if args.token is None:
        return ""
    try:
        with args.token.open(encoding="ascii") as file:
            name: str = file.readline(LARGEST_NAME).partition(":")[0]
    except (OSError, ValueError):
        return ""
    return name


def _probe(args: argparse.Namespace) -> Probe | None:
    if args.probe is None:
        return None
    try:
        return parse_probe(args.probe, args.port[0][1])
    except ValueError as problem:
        from sidecar.errors import UserError

        raise UserError(f"--probe: {problem}") from None


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """As `parse`, with what is wrong as argparse wants it."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return parsed
