"""Types of the groups about endpoints: what holds when a group is said and nothing in it."""

from __future__ import annotations

import pytest

from config.balancing import (
    BalancerPolicy,
    EjectionPolicy,
    FailoverPolicy,
    HealthCheckPolicy,
    LimitPolicy,
    LocalityPolicy,
    PanicPolicy,
    SlowStartPolicy,
    SuccessRatePolicy,
)
from config.meta import Spec
from config.validation.balancing import is_prime, status_range

DEFAULTS = {
    "type: RoundRobin, no key": (BalancerPolicy(), "RoundRobin", 2, None, 0, 100, 2039, 10.0),
    "half a minute": (SlowStartPolicy(), 30.0, 1.0, 10),
    "tcp": (HealthCheckPolicy(), "tcp", "/", "", "http", ("200-399",), "", 0, 10.0, 1.0, 2, 3),
    "Envoy's": (SuccessRatePolicy(), 1.9, 10.0, 5, 100),
    "one failed connect": (EjectionPolicy(), 1, 0, None, 1.0, 30.0, 50),
    "under half": (PanicPolicy(), 50),
    "under half of a tier": (FailoverPolicy(), 50),
    "anywhere": (LocalityPolicy(), "Any"),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(name: str) -> None:
    policy, *expected = DEFAULTS[name]
    assert isinstance(policy, Spec)
    assert [getattr(policy, field) for field in policy.__struct_fields__] == expected


def test_no_limit_by_default_and_a_bounded_queue() -> None:
    limits = LimitPolicy()
    assert (limits.endpoint.connections, limits.endpoint.requests) == (0, 0)
    assert (limits.backend.connections, limits.backend.requests) == (0, 0)
    assert 0 < limits.queue.length <= 10_000
    assert limits.queue.deadline > 0


def test_the_default_table_is_of_prime_size() -> None:
    assert is_prime(BalancerPolicy().table_size)


def test_the_default_status_codes_are_a_range() -> None:
    assert [status_range(str(text)) for text in HealthCheckPolicy().expected_status] == [range(200, 400)]
