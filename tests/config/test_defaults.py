from __future__ import annotations

import pytest

from config.defaults import complete, namespace_of
from config.meta import ObjectMeta
from config.resources.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
)
from config.resources.core import Namespace, Service, ServicePort, ServiceSpec

NAMESPACES = [
    ("Service", "", "default"),
    ("Service", "shop", "shop"),
    ("TrafficPolicy", "", "default"),
    ("Namespace", "", ""),
    ("Namespace", "shop", ""),
    ("IngressClass", "", ""),
    ("NodeConfig", "", ""),
]


@pytest.mark.parametrize(("kind", "written", "namespace"), NAMESPACES)
def test_namespaces(kind: str, written: str, namespace: str) -> None:
    assert namespace_of(kind, written) == namespace


def service(namespace: str = "default", spec: ServiceSpec | None = None) -> Service:
    return Service(metadata=ObjectMeta(name="web", namespace=namespace), spec=spec or ServiceSpec())


def test_what_is_complete_stays_the_same_object() -> None:
    item = service(spec=ServiceSpec(ports=(ServicePort(port=80, target_port="web"),)))
    assert complete("Service", item) is item


def test_the_namespace_is_filled_in() -> None:
    assert complete("Service", service("")).metadata.namespace == "default"
    namespace = Namespace(metadata=ObjectMeta(name="shop", namespace="odd"))
    assert complete("Namespace", namespace).metadata.namespace == ""


def test_the_target_port_is_the_port() -> None:
    ports = (ServicePort(port=80), ServicePort(port=81, target_port=8081))
    completed = complete("Service", service(spec=ServiceSpec(ports=ports)))
    assert [port.target_port for port in completed.spec.ports] == [80, 8081]


def test_the_first_of_several_cluster_ips_is_the_cluster_ip() -> None:
    completed = complete("Service", service(spec=ServiceSpec(cluster_ips=("10.0.0.1", "fd00::1"))))
    assert completed.spec.cluster_ip == "10.0.0.1"


def test_an_autoscaler_without_metrics_looks_at_the_cpu() -> None:
    target = CrossVersionObjectReference(kind="Deployment", name="web")
    spec = HorizontalPodAutoscalerSpec(scale_target_ref=target, max_replicas=3)
    item = HorizontalPodAutoscaler(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
    (metric,) = complete("HorizontalPodAutoscaler", item).spec.metrics
    assert metric.resource.name == "cpu"
    assert metric.resource.target.average_utilization == 80
