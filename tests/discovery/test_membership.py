from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.resources.core import ServicePort
from discovery.endpoint import Endpoint, ReplicaPort, WorkloadRef
from discovery.membership import Membership, distinct, endpoint_of, target_port
from tests.discovery.objects import replica, service

PORTS = (
    ReplicaPort(8080, 31001, "http"),
    ReplicaPort(53, 31053, "dns", "UDP"),
    ReplicaPort(53, 32053, "dns-tcp"),
)


@pytest.mark.parametrize(
    ("case", "port", "real"),
    [
        ("by number", ServicePort(port=80, target_port=8080), 31001),
        ("by name", ServicePort(port=80, target_port="http"), 31001),
        ("absent: the port itself", ServicePort(port=8080), 31001),
        ("a number that is not declared means itself", ServicePort(port=80, target_port=9090), 9090),
        ("a name that is not declared", ServicePort(port=80, target_port="metrics"), None),
        ("the protocol must fit", ServicePort(port=53, protocol="UDP"), 31053),
        ("for each protocol its own", ServicePort(port=53), 32053),
        ("a name of another protocol", ServicePort(port=53, target_port="dns"), None),
    ],
)
def test_target_ports(case: str, port: ServicePort, real: int | None) -> None:
    assert target_port(replica(ports=PORTS), port) == real, case


def test_an_endpoint_keeps_what_the_replica_is() -> None:
    one = replace(replica(7, zone="a", hostname="shop-0"), inside=True)
    assert endpoint_of(one, ServicePort(port=80, target_port="http")) == Endpoint(
        "127.97.0.8",
        31007,
        replica_id="shop-7",
        workload=WorkloadRef("Deployment", "default", "shop"),
        node="laptop",
        zone="a",
        hostname="shop-0",
        inside=True,
    )


def test_for_one_of_which_nobody_says_more_than_that_it_runs_nobody_vouches() -> None:
    endpoint = endpoint_of(replace(replica(), vouched=False), ServicePort(port=80))
    assert endpoint is not None
    assert (endpoint.vouched, endpoint.workload) == (False, replica().workload)


@pytest.mark.parametrize(
    ("ready", "serving", "terminating", "expected"),
    [
        (True, True, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, True, (False, True, True)),
        (False, False, True, (False, False, True)),
        (True, False, False, (True, True, False)),
    ],
)
def test_conditions(ready: bool, serving: bool, terminating: bool, expected: tuple[bool, bool, bool]) -> None:
    one = replica(ready=ready, serving=serving, terminating=terminating)
    endpoint = endpoint_of(one, ServicePort(port=80))
    assert endpoint is not None
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == expected


def addresses(member: Membership, port: str = "80") -> list[str]:
    assert member.published is not None
    return [endpoint.address for endpoint in member.published[port]]


def test_those_that_stay_keep_their_place() -> None:
    member = Membership(service(selector={"app": "shop"}), None)
    for number in (3, 1, 2):
        member.put(("p", f"shop-{number}"), replica(number))
    member.publish()
    assert addresses(member) == ["127.97.0.4", "127.97.0.2", "127.97.0.3"]
    member.put(("p", "shop-1"), replica(1, ready=False))
    member.remove(("p", "shop-3"))
    member.put(("p", "shop-3"), replica(3))
    member.publish()
    assert addresses(member) == ["127.97.0.2", "127.97.0.3", "127.97.0.4"]


def test_what_does_not_differ_is_not_published() -> None:
    member = Membership(service(selector={"app": "shop"}), None)
    assert member.publish()
    member.put(("p", "shop-1"), replica(1))
    assert member.publish()
    before = member.published
    member.put(("p", "shop-1"), replace(replica(1), since=99.0))
    assert not member.publish()
    assert member.published is before


def test_a_replica_without_the_named_port_is_left_out_of_that_port_alone() -> None:
    ports = (
        ServicePort(name="http", port=80, target_port="http"),
        ServicePort(name="m", port=90, target_port="metrics"),
    )
    member = Membership(service("shop", *ports, selector={"app": "shop"}), None)
    member.put(("p", "shop-1"), replica(1))
    member.publish()
    assert (addresses(member, "http"), addresses(member, "m")) == (["127.97.0.2"], [])
    metrics = ReplicaPort(9090, 9090, "metrics")
    member.put(("p", "shop-1"), replica(1, ports=(metrics,)))
    member.publish()
    assert (addresses(member, "http"), addresses(member, "m")) == ([], ["127.97.0.2"])


def test_given_endpoints_of_several_sources_are_joined() -> None:
    member = Membership(service(), None)
    member.give("b", {"80": (Endpoint("10.0.0.2", 80), Endpoint("10.0.0.1", 80, ready=False))})
    member.give("a", {"80": (Endpoint("10.0.0.1", 80), Endpoint("10.0.0.3", 80)), "unknown": (Endpoint("x", 1),)})
    member.publish()
    assert member.published == {
        "80": (Endpoint("10.0.0.2", 80), Endpoint("10.0.0.1", 80), Endpoint("10.0.0.3", 80)),
    }
    member.give("a", {})
    member.publish()
    assert addresses(member) == ["10.0.0.2", "10.0.0.1"]


def test_the_selector_wins_from_its_first_replica_on() -> None:
    member = Membership(service(selector={"app": "shop"}), None)
    member.give("manifest", {"80": (Endpoint("10.0.0.1", 80),)})
    member.publish()
    assert (addresses(member), member.contested) == (["10.0.0.1"], False)
    member.put(("p", "shop-1"), replica(1))
    member.publish()
    assert (addresses(member), member.contested) == (["127.97.0.2"], True)
    member.remove(("p", "shop-1"))
    member.publish()
    assert addresses(member) == []


@pytest.mark.parametrize(
    ("case", "one", "two", "wins"),
    [
        ("the first of equals", Endpoint("a", 1, node="x"), Endpoint("a", 1, node="y"), 0),
        ("the ready one", Endpoint("a", 1, ready=False), Endpoint("a", 1), 1),
        ("the serving one", Endpoint("a", 1, ready=False, serving=False), Endpoint("a", 1, ready=False), 1),
        ("not the one that is worse off", Endpoint("a", 1), Endpoint("a", 1, ready=False), 0),
    ],
)
def test_duplicates(case: str, one: Endpoint, two: Endpoint, wins: int) -> None:
    other = Endpoint("b", 1)
    assert distinct([one, other, two]) == ((one, two)[wins], other), case
