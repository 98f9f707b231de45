from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.meta import Named
from discovery.endpoint import Replica, ReplicaPort, WorkloadRef
from discovery.platforms.docker.condition import Condition
from discovery.platforms.docker.observed import Observed, Place, Run, accept_ports, identify, replica_id
from tests.discovery.platforms.docker.facts import ID, condition, seen, sends_to

PLACE = Place("one", "west", {"bridge": "bridge", "ov": "overlay"})


def replica_of(condition: Condition, place: Place = PLACE, now: float = 0.0) -> Replica | None:
    """Of a container of a Docker host, where nobody looks whether it listens."""
    observed = Observed(identify)
    observed.update({ID: condition}, place, now, accepted=None)
    return observed.replicas[0] if observed.replicas else None


def test_a_replica_stands_behind_the_service_that_its_label_names() -> None:
    labels = {"weft.dev/service": "shop/web", "weft.dev/ports": "http=80"}
    assert replica_of(Condition(seen(labels=labels)), now=7.0) == Replica(
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
    healthy = replica_of(Condition(seen(health="healthy")))
    assert healthy is not None
    assert healthy.vouched


def test_who_ends_is_terminating_and_serves() -> None:
    replica = replica_of(condition(ending=True))
    assert replica is not None
    assert (replica.ready, replica.serving, replica.terminating) == (False, True, True)


@pytest.mark.parametrize("changes", [{"labels": {}}, {"addresses": {}}, {"addresses": {"ov": "10.0.0.2"}}])
def test_no_replica(changes: dict[str, dict[str, str]]) -> None:
    assert replica_of(Condition(seen(**changes))) is None


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
    observed = Observed(identify)

    def update(now: float, condition: Condition | None = None, unwanted: tuple[str, ...] = ()) -> Replica | None:
        observed.update({ID: condition} if condition else {}, PLACE, now, accepted=None, unwanted=unwanted)
        return observed.replicas[0] if observed.replicas else None

    first = update(1.0, condition())
    assert first is not None
    assert update(2.0, condition()) is first
    assert (first.since, observed.containers) == (1.0, {first.id: ID})
    paused = Condition(replace(seen(), paused=True))
    assert (now := update(3.0, paused)) is not None
    assert (now.ready, now.since) == (False, 3.0)
    assert (now := update(4.0, replace(paused, ending=True))) is not None
    assert (now.terminating, now.since) == (True, 3.0)
    assert update(5.0, condition()) is not None
    assert (now := update(6.0, condition(), unwanted=(first.id,))) is not None
    assert (now.ready, now.serving, now.terminating, now.since) == (False, True, True, 6.0)
    assert update(7.0) is None


def test_where_its_services_send_to() -> None:
    replica = replica_of(Condition(seen(labels={"weft.dev/service": "shop/web", "weft.dev/ports": "http=80"})))
    assert replica is not None
    assert accept_ports(replica, sends_to(8080)) == (8080,)
    assert accept_ports(replica, sends_to("http")) == (80,)
    assert accept_ports(replica, sends_to("other")) == ()
    assert accept_ports(replica, sends_to(53, protocol="UDP")) == ()
    assert accept_ports(replica, sends_to(8080, Named("shop", "other"))) == ()


def test_without_a_check_it_is_ready_once_it_has_accepted() -> None:
    place, run = PLACE._replace(services=sends_to(8080)), Run(f"web-1-{ID[:12]}", "first", "172.17.0.2")
    observed = Observed(identify)
    observed.update({ID: condition()}, place, 1.0, accepted=())
    (replica,) = observed.replicas
    assert (replica.ready, replica.serving) == (False, False)
    assert observed.silent == {run: (8080,)}
    observed.update({ID: condition()}, place, 2.0, accepted={run})
    (replica,) = observed.replicas
    assert (replica.ready, replica.serving, replica.since) == (True, True, 2.0)
    observed.update({ID: Condition(seen(health="healthy"))}, place, 3.0, accepted=())
    assert (observed.replicas[0].ready, observed.silent) == (True, {})
    observed.update({ID: condition()}, PLACE, 4.0, accepted=())
    assert (observed.replicas[0].ready, observed.silent) == (True, {}), "nothing is sent to it"


def test_who_a_container_is_is_asked_when_it_or_what_is_in_force_differs() -> None:
    asked: list[str] = []
    observed = Observed(lambda seen: asked.append(seen.id) or identify(seen))
    one, other, newer = condition(), Condition(seen(id="b" * 64, name="other")), PLACE._replace()
    for place, first, times in ((PLACE, one, 2), (PLACE, one, 0), (PLACE, condition(ending=True), 1), (newer, one, 2)):
        asked.clear()
        observed.update({ID: first, other.sighting.id: other}, place, 1.0, accepted=None)
        assert (len(asked), len(observed.replicas)) == (times, 2)


REMARKS: dict[str, tuple[dict[str, dict[str, str]], str]] = {
    "nothing": ({}, ""),
    "of no Service": ({"labels": {"weft.dev/service": "none"}, "addresses": {}}, ""),
    "nobody": ({"labels": {}, "addresses": {}}, ""),
    "no bridge": (
        {"addresses": {"ov": "10.0.0.2"}},
        "it is in no network that this machine can dial, such as a bridge",
    ),
    "not in the network": (
        {"labels": {"weft.dev/service": "shop/web", "weft.dev/network": "front"}},
        'label weft.dev/network: it has no address in a network "front"',
    ),
    "a label": (
        {"labels": {"weft.dev/service": "web", "weft.dev/ports": "80"}},
        'label weft.dev/ports: "80" is no NAME=PORT/tcp, such as http=8080',
    ),
}


@pytest.mark.parametrize("case", REMARKS)
def test_what_is_wrong_with_a_container_is_said(case: str) -> None:
    changes, said = REMARKS[case]
    observed = Observed(identify)
    place = PLACE._replace(services=sends_to(80))
    observed.update({ID: Condition(seen(**changes))}, place, 1.0, accepted=None)
    assert observed.remarks == ((f"web-1: {said}",) if said else ())
