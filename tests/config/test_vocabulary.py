"""Which objects are used, which are Kubernetes' but unused, which are wrong; and that the data file is whole."""

from __future__ import annotations

import re

import pytest

from config.configset import API_VERSIONS, KINDS, OWN_VERSION
from config.vocabulary import recognise, vocabulary

CASES = [
    ("v1", "Service", "used", ""),
    ("discovery.k8s.io/v1", "EndpointSlice", "used", ""),
    (OWN_VERSION, "NodeConfig", "used", ""),
    ("apps/v1", "StatefulSet", "unused", "the kind StatefulSet of Kubernetes"),
    ("v1", "Pod", "unused", "the kind Pod"),
    ("batch/v1beta1", "CronJob", "unused", "the kind CronJob"),
    ("cert-manager.io/v1", "Certificate", "unused", "the custom resource Certificate of cert-manager.io"),
    ("serving.knative.dev/v1", "Service", "unused", "the custom resource Service"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "unused", "the custom resource HTTPRoute"),
    ("extensions/v1beta1", "Ingress", "wrong", "write apiVersion: networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress", "wrong", "write apiVersion: networking.k8s.io/v1"),
    ("netwrking.k8s.io/v1", "Ingress", "wrong", "write apiVersion: networking.k8s.io/v1"),
    ("apps/v1beta2", "Deployment", "wrong", "write apiVersion: apps/v1"),
    ("v1", "Deployment", "wrong", "write apiVersion: apps/v1"),
    ("autoscaling/v1", "HorizontalPodAutoscaler", "wrong", "write apiVersion: autoscaling/v2"),
    ("weft.dev/v2", "NodeConfig", "wrong", "write apiVersion: weft.dev/v1"),
    (OWN_VERSION, "NodeConfg", "wrong", 'weft.dev/v1 has no kind "NodeConfg"; did you mean "NodeConfig"?'),
    (OWN_VERSION, "Service", "wrong", "write apiVersion: v1"),
    ("v1", "Servce", "wrong", 'has no kind "Servce" in apiVersion v1; did you mean "Service"?'),
    ("apps/v1", "deployment", "wrong", 'did you mean "Deployment"?'),
    ("apps/v1", "StatefulSett", "wrong", 'did you mean "StatefulSet"?'),
    ("", "", "wrong", "has no kind"),
    ("x" * 10_000, "y" * 10_000, "wrong", "has no kind"),
]


@pytest.mark.parametrize(("version", "kind", "outcome", "words"), CASES)
def test_objects_are_judged_by_version_and_kind(version: str, kind: str, outcome: str, words: str) -> None:
    verdict = recognise(version, kind)
    assert verdict.outcome == outcome
    assert words in verdict.message
    assert len(verdict.message) < 300


def test_every_kind_of_ours_has_its_version_in_kubernetes() -> None:
    assert set(API_VERSIONS) == set(KINDS)
    for kind, version in API_VERSIONS.items():
        assert version == OWN_VERSION or kind in vocabulary().kinds[version], kind


def test_the_vocabulary_is_closed() -> None:
    types = vocabulary().types
    leaves = {"text", "number", "boolean", "any"}
    named = {re.sub(r"^(\[\]|\{\})+", "", shape) for fields in types.values() for shape in fields.values()}
    assert named - leaves <= set(types)
    assert set(vocabulary().roots.values()) <= set(types)


def test_the_vocabulary_knows_what_was_added_late_and_long_ago() -> None:
    types = vocabulary().types
    assert types["V1ServiceSpec"]["trafficDistribution"] == "text"
    assert types["V1PodSpec"]["hostNetwork"] == "boolean"
    assert types["V1Probe"]["exec"] == "V1ExecAction"
    assert types["V1ServiceSpec"]["clusterIP"] == "text"
