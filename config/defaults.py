"""Defaults that depend on something else; those that do not stand in the types themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from config.configset import CLUSTER_WIDE
from config.resources.autoscaling import HorizontalPodAutoscaler, MetricSpec, MetricTarget, ResourceMetricSource
from config.resources.core import Service

DEFAULT_NAMESPACE = "default"

_AVERAGE_CPU = MetricSpec(
    type="Resource",
    resource=ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=80)),
)


def namespace_of(kind: str, namespace: str) -> str:
    """The namespace that an object of `kind` is in when `namespace` is written."""
    return "" if kind in CLUSTER_WIDE else namespace or DEFAULT_NAMESPACE


def complete(kind: str, item: Any) -> Any:
    """`item` with the defaults that Kubernetes computes from the rest of the object."""
    namespace = namespace_of(kind, item.metadata.namespace)
    if namespace != item.metadata.namespace:
        item = msgspec.structs.replace(item, metadata=msgspec.structs.replace(item.metadata, namespace=namespace))
    if isinstance(item, Service):
        return _complete_service(item)
    if isinstance(item, HorizontalPodAutoscaler) and not item.spec.metrics:
        return msgspec.structs.replace(item, spec=msgspec.structs.replace(item.spec, metrics=(_AVERAGE_CPU,)))
    return item


def _complete_service(service: Service) -> Service:
    """targetPort is the port itself; clusterIP and the first of clusterIPs are the same."""
    spec = service.spec
    changes: dict[str, Any] = {}
    if any(port.target_port is None for port in spec.ports):
        changes["ports"] = tuple(
            msgspec.structs.replace(port, target_port=port.port) if port.target_port is None else port
            for port in spec.ports
        )
    if spec.cluster_ips and not spec.cluster_ip:
        changes["cluster_ip"] = spec.cluster_ips[0]
    if not changes:
        return service
    return msgspec.structs.replace(service, spec=msgspec.structs.replace(spec, **changes))
