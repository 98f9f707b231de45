"""Which balancer a policy names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from config.balancing import BalancerPolicy, BalancerType
from mesh.balancing.affinity import AffinityPolicy, keeping
from mesh.balancing.base import Balancer, Surroundings
from mesh.balancing.least_request import LeastRequest
from mesh.balancing.maglev import Maglev
from mesh.balancing.peak_ewma import PeakEWMA
from mesh.balancing.ring_hash import RingHash
from mesh.balancing.round_robin import RoundRobin
from mesh.balancing.weighted_random import WeightedRandom

BALANCERS: Mapping[BalancerType, Callable[[BalancerPolicy, Surroundings], Balancer[Any]]] = MappingProxyType(
    {
        "RoundRobin": lambda _, __: RoundRobin(),
        "LeastRequest": lambda policy, around: LeastRequest(policy.choices, around),
        "Random": lambda _, around: WeightedRandom(around),
        "RingHash": lambda policy, around: RingHash(policy.points, policy.bounded_load, around),
        "Maglev": lambda policy, around: Maglev(policy.table_size, policy.bounded_load, around),
        "PeakEWMA": lambda policy, around: PeakEWMA(policy.choices, policy.decay, around),
    }
)


def new_balancer(policy: BalancerPolicy, surroundings: Surroundings) -> Balancer[Any]:
    """A balancer of the type that `policy` names, with nothing to pick from yet."""
    made = BALANCERS[policy.type](policy, surroundings)
    return keeping(made, policy, surroundings.clock) if isinstance(policy, AffinityPolicy) else made
