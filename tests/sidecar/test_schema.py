"""``weft schema`` as a user types it."""

from __future__ import annotations

import json

import pytest

from sidecar import cli


def test_all_kinds_and_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert cli.main(["schema", "trafficpolicy"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert "TrafficPolicySpec" in one["definitions"].keys() & whole["definitions"].keys()
    assert "NodeConfigSpec" in whole["definitions"].keys() - one["definitions"].keys()


def test_a_kind_that_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", "Servce"]) == 1
    assert capsys.readouterr().err == 'weft: schema: no kind "Servce" is read; did you mean "Service"?\n'
