from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.meta import Named
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.observed import Observed, Place, replica_id, replica_of
from tests.discovery.platforms.docker.facts import ID, condition, seen

PLACE = Place("one", "west", {"bridge": "bridge", "ov": "overlay"})


def test_a_replica_stands_behind_the_service_that_its_label_names() -> None:
    labels = {"weft.dev/service": "shop/web", "weft.dev/ports": "http=80"}
    assert replica_of(Condition(seen(labels=labels)), PLACE, 7.0) == Replica(
        id=f"web-1-{ID[:12]}",
        workload=WorkloadRef("Container", "shop", "web"),
        labels={},
        node="one",
        address="172.17.0.2",
        ports=(ReplicaPort(80, 80, "http"),),
        ready=True,
        serving=True,
        since=7.0,
        zone="west",
        services=(Named("shop", "web"),),
        vouched=False,
        inside=True,
    )


def test_only_a_healthcheck_says_more_than_that_it_runs() -> None:
    healthy = replica_of(Condition(seen(health="healthy")), PLACE, 0.0)
    assert healthy is not None
    assert healthy.vouched


def test_who_ends_is_terminating_and_serves() -> None:
    replica = replica_of(condition(ending=True), PLACE, 0.0)
    assert replica is not None
    assert (replica.ready, replica.serving, replica.terminating) == (False, True, True)


@pytest.mark.parametrize("changes", [{"labels": {}}, {"addresses": {}}, {"addresses": {"ov": "10.0.0.2"}}])
def test_no_replica(changes: dict[str, dict[str, str]]) -> None:
    assert replica_of(Condition(seen(**changes)), PLACE, 0.0) is None


NAMES = {
    "web-1": "web-1-4fa6e0f0c678",
    "shop_web.1": "shop-web-1-4fa6e0f0c678",
    "Web": "web-4fa6e0f0c678",
    "_": "4fa6e0f0c678",
    "x" * 80: "x" * 50 + "-4fa6e0f0c678",
}


@pytest.mark.parametrize("name", NAMES)
def test_ids(name: str) -> None:
    assert replica_id(seen(name=name)) == NAMES[name]


def test_replicas_stay_the_same_objects_until_they_differ() -> None:
    observed = Observed()
    observed.update({ID: condition()}, PLACE, 1.0)
    (first,) = observed.replicas
    observed.update({ID: condition()}, PLACE, 2.0)
    assert observed.replicas[0] is first
    assert first.since == 1.0
    observed.update({ID: Condition(replace(seen(), paused=True))}, PLACE, 3.0)
    assert (observed.replicas[0].ready, observed.replicas[0].since) == (False, 3.0)
    observed.update({ID: Condition(replace(seen(), paused=True), ending=True)}, PLACE, 4.0)
    assert (observed.replicas[0].terminating, observed.replicas[0].since) == (True, 3.0)
    observed.update({}, PLACE, 5.0)
    assert observed.replicas == ()
