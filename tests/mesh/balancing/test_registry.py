"""Every balancer that a policy can name can be made."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from config.balancing import BalancerPolicy
from config.policies import BALANCERS_IN_FORCE
from mesh.balancing.registry import BALANCERS, new_balancer


def test_what_is_in_force_is_here() -> None:
    assert set(BALANCERS) == BALANCERS_IN_FORCE


@pytest.mark.parametrize("name", get_args(get_type_hints(BalancerPolicy)["type"]))
def test_every_type_is_served(name: str) -> None:
    made = new_balancer(BalancerPolicy(type=name))  # type: ignore[arg-type]
    assert made.pick() is None
    assert made is not new_balancer(BalancerPolicy(type=name))  # type: ignore[arg-type]
