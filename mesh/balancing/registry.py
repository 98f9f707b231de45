"""Which balancer a policy names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from config.balancing import BalancerPolicy
from mesh.balancing.base import Balancer
from mesh.balancing.round_robin import RoundRobin

BALANCERS: Mapping[str, Callable[[], Balancer[Any]]] = MappingProxyType({"RoundRobin": RoundRobin})


def new_balancer(policy: BalancerPolicy) -> Balancer[Any]:
    """A balancer of the type that `policy` names, round robin for those to come; with nothing to pick from yet."""
    return BALANCERS.get(policy.type, RoundRobin)()
