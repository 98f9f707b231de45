from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.meta import Named
from discovery.platforms.makers import swarm
from discovery.platforms.making import CannotMake
from tests.discovery.platforms.making import parts


async def test_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("swarm.platform", "docker.engine"):
        monkeypatch.delitem(sys.modules, f"discovery.platforms.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    with pytest.raises(CannotMake, match="the platform swarm needs aiodocker"):
        swarm.make(parts(tmp_path), False)


async def test_it_knows_sizes_and_how_it_stands(tmp_path: Path) -> None:
    made = swarm.make(parts(tmp_path, host=f"unix://{tmp_path}/none"), False)
    assert made.standing is not None
    assert made.standing().name == "swarm"
    assert made.size is not None
    assert made.size(Named("default", "web")) is None
    await made.platform.close()
