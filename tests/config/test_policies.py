"""TrafficPolicy's types: the defaults that their fields state, what acts, and what policies come to together."""

from __future__ import annotations

import pytest

from config.balancing import EjectionPolicy, PanicPolicy, SuccessRatePolicy
from config.filters import SplitTarget
from config.policies import (
    GROUPS,
    UNSAID,
    RetryPolicy,
    TargetRef,
    TimeoutPolicy,
    TrafficPolicySpec,
    merged,
    says,
)

WEB = TargetRef("Service", "web")


def test_defaults() -> None:
    assert TimeoutPolicy() == TimeoutPolicy(1.0, 10.0, 60.0, 60.0, 3600.0)
    assert RetryPolicy() == RetryPolicy(2, ("connect-failure", "refused", "reset"), 20)


@pytest.mark.parametrize(
    ("path", "spec", "said"),
    [
        ("timeouts", TrafficPolicySpec(WEB), False),
        ("timeouts", TrafficPolicySpec(WEB, timeouts=TimeoutPolicy()), True),
        ("timeouts.request", TrafficPolicySpec(WEB), False),
        ("timeouts.request", TrafficPolicySpec(WEB, timeouts=TimeoutPolicy(connect=3)), False),
        ("timeouts.request", TrafficPolicySpec(WEB, timeouts=TimeoutPolicy(request=3)), True),
        ("ejection.success_rate", TrafficPolicySpec(WEB, ejection=EjectionPolicy()), False),
        (
            "ejection.success_rate",
            TrafficPolicySpec(WEB, ejection=EjectionPolicy(success_rate=SuccessRatePolicy())),
            True,
        ),
        ("split", TrafficPolicySpec(WEB), False),
        ("split", TrafficPolicySpec(WEB, split=(SplitTarget("a"),)), True),
        ("via", TrafficPolicySpec(WEB, via=True), True),
        ("max_request_bytes", TrafficPolicySpec(WEB, max_request_bytes=0), True),
    ],
)
def test_what_a_policy_says(path: str, spec: TrafficPolicySpec, said: bool) -> None:
    assert says(spec, path) is said


def test_the_first_policy_that_has_a_group_has_all_of_it() -> None:
    port = TrafficPolicySpec(WEB, timeouts=TimeoutPolicy(), via=False)
    service = TrafficPolicySpec(WEB, timeouts=TimeoutPolicy(connect=9), retries=RetryPolicy(0), panic=PanicPolicy(0))
    together = merged([port, service])
    assert together == TrafficPolicySpec(
        WEB, timeouts=TimeoutPolicy(), via=False, retries=RetryPolicy(0), panic=PanicPolicy(0)
    )


def test_no_policy_says_nothing() -> None:
    assert merged([]) is UNSAID or merged([]) == UNSAID
    assert not any(says(UNSAID, group) for group in GROUPS)
