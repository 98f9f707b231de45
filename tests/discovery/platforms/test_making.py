"""Platforms are found by their names: those of modules, in any folder of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.platforms import makers
from discovery.platforms.making import CannotMake, Made, finding, known, maker, names
from tests.discovery.platforms.making import parts

FIFTH = """
from discovery.platforms.making import CannotMake

FINDS = True

def make(parts, runs):
    raise CannotMake(f"{parts.node.platforms} {runs}")
"""


def test_those_that_there_are() -> None:
    assert names() == ("docker", "process", "swarm")
    assert finding(names()) == ("swarm",)
    assert known() == {"docker": False, "process": False, "swarm": True}
    assert finding(("process", "nomad")) == ()


async def test_a_module_is_all_that_another_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fifth.py").write_text(FIFTH)
    monkeypatch.setattr(makers, "__path__", [*makers.__path__, str(tmp_path)])
    assert names() == ("docker", "fifth", "process", "swarm")
    assert finding(("process", "fifth")) == ("fifth",)
    with pytest.raises(CannotMake, match=r"\('fifth',\) True"):
        maker("fifth").make(parts(tmp_path, "fifth"), True)


@pytest.mark.parametrize("name", ["nomad", "making", "..making", "docker.platform", ""])
def test_what_is_none(name: str) -> None:
    with pytest.raises(CannotMake, match=r"there are docker, process, swarm$"):
        maker(name)


@pytest.mark.parametrize("name", names())
async def test_who_runs_deployments(name: str, tmp_path: Path) -> None:
    for runs in (False, True):
        made = maker(name).make(parts(tmp_path, name, host=f"unix://{tmp_path}/none"), runs)
        assert isinstance(made, Made)
        assert (made.deployments is not None) is (runs and name != "swarm")
        await made.platform.close()
