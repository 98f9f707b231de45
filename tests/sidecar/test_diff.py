"""``weft diff`` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar import cli
from sidecar.fingerprints import new_fingerprints
from tests.sidecar.commanding import answering
from tests.sidecar.test_comparison import MANIFESTS, listed


class World:
    def __init__(self, folder: Path, address: str) -> None:
        self.manifests = folder / "manifests" / "all.yaml"
        self._words = ["diff", str(folder / "manifests"), "--admin", address]
        self._state = folder / "state"

    def diff(self, *words: str, state: Path | None = None) -> int:
        return cli.main([*self._words, "--state", str(state or self._state), *words])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for name in ("manifests", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)
    objects = listed(tmp_path, new_fingerprints(tmp_path / "state"))
    with answering({"/api/v1/config": {"objects": objects}}) as address:
        yield World(tmp_path, address)


def test_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.diff() == 0
    assert capsys.readouterr() == ("nothing would change\n", "")


def test_fields_that_differ(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.manifests.write_text(MANIFESTS.replace("90s", "1s").replace("name: key", "name: new"))
    assert world.diff() == 1
    assert capsys.readouterr().out == (
        "- Secret/default/key removed\n"
        "+ Secret/default/new added\n"
        "~ TrafficPolicy/default/shop changed\n"
        '    spec.timeouts.idle: "1m30s" -> "1s"\n'
    )
    assert world.diff("--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["what"] for each in found["differences"]] == ["removed", "added", "changed"]
    assert found["differences"][2]["changes"] == [{"path": "spec.timeouts.idle", "before": "1m30s", "after": "1s"}]


def test_a_secret_that_differs_is_not_shown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.manifests.write_text(MANIFESTS.replace("hunter2", "hunter3"))
    assert world.diff() == 1
    out = capsys.readouterr().out
    assert "stringData.password: (hidden " in out
    assert "hunter" not in out


def test_errors_are_trouble(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.manifests.write_text(MANIFESTS.replace("port: 80", "port: x"))
    assert world.diff() == 2
    told = capsys.readouterr()
    assert told.out == "nothing would change\n"
    assert "expected a whole number" in told.err
    assert "Service/default/shop stays as it is, because of these errors" in told.err


def test_a_state_folder_of_another_weft(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.diff(state=tmp_path / "nowhere") == 0
    assert "values that are hidden are not compared" in capsys.readouterr().err


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diff", str(tmp_path), "--admin", "127.0.0.1:1"]) == 2
    assert "no weft answers at 127.0.0.1:1" in capsys.readouterr().err
