from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.resources.workloads import Container, Deployment, DeploymentStrategy
from config.settings import NodeConfigSpec
from discovery.platforms.deployment import LocalDeployment
from discovery.platforms.replica import LocalReplica
from tests.discovery.platforms.local import PORT, SHOP, Drains, FakeProber, config, deployment, make_node


class Bench:
    """A deployment whose replicas never start a process: the test says what becomes of them."""

    def __init__(self, folder: Path) -> None:
        self.node = make_node(folder, FakeProber(), Drains())
        self.published = 0
        self.ends: dict[LocalReplica, Callable[[LocalReplica], None]] = {}
        self.subject = LocalDeployment(self.node, self, shop(0))

    def run(self, replica: LocalReplica, ended: Callable[[LocalReplica], None]) -> None:
        self.ends[replica] = ended

    def publish(self) -> None:
        self.published += 1

    def update(self, wanted: Deployment, **node: Any) -> None:
        self.node.adopt(config(wanted, node=NodeConfigSpec(**{"images": {"shop:v1": ("run",)}} | node)))
        self.subject.update(wanted)

    def become_ready(self) -> None:
        for replica in tuple(self.subject.replicas):
            if not replica.terminating and not replica.ready:
                replica._containers[0]._set_ready(True)

    def end_terminating(self) -> None:
        for replica in tuple(self.subject.replicas):
            if replica.terminating:
                self.ends.pop(replica)(replica)

    def settle(self) -> None:
        for _ in range(20):
            self.become_ready()
            self.end_terminating()

    @property
    def ids(self) -> list[str]:
        return [replica.id for replica in self.subject.replicas if not replica.terminating]

    @property
    def counts(self) -> tuple[int, int, int]:
        status = self.subject.status()
        return (status.desired, status.ready, status.updated)


def shop(replicas: int, image: str = "shop:v1", **changes: Any) -> Deployment:
    wanted = deployment(replicas, Container(name="main", image=image, ports=(PORT,), args=changes.pop("args", ())))
    return msgspec.structs.replace(wanted, spec=msgspec.structs.replace(wanted.spec, **changes))


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_as_many_as_wanted(bench: Bench) -> None:
    bench.update(shop(3))
    assert bench.published == 1, "all at once"
    assert len(set(bench.ids)) == 3
    assert all(name.startswith("shop-") for name in bench.ids)
    assert bench.counts == (3, 0, 3)
    bench.become_ready()
    assert bench.counts == (3, 3, 3)
    assert bench.subject.status().complete


async def test_many_are_made_in_batches(bench: Bench) -> None:
    bench.update(shop(40))
    assert len(bench.ids) == 16
    for expected in (32, 40, 40):
        await asyncio.sleep(0)
        assert len(bench.ids) == expected


async def test_what_is_lost_is_replaced(bench: Bench) -> None:
    bench.update(shop(2))
    bench.become_ready()
    lost = bench.subject.replicas[0]
    bench.ends[lost](lost)
    assert lost.id not in bench.ids
    assert len(bench.ids) == 2


async def test_scale_stands_until_the_manifest_says_otherwise(bench: Bench) -> None:
    bench.update(shop(2))
    bench.subject.scale(4)
    assert len(bench.ids) == 4
    bench.update(shop(2, args=("other",)))
    assert bench.subject.status().desired == 4
    bench.update(shop(3, args=("other",)))
    assert bench.subject.status().desired == 3


@pytest.mark.parametrize(
    ("written", "desired"), [((2, 3), 4), ((2, 0), 0), ((2, 0, 5), 5), ((2, 2), 4), ((2, 3, 1), 4)]
)
async def test_an_autoscaled_number_outlives_edits_but_for_the_switch(
    bench: Bench, written: tuple[int, ...], desired: int
) -> None:
    bench.update(shop(written[0]))
    bench.subject.scale(4)
    for replicas in written[1:]:
        bench.subject.update(shop(replicas), autoscaled=True)
    assert bench.subject.desired == desired


async def test_victims_go_first(bench: Bench) -> None:
    bench.update(shop(3))
    bench.become_ready()
    first, second, third = bench.ids
    bench.subject.scale(2, (first,))
    assert bench.ids == [second, third]
    bench.subject.scale(1)
    assert bench.ids == [second], "the newest goes when nobody is named"


async def test_a_new_template_is_rolled_out_without_a_gap(bench: Bench) -> None:
    bench.update(shop(2))
    bench.settle()
    before = bench.ids
    bench.update(shop(2, args=("new",)))
    assert bench.ids[:2] == before
    assert len(bench.ids) == 3
    assert bench.counts == (2, 2, 1)
    bench.become_ready()
    assert sum(replica.ready for replica in bench.subject.replicas) == 2
    bench.settle()
    assert bench.counts == (2, 2, 2)
    assert not set(before) & set(bench.ids)


async def test_recreate_leaves_a_gap(bench: Bench) -> None:
    recreate = DeploymentStrategy(type="Recreate")
    bench.update(shop(2, strategy=recreate))
    bench.settle()
    bench.update(shop(2, strategy=recreate, args=("new",)))
    assert bench.ids == []
    bench.end_terminating()
    assert len(bench.ids) == 2


async def test_nothing_changes_when_nothing_changed(bench: Bench) -> None:
    bench.update(shop(2))
    bench.settle()
    before, published = bench.ids, bench.published
    bench.update(shop(2))
    assert (bench.ids, bench.published) == (before, published)


async def test_another_command_of_the_image_replaces_replicas(bench: Bench) -> None:
    bench.update(shop(1))
    bench.settle()
    before = bench.ids
    bench.update(shop(1), images={"shop:v1": ("other",)})
    bench.settle()
    assert bench.ids != before


async def test_paused_keeps_the_template_but_not_the_number(bench: Bench) -> None:
    bench.update(shop(1))
    bench.settle()
    before = bench.ids
    bench.update(shop(2, args=("new",), paused=True))
    bench.settle()
    assert bench.ids[:1] == before
    assert len({replica.revision.digest for replica in bench.subject.replicas}) == 1
    bench.update(shop(2, args=("new",)))
    bench.settle()
    assert before[0] not in bench.ids


async def test_an_image_without_a_command(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    bench.update(shop(2, image="my-app:v1"))
    bench.update(shop(2, image="my-app:v1"))
    status = bench.subject.status()
    assert bench.ids == []
    assert "spec.images: {my-app:v1: [python3, -m, my.app]}" in status.message
    assert not status.complete
    assert len(caplog.records) == 1, "said once"
    bench.update(shop(2, image="my-app:v1"), images={"my-app:v1": ("run",)})
    bench.settle()
    assert bench.subject.status().message == ""
    assert bench.counts == (2, 2, 2)


async def test_a_template_that_cannot_run_leaves_the_last_good_one(bench: Bench) -> None:
    bench.update(shop(2))
    bench.settle()
    before = bench.ids
    bench.update(shop(3, image="my-app:v1"))
    bench.settle()
    assert bench.ids[:2] == before
    assert bench.counts == (3, 3, 0)
    assert not bench.subject.status().complete


async def test_no_address_left(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.update(shop(3), pod_cidr="127.98.0.0/30")
    status = bench.subject.status()
    assert len(bench.ids) == 2
    assert "all addresses of podCIDR 127.98.0.0/30 are taken" in status.message
    assert "replica cannot be started" in caplog.text
    bench.update(shop(3), pod_cidr="127.98.1.0/24")
    assert len(bench.ids) == 3
    assert bench.subject.status().message == ""


async def test_retired_and_back(bench: Bench) -> None:
    bench.update(shop(2))
    bench.settle()
    bench.subject.retire()
    bench.end_terminating()
    assert bench.subject.replicas == []
    bench.update(shop(2))
    assert len(bench.ids) == 2


async def test_status_tells_what_is_wrong(bench: Bench) -> None:
    bench.update(shop(2))
    bench.subject.replicas[1]._containers[0].message = "CrashLoopBackOff: exit code 1"
    status = bench.subject.status()
    assert status.workload == SHOP
    assert status.message == f"{bench.ids[1]}: main: CrashLoopBackOff: exit code 1"
    assert [replica.id for replica in status.replicas] == bench.ids
