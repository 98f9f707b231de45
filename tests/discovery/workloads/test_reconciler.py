from __future__ import annotations

import asyncio
import logging
import time
from random import Random

import msgspec
import pytest

from config.meta import Named
from config.resources.workloads import Deployment, DeploymentStrategy, RollingUpdate
from discovery.workloads import reconciler
from discovery.workloads.history import Record
from discovery.workloads.reconciler import Reconciler, Surroundings
from tests.discovery.platforms.local import SHOP, eventually
from tests.discovery.workloads.runners import FakeReplica, FakeRunner, shop


class Bench:
    """A deployment whose replicas never start a process: the test says what becomes of them."""

    def __init__(self) -> None:
        self.runner = FakeRunner(lambda: self.now)
        self.published = 0
        self.now = 1000.0
        self.kept: list[Record] = []
        self.subject = Reconciler(
            self.runner, shop(0), Surroundings(Random(7), lambda: self.now, self.publish, self.keep)
        )
        self.runner.subscribe(lambda _: self.subject.reconcile())

    def publish(self) -> None:
        self.published += 1

    def keep(self, name: Named, record: Record) -> None:
        self.kept.append(record)

    def update(self, wanted: Deployment) -> None:
        self.subject.update(wanted)

    @property
    def ids(self) -> list[str]:
        return [replica.id for replica in self.subject.replicas if not replica.terminating]

    @property
    def counts(self) -> tuple[int, int, int]:
        status = self.subject.status()
        return (status.desired, status.ready, status.updated)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_as_many_as_wanted(bench: Bench) -> None:
    bench.update(shop(3))
    assert bench.published == 1, "all at once"
    assert len(set(bench.ids)) == 3
    assert all(name.startswith("shop-") for name in bench.ids)
    assert bench.counts == (3, 0, 3)
    bench.runner.become_ready()
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
    bench.runner.become_ready()
    lost = bench.runner.all[0]
    bench.runner.end(lost)
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


@pytest.mark.parametrize(("scaled", "written"), [(0, 3), (7, 3), (0, 1)])
async def test_once_nothing_scales_it_the_manifest_holds(bench: Bench, scaled: int, written: int) -> None:
    bench.subject.update(shop(written), autoscaled=True)
    bench.subject.scale(scaled)
    assert bench.subject.desired == scaled
    bench.subject.update(shop(written))
    assert (bench.subject.desired, len(bench.ids)) == (written, written)
    bench.subject.scale(scaled)
    bench.subject.update(shop(written))
    assert bench.subject.desired == scaled, "only once"


async def test_victims_go_first(bench: Bench) -> None:
    bench.update(shop(3))
    bench.runner.become_ready()
    first, second, third = bench.ids
    bench.subject.scale(2, (first,))
    assert bench.ids == [second, third]
    bench.subject.scale(1)
    assert bench.ids == [second], "the newest goes when nobody is named"


async def test_a_new_template_is_rolled_out_without_a_gap(bench: Bench) -> None:
    bench.update(shop(2))
    bench.runner.settle()
    before = bench.ids
    bench.update(shop(2, args=("new",)))
    assert bench.ids[:2] == before
    assert len(bench.ids) == 3
    assert bench.counts == (2, 2, 1)
    bench.runner.become_ready()
    assert sum(replica.ready for replica in bench.subject.replicas) == 2
    bench.runner.settle()
    assert bench.counts == (2, 2, 2)
    assert not set(before) & set(bench.ids)


async def test_recreate_leaves_a_gap(bench: Bench) -> None:
    recreate = DeploymentStrategy(type="Recreate")
    bench.update(shop(2, strategy=recreate))
    bench.runner.settle()
    bench.update(shop(2, strategy=recreate, args=("new",)))
    assert bench.ids == []
    bench.runner.end_terminating()
    assert len(bench.ids) == 2


async def test_nothing_changes_when_nothing_changed(bench: Bench) -> None:
    bench.update(shop(2))
    bench.runner.settle()
    before, published = bench.ids, bench.published
    bench.update(shop(2))
    assert (bench.ids, bench.published) == (before, published)


async def test_paused_keeps_the_template_but_not_the_number(bench: Bench) -> None:
    bench.update(shop(1))
    bench.runner.settle()
    before = bench.ids
    bench.update(shop(2, args=("new",), paused=True))
    bench.runner.settle()
    assert bench.ids[:1] == before
    assert len({replica.digest for replica in bench.subject.replicas}) == 1
    bench.update(shop(2, args=("new",)))
    bench.runner.settle()
    assert before[0] not in bench.ids


async def test_a_template_that_cannot_run(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    bench.runner.refused.add("my-app:v1")
    bench.update(shop(2, image="my-app:v1"))
    bench.update(shop(2, image="my-app:v1"))
    status = bench.subject.status()
    assert bench.ids == []
    assert status.message == "no command for my-app:v1"
    assert not status.complete
    assert len(caplog.records) == 1, "said once"
    bench.runner.refused.clear()
    bench.update(shop(2, image="my-app:v1"))
    bench.runner.settle()
    assert bench.subject.status().message == ""
    assert bench.counts == (2, 2, 2)


async def test_a_template_that_cannot_run_leaves_the_last_good_one(bench: Bench) -> None:
    bench.update(shop(2))
    bench.runner.settle()
    before = bench.ids
    bench.runner.refused.add("my-app:v1")
    bench.update(shop(3, image="my-app:v1"))
    bench.runner.settle()
    assert bench.ids[:2] == before
    assert bench.counts == (3, 3, 0)
    assert not bench.subject.status().complete


async def test_no_room(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.runner.room = 2
    bench.update(shop(3))
    assert len(bench.ids) == 2
    assert bench.subject.status().message == "there is no room"
    assert "replica cannot be started" in caplog.text
    bench.runner.room = 3
    bench.update(shop(3))
    assert len(bench.ids) == 3
    assert bench.subject.status().message == ""


async def test_room_that_comes_free_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "_TRY_AGAIN", 0.01)
    bench.runner.room = 2
    bench.update(shop(3))
    bench.runner.room = 3
    async with asyncio.timeout(10):
        while len(bench.ids) < 3:
            await asyncio.sleep(0.005)
    assert bench.subject.status().message == ""


async def test_what_runs_already_is_adopted(bench: Bench) -> None:
    digest = bench.runner.revise(shop(2)).digest
    bench.runner.all = [FakeReplica(SHOP, f"shop-{digest}-{index}", digest) for index in range(2)]
    bench.update(shop(2))
    assert bench.published == 0
    assert bench.ids == [f"shop-{digest}-0", f"shop-{digest}-1"]


async def test_what_runs_from_another_template_is_replaced(bench: Bench) -> None:
    bench.runner.all = [FakeReplica(SHOP, f"shop-old-{index}", "old") for index in range(2)]
    bench.runner.become_ready()
    bench.update(shop(2))
    bench.runner.settle()
    assert len(bench.ids) == 2
    assert all("-old-" not in name for name in bench.ids)


async def test_nothing_is_done_while_it_is_not_known_what_runs(bench: Bench) -> None:
    bench.runner.known = False
    bench.update(shop(2))
    assert bench.ids == []
    bench.runner.known = True
    bench.runner.announce(None)
    assert len(bench.ids) == 2


async def test_retired_and_back(bench: Bench) -> None:
    bench.update(shop(2))
    bench.runner.settle()
    bench.subject.retire()
    bench.runner.end_terminating()
    assert bench.subject.replicas == ()
    bench.update(shop(2))
    assert len(bench.ids) == 2


async def test_status_tells_what_is_wrong(bench: Bench) -> None:
    bench.update(shop(2))
    bench.runner.all[1].message = "main: CrashLoopBackOff: exit code 1"
    status = bench.subject.status()
    assert status.workload == SHOP
    assert status.message == f"{bench.ids[1]}: main: CrashLoopBackOff: exit code 1"
    assert [replica.id for replica in status.replicas] == bench.ids


def reason(bench: Bench, kind: str = "Progressing") -> str:
    return next((each.reason for each in bench.subject.status().conditions if each.type == kind), "")


async def test_a_replica_counts_once_it_has_been_ready_for_long_enough(bench: Bench) -> None:
    bench.update(shop(1))
    bench.runner.settle()
    (before,) = bench.ids
    bench.update(shop(1, args=("new",), min_ready_seconds=5))
    bench.now += 5
    bench.runner.become_ready()
    assert before in bench.ids
    assert (bench.subject.status().ready, bench.subject.status().available) == (2, 1)
    bench.now += 5
    bench.subject.reconcile()
    bench.runner.end_terminating()
    assert before not in bench.ids
    assert bench.subject.status().available == 1
    assert reason(bench) == "NewReplicaSetAvailable"


async def test_time_alone_makes_a_step() -> None:
    began = time.time()
    runner = FakeRunner(time.time)
    around = Surroundings(Random(7), time.time, lambda: None, lambda _name, _record: None)
    subject = Reconciler(runner, shop(0), around)
    runner.subscribe(lambda _: subject.reconcile())
    subject.update(shop(1, min_ready_seconds=1, progress_deadline_seconds=2))
    runner.become_ready()
    await eventually(lambda: subject.status().available == 1)
    assert time.time() - began >= 1
    subject.stop()


async def test_a_broken_template_stops_at_the_deadline_and_the_old_ones_stay(bench: Bench) -> None:
    bench.update(shop(3))
    bench.runner.settle()
    before = bench.ids
    bench.update(shop(3, args=("broken",), progress_deadline_seconds=10))
    assert reason(bench) == "NewReplicaSetCreated"
    bench.now += 9
    bench.subject.reconcile()
    assert reason(bench) == "NewReplicaSetCreated"
    bench.now += 1
    bench.subject.reconcile()
    assert reason(bench) == "ProgressDeadlineExceeded"
    assert reason(bench, "Available") == "MinimumReplicasAvailable"
    assert bench.ids[:3] == before
    assert bench.counts == (3, 3, 1)


async def test_an_old_replica_that_is_lost_meanwhile_is_replaced_by_an_old_one(bench: Bench) -> None:
    bench.update(shop(3))
    bench.runner.settle()
    digest = bench.runner.all[0].digest
    bench.update(shop(3, args=("broken",)))
    bench.runner.end(bench.runner.all[0])
    assert [replica.digest for replica in bench.runner.all].count(digest) == 3


async def test_it_is_rolled_back_where_that_is_asked_for(bench: Bench) -> None:
    wanted = annotated(shop(3))
    bench.update(wanted)
    bench.runner.settle()
    before = bench.ids
    broken = annotated(shop(3, args=("broken",), progress_deadline_seconds=10))
    bench.update(broken)
    bench.now += 11
    bench.subject.reconcile()
    await asyncio.sleep(0)
    bench.runner.end_terminating()
    assert bench.ids == before
    status = bench.subject.status()
    assert status.rolled_back == "revision 2 exceeded its progress deadline: rolled back to the template of revision 1"
    assert (status.revision, status.complete, reason(bench)) == (3, True, "NewReplicaSetAvailable")
    bench.update(broken)
    assert bench.ids == before, "it holds until the template is another"
    bench.update(annotated(shop(3, args=("mended",))))
    bench.runner.settle()
    assert (bench.subject.status().rolled_back, bench.subject.status().revision) == ("", 4)


def annotated(deployment: Deployment) -> Deployment:
    metadata = msgspec.structs.replace(deployment.metadata, annotations={"weft.dev/rollback-on-failure": "true"})
    return msgspec.structs.replace(deployment, metadata=metadata)


async def test_made_paused_it_runs_nothing_and_says_so(bench: Bench) -> None:
    bench.update(shop(2, paused=True))
    assert bench.ids == []
    assert reason(bench) == "DeploymentPaused"
    assert bench.subject.status().message == "it is paused, and nothing of it has run yet"
    bench.update(shop(2))
    assert len(bench.ids) == 2


async def test_paused_in_the_midst_it_is_scaled_in_proportion(bench: Bench) -> None:
    strategy = DeploymentStrategy(rolling_update=RollingUpdate(3, 2))
    bench.update(shop(10, strategy=strategy))
    bench.runner.settle()
    old = bench.runner.all[0].digest
    bench.update(shop(10, strategy=strategy, args=("new",)))
    bench.update(shop(15, strategy=strategy, args=("new",), paused=True))
    alive = [replica.digest == old for replica in bench.runner.all if not replica.terminating]
    assert (alive.count(True), alive.count(False)) == (11, 7)


async def test_no_room_is_a_replica_failure(bench: Bench) -> None:
    bench.runner.room = 1
    bench.update(shop(2))
    assert reason(bench, "ReplicaFailure") == "FailedCreate"


async def test_what_cannot_run_is_a_condition(bench: Bench) -> None:
    bench.runner.refused.add("shop:v1")
    bench.update(shop(2))
    assert reason(bench) == "ReplicaSetCreateError"


async def test_nothing_is_done_once_it_is_stopped(bench: Bench) -> None:
    bench.update(shop(1))
    bench.subject.stop()
    bench.runner.end(bench.runner.all[0])
    assert bench.ids == []


async def test_adopted_replicas_of_a_gone_revision_are_not_replaced(bench: Bench) -> None:
    bench.runner.all = [FakeReplica(SHOP, f"shop-old-{index}", "old") for index in range(3)]
    for replica in bench.runner.all:
        replica.serving = True
    bench.update(shop(3, args=("broken",)))
    bench.runner.end(bench.runner.all[0])
    assert [replica.digest for replica in bench.runner.all].count("old") == 2
    assert len(bench.ids) == 4


async def test_what_does_not_come_back_after_a_restart_is_no_rollout_that_failed(bench: Bench) -> None:
    bench.update(annotated(shop(1)))
    bench.runner.settle()
    wanted = annotated(shop(1, args=("next",), progress_deadline_seconds=10))
    bench.update(wanted)
    bench.runner.settle()
    bench.runner.all.clear()
    around = Surroundings(Random(7), lambda: bench.now, bench.publish, bench.keep)
    bench.subject = Reconciler(bench.runner, wanted, around, bench.kept[-1])
    bench.update(wanted)
    bench.now += 11
    bench.subject.reconcile()
    await asyncio.sleep(0)
    assert (bench.subject.status().rolled_back, bench.subject.status().revision) == ("", 2)
    assert (reason(bench), len(bench.ids)) == ("NewReplicaSetAvailable", 1)
