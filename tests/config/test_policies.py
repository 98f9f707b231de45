"""TrafficPolicy's types: the defaults that their fields state, and which balancers act."""

from __future__ import annotations

from typing import get_args, get_type_hints

from config.policies import BALANCERS_IN_FORCE, BalancerPolicy, RetryPolicy, TimeoutPolicy


def test_the_default_balancer_is_carried_out() -> None:
    assert BalancerPolicy().type in BALANCERS_IN_FORCE


def test_balancers_in_force_are_balancers() -> None:
    known = get_args(get_type_hints(BalancerPolicy)["type"])
    assert set(known) == {"RoundRobin", "LeastRequest", "Random", "RingHash", "Maglev", "PeakEWMA"}
    assert set(known) >= BALANCERS_IN_FORCE


def test_defaults() -> None:
    assert TimeoutPolicy() == TimeoutPolicy(1.0, 10.0, 60.0, 60.0, 3600.0)
    assert RetryPolicy() == RetryPolicy(2, ("connect-failure", "refused", "reset"), 20)
