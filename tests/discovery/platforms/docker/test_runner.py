from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.settings import DockerSettings, NodeConfigSpec
from discovery.platforms.docker.mark import CONTAINER, REVISION
from tests.discovery.platforms.docker.fake import fake_engine
from tests.discovery.platforms.docker.pods import SHOP, SIDE, deployment
from tests.discovery.platforms.docker.running import World, until, world


async def test_a_replica_is_made_and_listed(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        revision = there.runner.revise(deployment())
        there.runner.start(SHOP, revision, "shop-abc-12345")
        assert [each.id for each in there.replicas] == ["shop-abc-12345"]
        assert list(there.runner.workloads()) == [SHOP]
        replica = await there.one()
        assert replica.digest == revision.digest
        assert there.told[-1] == SHOP
        (container,) = fake.containers.values()
        assert container["Config"]["Labels"][REVISION] == revision.digest


async def test_equal_templates_are_one_revision(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        one, same, other = (
            there.runner.revise(made) for made in (deployment(1), deployment(9), deployment(1, command=("x",)))
        )
        assert one.digest == same.digest != other.digest


async def test_the_next_weft_finds_what_runs(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        async with world(fake) as first:
            first.runner.start(SHOP, first.runner.revise(deployment(1, SIDE)), "shop-abc-12345")
            await first.one()
            ran = first.running()
        assert len(ran) == 2
        assert sorted(fake.containers[name]["State"]["Running"] for name in ran) == [True, True]
        async with world(fake) as second:
            replica = await second.one()
            assert replica.id == "shop-abc-12345"
            assert second.running() == ran
            assert not fake.stopped
            replica.terminate()
            await until(lambda: not second.replicas)
            assert fake.containers == {}
            assert SHOP not in second.runner.workloads()


async def test_nothing_is_known_before_the_engine_has_said_what_there_is(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        await fake.end()
        there = World(fake)
        await there.runner.define(ConfigSet())
        await asyncio.sleep(0.01)
        assert not there.runner.known
        await fake.begin()
        await until(lambda: there.runner.known)
        assert there.told == [None]
        await there.runner.close()


async def test_one_that_is_ending_gets_the_time_for_it(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        async with world(fake) as there:
            there.runner.start(SHOP, there.runner.revise(deployment()), "shop-abc-12345")
            replica = await there.one()
            replica.terminate()
        assert fake.containers == {}
        assert there.drains.asked == ["shop-abc-12345"]


async def test_containers_with_labels_that_cannot_be_read_are_let_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fake_engine(tmp_path) as fake:
        fake.put()["Config"]["Labels"] = {"weft.dev/workload": "default/shop", CONTAINER: "main"}
        async with world(fake) as there:
            assert there.replicas == []
        assert not fake.stopped
    assert "cannot be read" in caplog.text


async def test_two_wefts_on_one_engine_let_each_others_containers_be(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake:
        async with world(fake) as first:
            first.runner.start(SHOP, first.runner.revise(deployment()), "shop-abc-12345")
            await first.one()
            async with world(fake, state="/another") as second:
                assert list(second.runner.workloads()) == []
        async with world(fake) as again:
            assert (await again.one()).id == "shop-abc-12345"


async def test_another_network_is_another_revision(tmp_path: Path) -> None:
    async with fake_engine(tmp_path) as fake, world(fake) as there:
        there.runner.start(SHOP, there.runner.revise(deployment()), "shop-abc-12345")
        replica = await there.one()
        await there.runner.define(ConfigSet(node=NodeConfigSpec(docker=DockerSettings(network="apps"))))
        assert there.runner.revise(deployment()).digest != replica.digest
        assert (replica.ready, replica.published.address) == (True, "172.17.0.2")


async def test_replicas_of_equal_names_in_two_namespaces_are_two(tmp_path: Path) -> None:
    other = SHOP._replace(namespace="other")
    async with fake_engine(tmp_path) as fake:
        async with world(fake) as first:
            for workload in (SHOP, other):
                first.runner.start(workload, first.runner.revise(deployment()), "shop-abc-12345")
            await until(lambda: len(first.running()) == 2)
        async with world(fake) as second:
            assert {*second.runner.workloads()} == {SHOP, other}
