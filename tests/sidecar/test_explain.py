"""``weft explain`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecar import cli
from tests.policy.source import ROOT

PAYMENT = str(ROOT / "examples" / "payment")


def test_the_command_explains_manifests(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["explain", "http://payment-svc/pay", "--from", PAYMENT, "--state", str(tmp_path)]
    assert cli.main(words) == 0
    text = capsys.readouterr().out
    assert "would go to a replica behind default/payment-svc:80" in text
    assert "Deployment default/payment-service would have 3 of them" in text
    assert cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend"]["service"] == "payment-svc"


MISTAKES = {
    "nothing asked": ([], 2, "one of the arguments URL --id is required"),
    "both asked": (["http://a/", "--id", "1"], 2, "not allowed with argument"),
    "an id and manifests": (["--id", "1", "--from", PAYMENT], 1, "--from about manifests: give one"),
    "no URL": (["ftp://a/", "--from", PAYMENT], 1, "explain: ftp://a/: the scheme must be one of"),
    "nobody there": (["http://a/", "--admin", "127.0.0.1:1"], 1, "no weft answers at 127.0.0.1:1"),
    "not served": (["http://nope/", "--from", PAYMENT], 1, ""),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words, code, says = MISTAKES[name]
    try:
        got = cli.main(["explain", *words, "--state", str(tmp_path)])
    except SystemExit as ended:
        got = int(ended.code or 0)
    assert got == code
    assert says in capsys.readouterr().err


def test_faults_of_the_manifests_are_told_beside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: 3}\n")
    words = ["--from", PAYMENT, "--from", str(tmp_path), "--state", str(tmp_path / "state")]
    assert cli.main(["explain", "http://payment-svc/", *words]) == 0
    assert "Service/default/x: spec.ports: error: expected a list" in capsys.readouterr().err
