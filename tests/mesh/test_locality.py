"""What a Service, its policies and this node come to."""

from __future__ import annotations

import socket

import pytest

from config.balancing import FailoverPolicy, LocalityPolicy, PanicPolicy
from config.policies import UNSAID, TargetRef, TrafficPolicySpec
from config.resources.core import ServiceSpec
from config.settings import NodeConfigSpec
from mesh.eligibility import Rules
from mesh.locality import Nearness, Side, rules

NODE = NodeConfigSpec(node_name="n1", zone="z1")
TARGET = TargetRef("Service", "web")


def test_what_holds_without_a_word() -> None:
    assert rules(ServiceSpec(), UNSAID, NODE, "internal") == Rules(node="n1", zone="z1")
    assert rules(ServiceSpec(), UNSAID, NodeConfigSpec(), "internal").node == socket.gethostname()


@pytest.mark.parametrize(
    ("internal", "external", "side", "local"),
    [
        ("Cluster", "Cluster", "internal", False),
        ("Local", "Cluster", "internal", True),
        ("Local", "Cluster", "external", False),
        ("Cluster", "Local", "external", True),
        ("Cluster", "Local", "internal", False),
    ],
)
def test_each_side_has_its_traffic_policy(internal: str, external: str, side: Side, local: bool) -> None:
    spec = ServiceSpec(internal_traffic_policy=internal, external_traffic_policy=external)  # type: ignore[arg-type]
    assert rules(spec, UNSAID, NODE, side).local_only is local


@pytest.mark.parametrize(
    ("distribution", "policy", "prefer"),
    [
        ("", None, "Any"),
        ("PreferClose", None, "Zone"),
        ("PreferSameZone", None, "Zone"),
        ("PreferSameNode", None, "Node"),
        ("Unheard-of", None, "Any"),
        ("PreferSameNode", "Any", "Any"),
        ("", "Zone", "Zone"),
    ],
)
def test_preferences(distribution: str, policy: Nearness | None, prefer: Nearness) -> None:
    said = TrafficPolicySpec(TARGET, locality=LocalityPolicy(policy) if policy else None)
    spec = ServiceSpec(traffic_distribution=distribution)
    assert rules(spec, said, NODE, "internal").prefer == prefer
    assert rules(spec, said, NODE, "internal").hints is (policy is None)
    local = ServiceSpec(traffic_distribution=distribution, internal_traffic_policy="Local")
    assert rules(local, said, NODE, "internal").prefer == "Any"


def test_thresholds() -> None:
    said = TrafficPolicySpec(TARGET, panic=PanicPolicy(10), failover=FailoverPolicy(20))
    found = rules(ServiceSpec(), said, NODE, "internal")
    assert (found.panic_below, found.failover_below) == (10, 20)


def test_equal_rules_are_one_object() -> None:
    assert rules(ServiceSpec(), UNSAID, NODE, "internal") is rules(ServiceSpec(), UNSAID, NODE, "external")
