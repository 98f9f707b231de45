"""Whatever the registry offers fits the protocol: two methods, and nothing picked out of nothing."""

from __future__ import annotations

import inspect

from mesh.balancing.base import Balancer, Candidate


def test_balancers_are_small() -> None:
    methods = [name for name, _ in inspect.getmembers(Balancer, inspect.isfunction) if not name.startswith("_")]
    assert sorted(methods) == ["pick", "use"]
    assert set(Candidate.__annotations__) == {"weight"}
