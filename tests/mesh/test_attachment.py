"""Which policy holds for which port, group by group, and what becomes of the ones that do not."""

from __future__ import annotations

from typing import Any

import pytest

from config.balancing import BalancerPolicy
from config.meta import Named, ObjectKey, ObjectMeta
from config.policies import (
    RetryPolicy,
    TargetRef,
    TimeoutPolicy,
    TrafficPolicy,
    TrafficPolicySpec,
)
from config.resources.core import ServicePort
from mesh.attachment import by_service, policy_statuses, port_policy
from tests.mesh.making import config, ingress, policy, service

PORT = ServicePort(80, name="web")
SHOP = Named("default", "shop")


def of(*policies: TrafficPolicy) -> tuple[TrafficPolicy, ...]:
    return by_service(config(*policies).policies).get(SHOP, ())


def test_defaults() -> None:
    merged = port_policy(PORT, ())
    assert merged.timeouts == TimeoutPolicy()
    assert merged.retries == RetryPolicy()
    assert (merged.upgrades, merged.via, merged.protocol, merged.needs_http) == (
        frozenset({b"websocket"}), True, "detect", False,
    )  # fmt: skip


def test_port_wins_group_by_group() -> None:
    service_wide = policy("all", "shop", timeouts=TimeoutPolicy(connect=2.0, idle=5.0), retries=RetryPolicy(5))
    of_port = policy("web", "shop", "web", timeouts=TimeoutPolicy(connect=3.0))
    merged = port_policy(PORT, of(service_wide, of_port))
    assert merged.timeouts == TimeoutPolicy(connect=3.0), "a group is taken as a whole"
    assert merged.retries.attempts == 5
    assert port_policy(ServicePort(81), of(service_wide, of_port)).timeouts.connect == 2.0


def test_a_port_may_be_named_by_number() -> None:
    assert port_policy(PORT, of(policy("p", "shop", "80", via=False))).via is False


def test_the_older_of_two_holds() -> None:
    young = policy("a", "shop", created="2024-05-01T00:00:00Z", via=True)
    old = policy("b", "shop", created="2023-05-01T00:00:00Z", via=False)
    unknown = policy("0", "shop", via=True)
    assert port_policy(PORT, of(unknown, young, old)).via is False


def test_upgrades_are_lower_case_and_may_be_none() -> None:
    assert port_policy(PORT, of(policy("p", "shop", upgrades=("WebSocket", "x")))).upgrades == {b"websocket", b"x"}
    assert port_policy(PORT, of(policy("p", "shop", upgrades=()))).upgrades == frozenset()


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, False),
        ({"balancer": BalancerPolicy()}, False),
        ({"timeouts": TimeoutPolicy(connect=5.0, idle=1.0, tunnel_idle=5.0)}, False),
        ({"timeouts": TimeoutPolicy(response_head=5.0)}, True),
        ({"timeouts": TimeoutPolicy(client_head=5.0)}, True),
        ({"retries": RetryPolicy()}, True),
        ({"upgrades": ("websocket",)}, True),
        ({"via": False}, True),
    ],
)
def test_what_needs_http(fields: dict[str, Any], needed: bool) -> None:
    assert port_policy(PORT, of(policy("p", "shop", **fields))).needs_http is needed


@pytest.mark.parametrize(
    ("attached", "state", "reason"),
    [
        (policy("p", "shop"), "accepted", ""),
        (policy("p", "shop", "web"), "accepted", ""),
        (policy("p", "shop", "nope"), "pending", "Service shop has no port nope"),
        (policy("p", "shoe"), "pending", "there is no Service shoe"),
    ],
)
def test_statuses(attached: TrafficPolicy, state: str, reason: str) -> None:
    world = config(service("shop", PORT), attached)
    status = dict(policy_statuses(world.policies, world.services))[ObjectKey("TrafficPolicy", "default", "p")]
    assert status.state == state
    assert reason in "".join(status.reasons)


def test_policies_of_ingresses_have_a_status_too() -> None:
    def of_ingress(name: str) -> TrafficPolicy:
        return TrafficPolicy(ObjectMeta(name, "default"), TrafficPolicySpec(TargetRef("Ingress", name)))

    world = config(ingress("there", default="shop:80"), of_ingress("there"), of_ingress("gone"))
    found = dict(policy_statuses(world.policies, world.services, world.ingresses))
    assert found[ObjectKey("TrafficPolicy", "default", "there")].state == "accepted"
    assert found[ObjectKey("TrafficPolicy", "default", "gone")].reasons == ("there is no Ingress gone",)


def test_the_one_that_does_not_hold_names_the_one_that_does() -> None:
    world = config(service("shop", PORT), policy("a", "shop"), policy("b", "shop"), policy("c", "shop", "web"))
    found = dict(policy_statuses(world.policies, world.services))
    assert [found[ObjectKey("TrafficPolicy", "default", name)].state for name in "abc"] == [
        "accepted", "pending", "accepted",
    ]  # fmt: skip
    assert "TrafficPolicy a" in found[ObjectKey("TrafficPolicy", "default", "b")].reasons[0]


def test_a_port_by_name_and_by_number_is_one_target() -> None:
    world = config(service("shop", PORT), policy("a", "shop", "80"), policy("b", "shop", "web"))
    found = dict(policy_statuses(world.policies, world.services))
    assert [found[ObjectKey("TrafficPolicy", "default", name)].state for name in "ab"] == ["accepted", "pending"]
