"""``weft token``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecar.channel.credentials import Credentials, parse_token
from sidecar.cli import main


def test_tokens_are_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state", str(tmp_path)]
    assert main(["token", "create", "node-1", "--run", "default/web", *state]) == 0
    token = parse_token(capsys.readouterr().out)
    assert Credentials(tmp_path).admitted(token.authorization) == token.node == "node-1"
    assert main(["token", "list", "--json", *state]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["node"], each["runs"]) for each in listed] == [("node-1", ["default/web"])]
    assert main(["token", "list", *state]) == 0
    assert token.secret not in capsys.readouterr().out
    assert main(["token", "revoke", "node-1", *state]) == 0
    assert Credentials(tmp_path).admitted(token.authorization) is None
    assert main(["token", "list", *state]) == 0
    assert "no node" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [(["create", "UPPER"], "DNS"), (["revoke", "nobody"], "no node nobody"), (["list"], "nodes.json")],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    if words == ["list"]:
        (tmp_path / "channel").mkdir()
        (tmp_path / "channel" / "nodes.json").write_text("{")
    assert main(["token", *words, "--state", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
