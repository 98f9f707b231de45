"""The protocols stay small: two methods that all balancers have, and one more at most."""

from __future__ import annotations

import inspect

import pytest

from discovery.endpoint import Endpoint
from mesh.backend import EndpointState
from mesh.balancing.base import Balancer, Candidate, Foreseeable, Keyed, Observing


def methods(protocol: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(protocol, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("protocol", "more"), [(Keyed, {"pick_for"}), (Observing, {"observe"}), (Foreseeable, {"peek"})]
)
def test_balancers_are_small(protocol: type, more: set[str]) -> None:
    assert methods(Balancer) == {"pick", "use"}
    assert methods(protocol) == {"pick", "use"} | more


def test_endpoints_are_candidates() -> None:
    state = EndpointState(Endpoint("10.0.0.1", 80))
    assert all(hasattr(state, name) for name in Candidate.__annotations__)
    assert set(Candidate.__annotations__) == {"host", "port", "weight", "in_flight"}
