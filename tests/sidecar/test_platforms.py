from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from config.configset import ConfigSet
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.process import ProcessPlatform
from mesh.exposition import render
from sidecar.errors import UserError
from sidecar.platforms import Platforms
from sidecar.state import StateFolder
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import fake_engine
from tests.discovery.platforms.making import parts


def platforms(state: StateFolder, *names: str, host: str = "") -> Platforms:
    return Platforms(parts(state.path, *names, host=host))


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


async def test_what_cannot_be_made_is_said_to_the_user(tmp_path: Path) -> None:
    with closing(StateFolder.open(tmp_path / "state")) as state:
        (tmp_path / "state" / "logs").write_text("")
        with pytest.raises(UserError, match="cannot be written"):
            platforms(state, "process")
        with pytest.raises(UserError, match="there is no platform nomad"):
            platforms(state, "nomad")


async def test_of_several_the_first_runs_the_deployments(tmp_path: Path) -> None:
    with closing(StateFolder.open(tmp_path / "state")) as state:
        for first, second in (("process", "docker"), ("docker", "process")):
            joined = platforms(state, first, second, host=f"unix://{tmp_path}/none")
            assert isinstance(joined.deployments, ProcessPlatform) is (first == "process")
            await joined.close()
