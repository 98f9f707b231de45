"""What a user can put right is words and an exit code."""

from __future__ import annotations

import pytest

from sidecar import cli
from sidecar.errors import INTERRUPTED, UserError


class Command:
    """A command that ends with an exception."""

    def __init__(self, ending: BaseException) -> None:
        self.ending = ending

    def add_parser(self, subparsers: object) -> None:
        subparsers.add_parser("status")  # type: ignore[attr-defined]

    def run(self, _args: object) -> int:
        raise self.ending


ENDINGS = {
    "mistake": (UserError("no such thing"), 1, "weft: no such thing\n"),
    "mistake with a code": (UserError("no such thing", 3), 3, "weft: no such thing\n"),
    "interrupted": (KeyboardInterrupt(), INTERRUPTED, ""),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_how_commands_end(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ending, code, words = ENDINGS[name]
    monkeypatch.setattr(cli, "_command_modules", lambda _words: {"status": Command(ending)})
    assert cli.main(["status"]) == code
    assert capsys.readouterr().err == words
