from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import cast

import pytest

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.docker.platform import DockerPlatform, Running
from discovery.prober import Prober
from tests.discovery.platforms.docker.facts import ID
from tests.discovery.platforms.docker.fake import fake_engine
from tests.discovery.platforms.docker.pods import SHOP, deployment
from tests.discovery.platforms.docker.running import until
from tests.discovery.platforms.local import Drains, FakeProber

PROBER = cast("Prober", FakeProber())


async def test_containers_are_replicas_of_this_node(tmp_path: Path) -> None:
    told: list[tuple[Replica, ...]] = []
    async with fake_engine(tmp_path) as fake:
        fake.put()
        fake.containers[ID]["Config"]["Labels"]["weft.dev/ports"] = "80"
        platform = DockerPlatform(fake.host, Random(1), PROBER)
        platform.subscribe(told.append)
        await platform.apply(ConfigSet(node=NodeConfigSpec(node_name="one")))
        async with asyncio.timeout(10):
            while not platform.replicas():
                await asyncio.sleep(0.001)
        (replica,) = platform.replicas()
        assert (replica.node, replica.address, replica.services) == ("one", "172.17.0.2", (Named("shop", "web"),))
        assert told[-1] == platform.replicas()
        standing = platform.standing()
        assert (standing.name, standing.replicas, len(standing.remarks)) == ("docker", 1, 1)
        await platform.apply(ConfigSet(node=NodeConfigSpec(node_name="two")))
        assert told[-1][0].node == "two"
        await platform.close()
    assert replica.id.endswith(ID[:12])


async def test_deployments_become_containers(tmp_path: Path) -> None:
    told: list[tuple[Replica, ...]] = []
    running = Running(tmp_path / "rollouts", Drains())
    async with fake_engine(tmp_path) as fake:
        platform = DockerPlatform(fake.host, Random(1), PROBER, running)
        platform.subscribe(told.append)
        await platform.apply(ConfigSet(deployments={Named("default", "shop"): deployment(2)}))
        await until(lambda: sum(replica.ready for replica in platform.replicas()) == 2)
        assert {replica.address for replicas in told for replica in replicas} <= {"172.17.0.2", "172.17.0.3"}
        assert (await platform.read(SHOP)).ready == 2
        await platform.set(SHOP, 1)
        await until(lambda: len(fake.containers) == 1)
        await until(lambda: len(platform.usage(SHOP)) == 1)
        await platform.close()
        assert len(fake.containers) == 1
        assert len(fake.stopped) == 1


async def test_it_runs_no_deployments(tmp_path: Path) -> None:
    platform = DockerPlatform(f"unix://{tmp_path}/none", Random(1), PROBER)
    workload = WorkloadRef("Deployment", "default", "web")
    with pytest.raises(KeyError):
        await platform.read(workload)
    with pytest.raises(KeyError):
        await platform.set(workload, 1)
    assert (platform.statuses(), platform.usage(workload), platform.deployments) == ((), {}, None)
    await platform.close()
