from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from config.configset import ConfigSet
from config.settings import DockerSettings, NodeConfigSpec, PlatformName
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.environment import as_written
from discovery.prober import Prober
from mesh.exposition import render
from sidecar.errors import UserError
from sidecar.platforms import MAKERS, Parts, Platforms
from sidecar.state import StateFolder
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import fake_engine


async def no_drain(_replica: str, _deadline: float) -> None:
    """Nothing is sent to anybody."""


def platforms(state: StateFolder, *names: PlatformName, host: str = "") -> Platforms:
    node = NodeConfigSpec(platforms=names, docker=DockerSettings(host=host))
    prober = Prober(Random(1), asyncio.get_running_loop().time)
    return Platforms(Parts(node=node, state=state, prober=prober, drained=no_drain, served_at=as_written))


def test_every_name_has_a_maker() -> None:
    assert set(MAKERS) == set(get_args(PlatformName))


async def test_replicas_of_all_platforms_are_told_as_one(tmp_path: Path) -> None:
    told: list[tuple[Replica, ...]] = []
    with closing(StateFolder.open(tmp_path / "state")) as state:
        async with fake_engine(tmp_path) as fake:
            fake.put()
            joined = platforms(state, "process", "docker", host=fake.host)
            joined.subscribe(told.append)
            await joined.apply(ConfigSet())
            async with asyncio.timeout(10):
                while not joined.replicas():
                    await asyncio.sleep(0.001)
            assert told[-1] == joined.replicas()
            (entry,) = joined.document()[1]["platforms"]
            assert (entry["name"], entry["connected"], entry["replicas"]) == ("docker", True, 1)
            page = b"".join(render(joined.families())).decode()
            assert 'weft_platform_connected{platform="docker"} 1\n' in page
            assert 'weft_platform_connections_total{platform="docker"} 1\n' in page
            await joined.close()
    assert told[-1][0].id.endswith(ID[:12])


async def test_where_nobody_runs_a_deployment(tmp_path: Path) -> None:
    with closing(StateFolder.open(tmp_path / "state")) as state:
        joined = platforms(state, "process")
        workload = WorkloadRef("Deployment", "default", "web")
        with pytest.raises(KeyError):
            await joined.read(workload)
        with pytest.raises(KeyError):
            await joined.set(workload, 1)
        assert (joined.usage(workload), joined.statuses(), list(joined.families())) == ({}, (), [])
        await joined.close()


async def test_docker_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "discovery.platforms.docker.platform", raising=False)
    monkeypatch.delitem(sys.modules, "discovery.platforms.docker.engine", raising=False)
    monkeypatch.setitem(sys.modules, "aiodocker", None)
    lacking = pytest.raises(UserError, match=r"pip install 'weft\[docker\]'")
    with closing(StateFolder.open(tmp_path / "state")) as state, lacking:
        platforms(state, "docker")


@pytest.mark.parametrize("host", ["nonsense", "ssh://there", "unix://"])
async def test_what_is_no_address_of_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    refused = pytest.raises(UserError, match=f"DOCKER_HOST is '{host}', which is no address")
    with closing(StateFolder.open(tmp_path / "state")) as state, refused:
        platforms(state, "docker")


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with closing(StateFolder.open(tmp_path / "state")) as state:
        (tmp_path / "state" / "logs").write_text("")
        with pytest.raises(UserError, match="cannot be written"):
            platforms(state, "process")
