from __future__ import annotations

from pathlib import Path

import pytest

from discovery.platforms.makers import process
from discovery.platforms.making import CannotMake
from tests.discovery.platforms.making import parts


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(CannotMake, match=f"the state folder {tmp_path} cannot be written"):
        process.make(parts(tmp_path), True)


async def test_it_is_its_own_deployments(tmp_path: Path) -> None:
    made = process.make(parts(tmp_path), True)
    assert made.deployments is made.platform
    await made.platform.close()
