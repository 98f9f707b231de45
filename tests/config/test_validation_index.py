"""Lookups: what a selector picks, what is missing and what is only broken."""

from __future__ import annotations

import pytest

from config.configset import ConfigSet
from config.meta import LabelSelector, Named, ObjectKey, ObjectMeta, Source
from config.resources.core import SERVICE_NAME_LABEL, Endpoints, EndpointSlice, Secret
from config.resources.workloads import Deployment, DeploymentSpec, PodMetadata, PodSpec, PodTemplate
from config.unread import Unread
from config.validation.index import Index, check_exists, listed, words_for_missing
from config.validation.report import Report


def deployment(name: str, labels: dict[str, str], namespace: str = "default") -> Deployment:
    template = PodTemplate(PodSpec(()), PodMetadata(labels))
    return Deployment(ObjectMeta(name, namespace), DeploymentSpec(LabelSelector(labels), template))


A = deployment("a", {"app": "web", "tier": "front"})
B = deployment("b", {"app": "web"})
C = deployment("c", {"app": "web"}, "prod")
UNNAMED = ObjectKey("Secret", "prod", "5")


def index() -> Index:
    deployments = {Named(each.metadata.namespace, each.metadata.name): each for each in (A, B, C)}
    slices = {Named("default", "s"): EndpointSlice(ObjectMeta("s", "default", {SERVICE_NAME_LABEL: "web"}), "IPv4")}
    endpoints = {Named("default", "old"): Endpoints(ObjectMeta("old", "default"))}
    found = ConfigSet(deployments=deployments, endpoint_slices=slices, endpoints=endpoints)
    unread = Unread()
    unread.add(UNNAMED, "metadata.name")
    return Index(found, unread)


def key(item: Deployment) -> ObjectKey:
    return ObjectKey("Deployment", item.metadata.namespace, item.metadata.name)


def test_selected() -> None:
    assert index().selected("default", {"app": "web"}) == {key(A): A, key(B): B}
    assert index().selected("default", {"app": "web", "tier": "front"}) == {key(A): A}
    assert index().selected("prod", {"app": "web"}) == {key(C): C}
    assert index().selected("default", {"app": "api"}) == {}
    assert index().selected("default", {}) == {}


def test_services_with_endpoints() -> None:
    assert index().services_with_endpoints == {Named("default", "web"), Named("default", "old")}


def test_nearest_label() -> None:
    assert index().nearest_label("default", {"app": "wbe"}) == '; did you mean "app=web"?'
    assert index().nearest_label("default", {"app": "web", "tier": "fornt"}) == '; did you mean "tier=front"?'
    assert index().nearest_label("other", {"app": "web"}) == ""


def test_what_was_written_and_could_not_be_read_is_not_missed() -> None:
    report = Report(lambda key, path: Source("m.yaml", 1, 1))
    about = report.of(ObjectKey("Ingress", "default", "front"))
    known = {Named("default", "keys"): Secret(ObjectMeta("keys"))}
    assert check_exists(ObjectKey("Secret", "default", "keys"), known, index(), "a", about)
    assert not check_exists(ObjectKey("Secret", "prod", "key"), known, index(), "b", about)
    assert not check_exists(ObjectKey("Secret", "default", "key"), known, index(), "c", about)
    assert [fault.path for fault in report.faults] == ["c"]


@pytest.mark.parametrize(
    ("kind", "path", "pods", "endpoints"),
    [
        ("Deployment", "spec.template.metadata.labels.app", False, True),
        ("Deployment", "spec.template.spec", True, True),
        ("EndpointSlice", "metadata.labels[kubernetes.io/service-name]", True, False),
        ("EndpointSlice", "metadata.labels.app", True, True),
        ("Endpoints", "metadata.name", True, False),
    ],
)
def test_what_is_known_of_pods_and_endpoints(kind: str, path: str, pods: bool, endpoints: bool) -> None:
    unread = Unread()
    unread.add(ObjectKey(kind, "default", "a"), path)
    asked = Index(ConfigSet(), unread)
    assert asked.knows_pods("default") is pods
    assert asked.knows_endpoints(Named("default", "web")) is endpoints
    assert asked.knows_pods("prod") is asked.knows_endpoints(Named("prod", "web")) is True


def test_words_for_missing() -> None:
    known = [Named("default", "web"), Named("prod", "api")]
    words = [words_for_missing(ObjectKey("Service", "default", name), known) for name in ("wep", "api", "other")]
    assert words == [
        'Service/default/wep does not exist; did you mean "web"?',
        'Service/default/api does not exist; there is one in namespace "prod", and a reference stays in its own',
        "Service/default/other does not exist",
    ]


def test_listed() -> None:
    assert listed(["b", "a", "b"]) == "a, b"
    assert listed(map(str, range(100))).endswith(", ...")
