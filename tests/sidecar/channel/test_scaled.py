"""Nodes as places and data planes: what they are told, and when it is done."""

from __future__ import annotations

import pytest

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.places import Places
from mesh.autoscaling.target import ReplicaLoad
from mesh.stats import BackendFrame
from sidecar.channel.messages import Autoscaled, Copy, Hello, Scales, Stats, Used, Wanted, Workload
from sidecar.channel.nodes import KnownNode, Nodes
from sidecar.channel.scaled import NodesSource, places
from sidecar.channel.tally import Load

WEB = WorkloadRef("Deployment", "default", "web")
HELLO = Hello(1, "test")


def nodes(*leased: str) -> Nodes:
    return Nodes(lambda: leased, lambda: 0.0)


def came(there: Nodes, name: str, desired: int = 2) -> KnownNode:
    node = there.came(name, HELLO, "")
    node.runs = frozenset({"default/web"})
    node.scaled(Scales((workload(name, desired),), {f"{name}-0": Load(1, 5)}))
    return node


def workload(name: str, desired: int) -> Workload:
    copies = tuple(Copy(f"{name}-{i}", True, False, False, 1.0, 2.0) for i in range(desired))
    return Workload("default/web", desired, copies)


async def test_a_node_is_told_until_it_has_what_it_is_to_have() -> None:
    there = nodes()
    told: list[int] = []
    there.followers.append(lambda: told.append(1))
    there.define(Autoscaled((Wanted("default/web", sleeps=True),)))
    node = came(there, "a")
    ((_, place),) = places(there)
    assert ((await place.read(WEB)).desired, there.wanted_of(node).workloads) == (2, (Wanted("default/web", True),))
    await place.set(WEB, 3, ("a-1",))
    assert there.wanted_of(node).workloads == (Wanted("default/web", True, 3, ("a-1",)),)
    assert ((await place.read(WEB)).desired, len(told)) == (3, 2), "as if it had it already"
    node.scaled(Scales((workload("a", 2),)))
    assert node.wanted
    node.scaled(Scales((workload("a", 3),)))
    assert (node.wanted, there.wanted_of(node).workloads) == ({}, (Wanted("default/web", True),))
    assert place.usage(WEB) == {}


async def test_what_is_known_of_those_that_may_sleep_is_told_too() -> None:
    there = nodes()
    told: list[int] = []
    there.followers.append(lambda: told.append(1))
    node = came(there, "a")
    blue = "SwarmService:default/blue"
    sleepers = (
        Wanted(blue, True, services=("default/web",), size=0),
        Wanted("default/web", True, labels={"app": "web"}),
    )
    for _ in range(2):
        there.define(Autoscaled(sleepers))
    assert there.wanted_of(node).workloads == sleepers
    assert len(told) == 1, "the second time there is nothing new"


async def test_who_is_a_place() -> None:
    there = nodes("b")
    a, b, c = (came(there, name) for name in "abc")
    there.left(b)
    there.left(c)
    assert [name for name, _ in places(there)] == ["a", "b"], "the connection of b is lost, but its lease is there"
    a.scaled(Scales())
    assert [name for name, _ in places(there)] == ["b"]


async def test_what_sleeps_is_woken_where_somebody_hears_of_it() -> None:
    there = nodes("a", "b")
    lost, stays = came(there, "a", 0), came(there, "b", 0)
    there.left(lost)
    await Places(lambda: dict(places(there))).set(WEB, 1)
    assert (lost.wanted, stays.wanted["default/web"].replicas) == ({}, 1)


async def test_what_a_node_may_not_run_is_not_scaled_there() -> None:
    there = nodes()
    node = there.came("a", HELLO, "")
    node.scaled(Scales((workload("a", 2),)))
    assert list(places(there)) == []


async def test_what_a_node_does_not_run() -> None:
    there = nodes()
    came(there, "a")
    ((_, place),) = places(there)
    for other in (WorkloadRef("Deployment", "default", "other"), WorkloadRef("StatefulSet", "default", "web")):
        with pytest.raises(KeyError):
            await place.read(other)
        with pytest.raises(KeyError):
            await place.set(other, 1)


def test_counters_of_all_nodes_add_up_and_never_run_backwards() -> None:
    there = nodes()
    source = NodesSource(there)
    for name in "ab":
        node = came(there, name)
        node.counted(Stats([BackendFrame("default", "web", "http", codes={200: 5}, in_flight=2)], whole=True))
    (frame,) = source.services({Named("default", "web")}).backends
    assert (frame.codes, frame.in_flight) == ({200: 10}, 4)
    there.left(node)
    there.forget(["a"])
    (frame,) = source.services({Named("default", "web")}).backends
    assert (frame.codes, frame.in_flight) == ({200: 10}, 2), "what a node counted stays when it is forgotten"
    assert source.services({Named("default", "api")}).backends == []
    assert source.replicas({WEB}) == {"a-0": ReplicaLoad(1, 5)}


async def test_of_what_others_scale_a_node_says_only_what_it_uses() -> None:
    there, service = nodes(), WorkloadRef("SwarmService", "default", "web")
    node = there.came("a", HELLO, "")
    used = {"t0": (Used("task", 1.0, 2.0, {}),)}
    node.scaled(Scales((Workload("SwarmService:default/web", 0, (), used), Workload("default/other", 1))))
    ((_, place),) = places(there)
    assert list(place.usage(service)) == ["t0"]
    with pytest.raises(KeyError):
        await place.read(service)
    assert not place.usage(WEB), "what it may not run is not heard"
