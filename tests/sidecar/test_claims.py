"""What is made of listed objects: what they claim, and nothing of those that are not understood."""

from __future__ import annotations

from typing import Any

import pytest

from config.meta import ObjectKey, Source
from sidecar.claims import claiming
from tests.scenarios.manifests import deployment, policy, service

SCALED = policy("web", scaling={"scaleTargetRef": {"kind": "Deployment", "name": "x"}, "window": "60s"})


def key_of(item: Any) -> ObjectKey:
    return ObjectKey(item["kind"], "default", item["metadata"]["name"])


@pytest.mark.parametrize(
    ("item", "is_one"),
    [
        (service("web"), True),
        (policy("web", timeouts={"idle": "90s"}), True),
        (policy("web", scaling={"window": "60s"}), True),
        (SCALED, True),
        (deployment("web", 1), False),
        ({**service("web"), "spec": {"ports": "of another version"}}, False),
    ],
    ids=["a Service", "a policy with durations", "one that scales", "one that says what", "a Deployment", "unknown"],
)
def test_what_claims_something(item: Any, is_one: bool) -> None:
    place = Source("a.yaml", 3, 1)
    assert claiming([(key_of(item), place, item)]).sources == ({key_of(item): place} if is_one else {})


def test_what_a_policy_scales_is_known() -> None:
    [found] = claiming([(key_of(SCALED), Source("a", 1, 1), SCALED)]).policies.values()
    assert found.spec.target_ref.name == "web"
    assert found.spec.scaling is not None
    assert found.spec.scaling.scale_target_ref is not None
    assert found.spec.scaling.scale_target_ref.name == "x"
