from __future__ import annotations

from pathlib import Path

import pytest

from config.meta import Named
from discovery.workloads.history import Record
from discovery.workloads.keeping import Keeping
from tests.discovery.workloads.runners import shop

SHOP = Named("default", "shop")
ONE = Record().with_current("a", shop(1).spec.template, "")
TWO = ONE.with_current("b", shop(1, args=("b",)).spec.template, "")

pytestmark = pytest.mark.both_loops


async def test_the_latest_is_kept(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "rollouts")
    assert keeping.load(SHOP) == Record()
    keeping.keep(SHOP, ONE)
    keeping.keep(SHOP, TWO)
    await keeping.close()
    assert Keeping(tmp_path / "rollouts").load(SHOP) == TWO
    assert (tmp_path / "rollouts").stat().st_mode & 0o777 == 0o700


async def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    keeping.keep(SHOP, ONE)
    await keeping.close()
    keeping.keep(SHOP, None)
    keeping.keep(Named("default", "never"), None)
    await keeping.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    keeping = Keeping(tmp_path / "file")
    keeping.keep(SHOP, ONE)
    await keeping.close()
    assert "history cannot be kept" in caplog.text


async def test_a_file_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "default.shop.json").write_text("{")
    assert Keeping(tmp_path).load(SHOP) == Record()
    assert "history is lost" in caplog.text


async def test_without_a_folder_nothing_is_kept() -> None:
    keeping = Keeping(None)
    keeping.keep(SHOP, ONE)
    await keeping.close()
    assert keeping.load(SHOP) == Record()


async def test_what_is_not_written_yet_is_found_all_the_same(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    keeping.keep(SHOP, ONE)
    assert keeping.load(SHOP) == ONE
    await keeping.close()
    keeping.keep(SHOP, None)
    assert keeping.load(SHOP) == Record()
    await keeping.close()


async def test_those_that_went_while_nobody_looked_are_forgotten(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "rollouts")
    await keeping.retain([SHOP])
    for name in (SHOP, Named("default", "gone"), Named("other", "shop")):
        keeping.keep(name, ONE)
    await keeping.close()
    await keeping.retain([SHOP])
    assert [path.name for path in (tmp_path / "rollouts").iterdir()] == ["default.shop.json"]
