"""The first half of ``weft up``: what is refused before anything runs.  The rest is in the scenarios."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from config import aside
from sidecar.errors import UserError
from sidecar.lifecycle import Lifecycle
from sidecar.options import Options
from sidecar.state import StateFolder
from sidecar.up import up


async def test_what_has_nothing_to_run_is_refused_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {prots: []}\n")
    options = Options(tmp_path / "state", None, "", "text")
    with pytest.raises(UserError, match="no Service and no Deployment is without errors"):
        await up([tmp_path / "bad.yaml"], options, Lifecycle())
    assert "did you mean" in capsys.readouterr().err
    StateFolder.open(tmp_path / "state").close()


@pytest.mark.usefixtures("own_reader")
async def test_told_to_stop_it_does_not_wait_for_the_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "pid"
    code = f"import os, time; open({str(noted)!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
    monkeypatch.setattr(aside, "_BOOTSTRAP", code)
    lifecycle = Lifecycle()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(up([tmp_path], Options(tmp_path / "state", None, "", "text"), lifecycle))
        while not (noted.exists() and noted.read_text().endswith(".")):
            await asyncio.sleep(0.01)
        lifecycle.stop.set()
    assert running.result() == 0
    assert capsys.readouterr() == ("", "")
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()[:-1]), 0)


async def test_told_to_stop_while_reading_it_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.stop.set()
    assert await up([tmp_path / "nowhere"], Options(tmp_path / "state", None, "", "text"), lifecycle) == 0
    assert capsys.readouterr() == ("", "")
