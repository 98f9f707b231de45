"""The command line: one module per command in `sidecar.commands`, imported only when it is the one asked for.

A command module has ``add_parser(subparsers)``, which declares its arguments, and ``run(args)``, which returns
the exit code.  What a user did wrong arrives here as `UserError` and leaves as one line on stderr.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from sidecar import VERSION
from sidecar.errors import FAILURE, INTERRUPTED, UserError
from sidecar.options import add_options

COMMANDS = (
    "up", "registry", "node", "sidecar", "token", "apply", "delete", "get", "validate", "diff", "explain", "status",
    "tap", "load", "autoscale", "rollout", "schema",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``weft`` with `argv` (default: the process's own) and return its exit code."""
    if sys.stdout is None:  # it was started with a closed one, as by ``weft status >&-``
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # it stays open to the end, as the other would
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:  # also after --help, which ends by SystemExit
            sys.stdout.flush()
    except UserError as error:
        sys.stderr.write(f"weft: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # who reads has left, as in ``weft status | head -1``: no error
        _say_no_more()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _say_no_more()
        sys.stderr.write(f"weft: {error.strerror}\n")
        return FAILURE


def _run(words: list[str]) -> int:
    words, beyond = _split(words)
    modules = _command_modules(words)
    parser = _build_parser(modules)
    args = parser.parse_args(words)
    args.beyond = beyond
    if args.command is None:
        parser.print_help()
        return 0
    return int(modules[args.command].run(args))


def _split(words: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Our words, and those after ``--``, which are the command of a sidecar's application."""
    if "sidecar" not in words or "--" not in words:
        return words, ()
    at = words.index("--")
    return words[:at], tuple(words[at + 1 :])


def _command_modules(words: Sequence[str]) -> dict[str, ModuleType]:
    """The modules of the commands that `words` may mean; all of them when it is about help or a mistake."""
    wanted = [name for name in COMMANDS if name in words] or COMMANDS
    return {name: import_module(f"sidecar.commands.{name}") for name in wanted}


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, instead of the usage of everything."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Tells of an option that is none before anything else: what was meant by it may be what lacks."""
        self._refuse_unknown(list(args or ()))
        return super().parse_known_args(args, namespace)

    def _refuse_unknown(self, words: list[str]) -> None:
        commands = [each.choices or () for each in self._actions if isinstance(each, argparse._SubParsersAction)]
        known = self._option_string_actions
        for word in words:
            if word == "--" or any(word in names for names in commands):
                return
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            is_option = len(word) > 1 and word[0] == "-" and " " not in word and not word[1].isdecimal()
            if is_option and not any(option.startswith(name) for option in known):
                from config.suggestions import did_you_mean

                self.error(f"unknown option {name}{did_you_mean(name, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Only the parsers of some commands may have been made; what is meant may be any of them."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError:
            from config.suggestions import did_you_mean

            choices = COMMANDS if action.dest == "command" else tuple(action.choices or ())
            hint = did_you_mean(str(value), choices) or f" (choose from {', '.join(choices)})"
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{hint}") from None

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help says more\n")


def _build_parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="weft",
        description="A service mesh and load balancer that runs Kubernetes manifests where there is no cluster.",
    )
    parser.add_argument("--version", action="version", version=f"weft {VERSION}")
    add_options(parser)
    commands: Any = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)
    for module in modules.values():
        module.add_parser(commands)
    for command in commands.choices.values():
        add_options(command)
    return parser


def _say_no_more() -> None:
    """What is left to be printed goes nowhere, and is no error at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
