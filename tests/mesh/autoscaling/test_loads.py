"""Live counters as samples: of the Services and workloads that were asked for, and no others."""

from __future__ import annotations

import msgspec

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.loads import LiveSource
from mesh.autoscaling.target import ReplicaLoad
from mesh.backend import Backend
from mesh.live import Live
from tests.mesh.making import KEY, Clock, endpoint, plan

WEB = WorkloadRef("Deployment", KEY.namespace, "web")


def world() -> tuple[LiveSource, list[Backend]]:
    """Two ports of one Service, over the same two replicas and one of another workload."""
    live, clock = Live(Clock()), Clock()
    keys = [KEY, KEY._replace(port="other"), KEY._replace(side="external"), KEY._replace(service="else")]
    backends = {key: Backend(key, clock) for key in keys}
    live.replace(backends)
    for each in backends.values():
        named = [msgspec.structs.replace(endpoint(i), replica_id=f"web-{i}", workload=WEB) for i in range(2)]
        other = msgspec.structs.replace(endpoint(9), replica_id="x-0", workload=WEB._replace(name="x"))
        each.apply(plan(*named, other, key=each.key))
    return LiveSource(live), list(backends.values())


def test_services() -> None:
    source, backends = world()
    for number, each in enumerate(backends, 1):
        each.stats.in_flight = number
    frame = source.services({Named(KEY.namespace, KEY.service)})
    assert {each.port: each.in_flight for each in frame.backends} == {KEY.port: 1 + 3, "other": 2}
    assert all(not each.endpoints for each in frame.backends)
    assert source.services(set()).backends == []


def test_replicas_are_summed_over_ports() -> None:
    source, backends = world()
    for each in backends:
        for state in each.states():
            state.in_flight, state.requests = 2, 10
    assert source.replicas({WEB}) == {"web-0": ReplicaLoad(8, 40), "web-1": ReplicaLoad(8, 40)}
    assert source.replicas(set()) == {}


def test_a_replica_that_left_is_there_as_long_as_it_is_remembered() -> None:
    source, backends = world()
    for each in backends:
        each.retire()
    assert set(source.replicas({WEB})) == {"web-0", "web-1"}
