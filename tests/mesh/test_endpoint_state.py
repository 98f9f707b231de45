"""An endpoint's state follows what discovery says, and tells connections that leave while they are told."""

from __future__ import annotations

import pytest

from discovery.endpoint import Endpoint, WorkloadRef
from mesh.endpoint_state import EndpointState, vouched


class Connection:
    def __init__(self, state: EndpointState) -> None:
        self._state = state
        self.told = 0
        state.connections.add(self)

    def endpoint_withdrawn(self) -> None:
        self.told += 1
        self._state.connections.discard(self)


def test_becomes_what_discovery_says() -> None:
    state = EndpointState(Endpoint("10.0.0.1", 80))
    state.become(heavier := Endpoint("10.0.0.1", 80, weight=7))
    assert state.endpoint is heavier
    assert state.weight == 7


@pytest.mark.parametrize(("address", "name"), [("10.0.0.1", "10.0.0.1:80"), ("fd00::1", "[fd00::1]:80")])
def test_it_is_called_by_address_and_port(address: str, name: str) -> None:
    assert EndpointState(Endpoint(address, 80)).name == name


def test_all_connections_are_told() -> None:
    state = EndpointState(Endpoint("10.0.0.1", 80))
    connections = [Connection(state) for _ in range(3)]
    state.withdraw()
    assert [connection.told for connection in connections] == [1, 1, 1]


def test_replicas_of_a_platform_are_vouched_for() -> None:
    assert vouched(Endpoint("10.0.0.1", 80, workload=WorkloadRef("Deployment", "default", "shop")))
    assert not vouched(Endpoint("10.0.0.1", 80, replica_id="pod-1"))
