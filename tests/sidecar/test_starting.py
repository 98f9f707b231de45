"""The arguments that roles share, and what a start does to the process."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import pytest

from sidecar import lifecycle, logs
from sidecar.options import add_options
from sidecar.roles import UP
from sidecar.starting import add_paths, start


def test_paths_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_paths(parser)
    assert parser.parse_args(["a", "b"]).paths == [Path("a"), Path("b")]
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "PATH" in capsys.readouterr().err


def test_a_start_runs_the_role_on_a_loop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[object] = []
    monkeypatch.setattr(lifecycle, "run", lambda main: ran.append(main.keywords["role"]) or 3)
    monkeypatch.setattr(logs, "set_up", lambda *_: None)
    parser = argparse.ArgumentParser()
    add_paths(parser)
    add_options(parser)
    try:
        assert start(UP, parser.parse_args(["a", "--state", str(tmp_path)])) == 3
        assert not gc.isenabled(), "until the first table"
    finally:
        gc.enable()
    assert ran == [UP]
