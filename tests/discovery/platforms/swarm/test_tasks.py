from __future__ import annotations

import signal

from config.meta import Named
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.observed import Place
from discovery.platforms.docker.sighting import Sighting
from discovery.platforms.swarm.tasks import Tasks, matters, replica_of
from tests.discovery.platforms.swarm.facts import TASK, container_labels

PLACE = Place("a", "z", {"ov": "overlay", "docker_gwbridge": "bridge"})
ADDRESSES = {"ov": "10.0.1.3", "docker_gwbridge": "172.18.0.3"}


def condition(labels: dict[str, str] | None = None, *, ending: bool = False, health: str = "") -> Condition:
    sighting = Sighting(
        id="c1", name="web.1", labels=labels or container_labels(), running=True, health=health, started="now",
        stop_signal=signal.SIGTERM, addresses=ADDRESSES,
    )  # fmt: skip
    return Condition(sighting, ending=ending)


def test_only_containers_of_tasks_matter() -> None:
    assert matters(container_labels())
    assert not matters({"weft.dev/service": "web"})


def test_a_task_stands_behind_the_service_of_its_name() -> None:
    found = replica_of(condition(), PLACE, 5.0)
    assert isinstance(found, Replica)
    assert (found.id, found.workload) == (TASK, WorkloadRef("SwarmService", "default", "web"))
    assert (found.address, found.node, found.zone, found.since) == ("172.18.0.3", "a", "z", 5.0)
    assert (found.inside, found.vouched) == (True, False)
    assert (found.services, found.ready) == ((Named("default", "web"),), True)


def test_a_label_of_its_container_names_another_one() -> None:
    found = replica_of(condition(container_labels(**{"weft.dev/service": "shop/front"})), PLACE, 0.0)
    assert found is not None
    assert found.services == (Named("shop", "front"),)


def test_what_cannot_be_dialled_is_left_out() -> None:
    assert replica_of(condition(), Place("a", "", {"ov": "overlay", "docker_gwbridge": "other"}), 0.0) is None
    assert replica_of(condition(container_labels("w" * 64)), PLACE, 0.0) is None


def test_a_task_that_is_not_wanted_any_more_is_terminating_at_once() -> None:
    tasks = Tasks()
    tasks.update({"c1": condition()}, (), PLACE, 1.0)
    before = tasks.replicas
    tasks.update({"c1": condition()}, (), PLACE, 2.0)
    assert tasks.replicas[0] is before[0]
    tasks.update({"c1": condition()}, {TASK}, PLACE, 3.0)
    (now,) = tasks.replicas
    assert (now.ready, now.serving, now.terminating, now.since) == (False, True, True, 3.0)
    tasks.update({"c1": condition(ending=True)}, (), PLACE, 4.0)
    assert tasks.replicas[0].terminating
    tasks.update({}, (), PLACE, 5.0)
    assert (tasks.replicas, tasks.containers) == ((), {})
