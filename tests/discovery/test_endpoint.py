from __future__ import annotations

import msgspec
import pytest

from discovery.endpoint import Endpoint, Replica, ReplicaPort, WorkloadRef


def test_an_endpoint_is_where_it_is_dialled() -> None:
    assert Endpoint("127.97.0.1", 8080).where == ("127.97.0.1", 8080)


def test_an_endpoint_that_says_nothing_may_be_used() -> None:
    endpoint = Endpoint("10.0.0.1", 80)
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == (True, True, False)


def test_a_replica_that_says_nothing_may_not() -> None:
    replica = Replica("a-1", WorkloadRef("Deployment", "default", "a"), {}, "node", "127.97.0.1", ())
    assert (replica.ready, replica.serving, replica.terminating) == (False, False, False)


def test_what_exists_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Endpoint("10.0.0.1", 80).ready = False  # type: ignore[misc]


def test_equal_replicas_are_equal_whatever_their_making() -> None:
    one = Replica(
        "a-1", WorkloadRef("Deployment", "n", "a"), {"k": "v"}, "node", "127.97.0.1", (ReplicaPort(80, 8080),)
    )
    assert msgspec.structs.replace(one, ready=True) == msgspec.structs.replace(one, ready=True) != one
