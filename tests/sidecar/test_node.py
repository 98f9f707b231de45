"""``weft node``: what it needs to be told.  What it does is in the scenarios."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from sidecar.cli import main
from tests.scenarios.editing import Folder
from tests.scenarios.manifests import service


def test_it_needs_to_know_its_registry(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = Folder(tmp_path / "node")
    folder.put("app", service("app"))
    try:
        assert main(["node", str(folder.path), "--state", str(tmp_path / "state")]) == 1
    finally:
        gc.enable()
    said = capfd.readouterr().err
    assert "weft node needs spec.registry.servers" in said
    assert "node.json:1:" in said
