from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.policies import TargetRef, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Service, ServicePort, ServiceSpec
from config.scaling import ScaleTargetRef, ScalingPolicy
from discovery.endpoint import Replica, WorkloadRef
from discovery.workloads.deployments import Deployments
from tests.discovery.platforms.local import SHOP, config
from tests.discovery.workloads.runners import FakeReplica, FakeRevision, FakeRunner, shop

OTHER = WorkloadRef("Deployment", "default", "other")


@pytest.fixture
async def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
async def platform(runner: FakeRunner) -> Deployments[FakeRevision]:
    return Deployments(runner, Random(7))


async def test_what_belongs_to_no_deployment_is_stopped(
    runner: FakeRunner, platform: Deployments[FakeRevision]
) -> None:
    runner.all = [FakeReplica(OTHER, "other-a-b", "a")]
    seen: list[tuple[Replica, ...]] = []
    platform.subscribe(seen.append)
    await platform.apply(config(shop(1)))
    assert [replica.terminating for replica in runner.replicas(OTHER)] == [True]
    assert [each.terminating for each in seen[-1]] == [True, False]
    assert [status.workload for status in platform.statuses()] == [SHOP]
    runner.end_terminating()
    assert [each.workload for each in platform.replicas()] == [SHOP]


async def test_what_is_found_later_is_stopped_too(runner: FakeRunner, platform: Deployments[FakeRevision]) -> None:
    runner.known = False
    await platform.apply(ConfigSet())
    runner.known = True
    runner.all = [FakeReplica(OTHER, "other-a-b", "a")]
    runner.announce(None)
    assert runner.all[0].terminating


async def test_a_deployment_that_is_gone_is_forgotten_after_its_replicas(
    runner: FakeRunner, platform: Deployments[FakeRevision]
) -> None:
    await platform.apply(config(shop(2)))
    await platform.apply(ConfigSet())
    assert [status.desired for status in platform.statuses()] == [0]
    with pytest.raises(KeyError):
        await platform.set(SHOP, 3)
    runner.end_terminating()
    assert platform.statuses() == ()
    with pytest.raises(KeyError):
        await platform.read(SHOP)


async def test_nothing_is_replaced_once_it_is_closed(runner: FakeRunner, platform: Deployments[FakeRevision]) -> None:
    await platform.apply(config(shop(2)))
    await platform.close()
    runner.end(runner.all[0])
    assert runner.closed
    assert len(runner.all) == 1


async def test_usage_by_replica(runner: FakeRunner, platform: Deployments[FakeRevision]) -> None:
    await platform.apply(config(shop(1)))
    assert list(platform.usage(SHOP)) == [runner.all[0].id]
    assert platform.usage(OTHER) == {}


async def test_a_number_that_a_policy_scales_outlives_edits_of_the_manifest(runner: FakeRunner) -> None:
    platform = Deployments(runner, Random(7))
    service = Service(
        metadata=ObjectMeta("shop", "default"),
        spec=ServiceSpec(selector={"app": "shop"}, ports=(ServicePort(port=80),)),
    )
    policy = TrafficPolicy(
        metadata=ObjectMeta("shop", "default"),
        spec=TrafficPolicySpec(TargetRef("Service", "shop"), scaling=ScalingPolicy()),
    )

    def written(replicas: int) -> ConfigSet:
        made = config(shop(replicas))
        named = Named("default", "shop")
        return replace(made, services={named: service}, policies={named: policy})

    await platform.apply(written(1))
    await platform.set(SHOP, 5)
    await platform.apply(written(3))
    assert (await platform.read(SHOP)).desired == 5


async def test_histories_of_deployments_that_went_while_weft_was_down_go(runner: FakeRunner, tmp_path: Path) -> None:
    (tmp_path / "default.gone.json").write_text("{}")
    platform = Deployments(runner, Random(7), tmp_path)
    await platform.apply(ConfigSet())
    assert list(tmp_path.iterdir()), "another platform may run them"
    await platform.apply(config(shop(1)))
    await platform.close()
    assert [path.name for path in tmp_path.iterdir()] == ["default.shop.json"]


async def test_a_deployment_that_is_scaled_elsewhere_is_released_when_it_is_not(runner: FakeRunner) -> None:
    platform = Deployments(runner, Random(7))
    named = Named("default", "shop")
    await platform.apply(config(shop(3)))
    platform.scaled_elsewhere([named])
    await platform.set(SHOP, 0)
    await platform.apply(config(shop(3)))
    platform.scaled_elsewhere([named, Named("default", "gone")])
    assert platform.desired(named) == 0
    platform.scaled_elsewhere([])
    assert platform.desired(named) == 3


async def test_a_named_target_is_scaled_until_its_policy_goes(runner: FakeRunner) -> None:
    platform = Deployments(runner, Random(7))
    named, scaling = Named("default", "shop"), ScalingPolicy(scale_target_ref=ScaleTargetRef("Deployment", "shop"))
    service = Service(metadata=ObjectMeta("shop", "default"), spec=ServiceSpec(ports=(ServicePort(port=80),)))
    spec = TrafficPolicySpec(TargetRef("Service", "shop"), scaling=scaling)
    policy = TrafficPolicy(metadata=ObjectMeta("shop", "default"), spec=spec)
    written = replace(config(shop(3)), services={named: service})
    await platform.apply(replace(written, policies={named: policy}))
    await platform.set(SHOP, 0)
    platform.scaled_elsewhere([named])
    platform.scaled_elsewhere([])
    assert platform.desired(named) == 0, "its policy is there"
    await platform.apply(written)
    assert platform.desired(named) == 3
