"""Every balancer that a policy can name can be made, and picks nothing out of nothing."""

from __future__ import annotations

from typing import get_args

import pytest

from config.balancing import BalancerPolicy, BalancerType
from mesh.balancing.base import Keyed, Observing
from mesh.balancing.registry import BALANCERS, new_balancer
from tests.mesh.balancing.candidates import One, World

NAMES = get_args(BalancerType)


def test_all_of_them_are_here() -> None:
    assert set(BALANCERS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_can_be_made(name: BalancerType) -> None:
    around = World().around
    made = new_balancer(BalancerPolicy(type=name), around)
    assert made.pick() is None
    assert made is not new_balancer(BalancerPolicy(type=name), around)
    assert isinstance(made, Keyed) is (name in {"RingHash", "Maglev"})
    assert isinstance(made, Observing) is (name == "PeakEWMA")
    if isinstance(made, Keyed):
        assert made.pick_for(b"key") is None


@pytest.mark.parametrize("name", NAMES)
def test_whatever_was_tried_somebody_is_picked(name: BalancerType) -> None:
    first, second = One(1), One(2, weight=0)
    made = new_balancer(BalancerPolicy(type=name), World([first, second]).around)
    made.use([first, second])
    assert made.pick((first, second)) in (first, second)
    made.use([first])
    assert made.pick((first,)) is first
    assert made.pick() is first
    if isinstance(made, Keyed):
        assert made.pick_for(b"key", (first,)) is first
    made.use([])
    assert made.pick() is None


@pytest.mark.parametrize("name", NAMES)
def test_who_was_tried_is_not_picked_again(name: BalancerType) -> None:
    candidates = [One(number) for number in range(4)]
    made = new_balancer(BalancerPolicy(type=name), World(candidates).around)
    made.use(candidates)
    tried: tuple[One, ...] = ()
    for _ in candidates:
        picked = made.pick(tried)
        assert picked is not None
        assert picked not in tried
        tried += (picked,)
