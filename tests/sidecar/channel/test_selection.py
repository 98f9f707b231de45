"""Which manifests go to which node."""

from __future__ import annotations

from typing import Any

import pytest

from config.dns_source import TSIG
from sidecar.channel.messages import Manifest
from sidecar.channel.selection import Stored, selected
from tests.sidecar.channel.channels import manifest


def _deployment(name: str, **container: Any) -> Manifest:
    return manifest("Deployment", name, {"spec": {"template": {"spec": {"containers": [container]}}}})


def _with_tsig(name: str) -> Manifest:
    metadata = {"name": name, "annotations": {TSIG: "key"}}
    return manifest("Service", name, {"metadata": metadata, "spec": {}})


SECRET = manifest("Secret", "key")
WEB = _deployment("web", env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "a"}}}])
FROM = _deployment(
    "web", envFrom=[{"secretRef": {"name": "key"}}, {"configMapRef": {"name": "x"}}], env=[{"name": "B"}]
)
SCALER = manifest("HorizontalPodAutoscaler", "web", {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}})
TLS = manifest("Ingress", "site", {"spec": {"tls": [{"secretName": "key"}, {"hosts": ["a"]}]}})
ELSEWHERE = manifest("Ingress", "site", {"spec": {"tls": [{"secretName": "key"}]}}, namespace="other")
PLAIN = manifest("Ingress", "site", {})
POLICY = manifest("TrafficPolicy", "p", {"spec": {"ports": [{"tls": {"reencrypt": {"caSecret": "key"}}}]}})

ROWS: dict[str, tuple[list[Manifest], tuple[str, ...], set[str]]] = {
    "a Secret that nobody names": ([SECRET, PLAIN], (), set()),
    "the certificate of an Ingress": ([SECRET, TLS], (), {"Secret/key"}),
    "a Secret of the same name in another namespace": ([SECRET, ELSEWHERE], (), set()),
    "what queries are signed with": ([SECRET, _with_tsig("svc")], (), {"Secret/key"}),
    "what a policy verifies by": ([SECRET, POLICY], (), {"Secret/key"}),
    "a Deployment that runs elsewhere": ([SECRET, WEB, SCALER], ("default/shop",), set()),
    "a Deployment that runs here": (
        [SECRET, WEB, SCALER],
        ("default/web",),
        {"Deployment/web", "Secret/key", "HorizontalPodAutoscaler/web"},
    ),
    "an environment of a whole Secret": ([SECRET, FROM], ("default/web",), {"Deployment/web", "Secret/key"}),
    "a Deployment of that name in another namespace": ([WEB], ("other/web",), set()),
    "a Secret that is named and not there": ([TLS], (), set()),
}


@pytest.mark.parametrize(("stored", "runs", "expected"), ROWS.values(), ids=ROWS)
def test_a_node_gets_what_it_serves(stored: list[Manifest], runs: tuple[str, ...], expected: set[str]) -> None:
    got = selected({each.key: Stored(each) for each in stored}, runs)
    assert {f"{key.kind}/{key.name}" for key in got} == expected
