"""Options that every command and every role takes, before or after the command's name.

Each parser declares them without a default (argparse's SUPPRESS), so that the one given last wins and what
was not given at all is filled in here, once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from config.addresses import parse_host_port
from config.durations import parse_duration
from config.files import STDIN, is_open

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


class Address(NamedTuple):
    """HOST:PORT; an IPv6 host is written in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """``127.0.0.1:9901``, ``[::1]:9901``, ``localhost:9901``; raises ValueError that says what is wrong."""
    return Address(*parse_host_port(text))


class Options(NamedTuple):
    """The common options of one run."""

    state: Path
    admin: Address | None
    """None: what the NodeConfig says, or for reading commands what the state folder says."""
    log_level: str
    """Empty: what suits the command."""
    log_format: str


def default_state(environ: Mapping[str, str], uid: int) -> Path:
    """/var/lib/weft for root, else ``weft`` in XDG_STATE_HOME (``~/.local/state`` unless it is set)."""
    if uid == 0:
        return Path("/var/lib/weft")
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "weft"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the common options on `parser`."""
    group = parser.add_argument_group("options of every command")
    add, absent = group.add_argument, argparse.SUPPRESS
    add("--admin", metavar="HOST:PORT", type=_address, default=absent, help="admin address (default 127.0.0.1:9901)")
    add(
        "--state",
        metavar="DIR",
        type=Path,
        default=absent,
        help="state folder (default $XDG_STATE_HOME/weft, ~/.local/state/weft without that; root: /var/lib/weft)",
    )
    add(
        "--log-level",
        choices=LEVELS,
        default=absent,
        help="least level that is logged (default info; on a terminal warning)",
    )
    add("--log-format", choices=FORMATS, default=absent, help="how log lines on stderr look (default text)")


def read_options(args: argparse.Namespace) -> Options:
    """The common options that were given, and defaults for the rest."""
    given = vars(args)
    return Options(
        state=given.get("state") or default_state(os.environ, os.getuid()),
        admin=given.get("admin"),
        log_level=given.get("log_level", ""),
        log_format=given.get("log_format", "text"),
    )


def read_number(text: str) -> float:
    """A number of the command line; raises ArgumentTypeError that says what is wrong."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def read_count(text: str, most: int = 10**9) -> int:
    """A whole number from 1 to `most`; raises ArgumentTypeError that says what is wrong."""
    value = read_number(text)
    if not (1 <= value <= most and value.is_integer()):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number in 1..{most}")
    return int(value)


def read_path(text: str) -> Path:
    """A file or folder of manifests, or ``-``; raises ArgumentTypeError for none, as a variable not set leaves."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path: write . for this folder")
    return STDIN if text == "-" else Path(text)


def read_lasting_path(text: str) -> Path:
    """As `read_path`, of what is read again whenever it changes; raises ArgumentTypeError for a pipe."""
    path = read_path(text)
    if is_open(path):
        raise argparse.ArgumentTypeError(f"{text}: a running weft reads its manifests again: save them in a file")
    return path


def read_seconds(text: str) -> float:
    """``3``, ``3s``, ``1m30s``: seconds, of a bare number too; raises ArgumentTypeError that says what is wrong."""
    try:
        return float(text)
    except ValueError:
        return _duration(text)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
