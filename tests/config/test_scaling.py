"""The fast lane in manifests: defaults as Knative's, bounds, and who else scales the same Deployment."""

from __future__ import annotations

import msgspec
import pytest

from config.loader import load_text
from config.scaling import ScalingPolicy
from tests.scenarios.manifests import deployment, listed, policy, service
from tests.scenarios.weft import Network


def test_defaults_are_knatives() -> None:
    made = ScalingPolicy()
    assert (made.target, made.utilization_percent, made.window, made.panic_window_percent) == (100, 70, 60, 10)
    assert (made.panic_threshold_percent, made.max_scale_up_rate, made.max_scale_down_rate) == (200, 1000, 2)


FAULTS = {
    "nothing said": ({}, ""),
    "max below min": ({"minReplicas": 3, "maxReplicas": 2}, "spec.scaling.maxReplicas: 2 is less than minReplicas, 3"),
    "window too short": ({"window": "5s"}, "spec.scaling.window: must be from 6s to 1h"),
    "delay too long": ({"scaleDownDelay": "2h"}, "spec.scaling.scaleDownDelay: must be at most 1h"),
    "a workload that is none": (
        {"scaleTargetRef": {"kind": "StatefulSet", "name": "db"}},
        'spec.scaling.scaleTargetRef.kind: the text "StatefulSet" is not one of Deployment, SwarmService',
    ),
    "a name that is none": (
        {"scaleTargetRef": {"kind": "SwarmService", "name": "Web"}},
        "spec.scaling.scaleTargetRef.name: ",
    ),
    "a service of a swarm": ({"scaleTargetRef": {"kind": "SwarmService", "name": "web"}}, ""),
    "no target": ({"target": 0}, "spec.scaling.target"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(case: str) -> None:
    said, fault = FAULTS[case]
    loaded = load_text(
        listed(Network.random(), deployment("web", 1), service("web", app="web"), policy("web", scaling=said)), "test"
    )
    told = [f"{each.path}: {each.message}" for each in loaded.faults if each.severity == "error"]
    assert len(told) == bool(fault)
    assert not fault or fault in told[0]


def autoscaler(target: str, kind: str = "Deployment") -> dict[str, object]:
    spec = {"scaleTargetRef": {"kind": kind, "name": target}, "maxReplicas": 3}
    return {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "hpa"}, "spec": spec,
    }  # fmt: skip


def test_an_autoscaler_of_the_same_deployment_wins() -> None:
    objects = deployment("web", 1), service("web", app="web"), policy("web", scaling={}), autoscaler("web")
    loaded = load_text(listed(Network.random(), *objects), "test")
    (fault,) = (each for each in loaded.faults if each.severity == "error")
    assert fault.path == "spec.scaling"
    assert 'Deployment "web" is scaled by HorizontalPodAutoscaler' in fault.message.replace("'", '"')
    assert (len(loaded.config_set.policies), len(loaded.config_set.autoscalers)) == (0, 1)


@pytest.mark.parametrize("by", ["web", "other"])
def test_an_autoscaler_of_the_same_swarm_service_wins(by: str) -> None:
    named = policy("web", scaling={"scaleTargetRef": {"kind": "SwarmService", "name": "web"}})
    objects = deployment("web", 1), service("web", app="web"), named, autoscaler(by, "SwarmService"), autoscaler("web")
    objects[-1]["metadata"] = {"name": "of-the-deployment"}
    loaded = load_text(listed(Network.random(), *objects), "test")
    told = [each.message.replace("'", '"') for each in loaded.faults if each.severity == "error"]
    assert [each.split(" is scaled")[0] for each in told] == ['SwarmService "web"'] * (by == "web")


def test_several_deployments_behind_a_service() -> None:
    others = [deployment(name, 1) for name in ("a", "b")]
    for each in others:
        labels = each["spec"]["template"]["metadata"]["labels"]
        labels["part"] = "web"
    web = service("web")
    web["spec"]["selector"] = {"part": "web"}
    loaded = load_text(listed(Network.random(), *others, web, policy("web", scaling={})), "test")
    assert any("selects 2 Deployments" in fault.message for fault in loaded.faults)
    one = {"scaleTargetRef": {"kind": "Deployment", "name": "b"}}
    loaded = load_text(listed(Network.random(), *others, web, policy("web", scaling=one)), "test")
    assert not [fault for fault in loaded.faults if fault.severity == "error"]
    assert msgspec.json.encode(ScalingPolicy()) == b"{}"
