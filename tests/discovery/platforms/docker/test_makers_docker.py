from __future__ import annotations

import sys
from pathlib import Path

import pytest

from discovery.platforms.makers import docker
from discovery.platforms.making import CannotMake
from tests.discovery.platforms.making import parts


async def test_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "discovery.platforms.docker.platform", raising=False)
    monkeypatch.delitem(sys.modules, "discovery.platforms.docker.engine", raising=False)
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    with pytest.raises(
        CannotMake, match=r"the platform docker needs aiodocker: .venv/bin/pip install -e '\.\[docker\]' in"
    ):
        docker.make(parts(tmp_path), False)


async def test_it_tells_how_it_stands(tmp_path: Path) -> None:
    made = docker.make(parts(tmp_path, host=f"unix://{tmp_path}/none"), False)
    assert made.standing is not None
    assert (made.standing().name, made.standing().host) == ("docker", f"unix://{tmp_path}/none")
    await made.platform.close()
