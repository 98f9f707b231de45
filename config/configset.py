"""The ConfigSet: everything that was written, typed and valid, as one immutable value.

It is the first of the four frozen hand-offs (written, existing, compiled, live).  An object that is equal
to its predecessor *is* its predecessor (`ConfigSet.reusing`), so that "did it change" is an identity test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from config.errors import Fault
from config.meta import Named, ObjectKey, ObjectMeta, Source
from config.policies import TrafficPolicy
from config.resources.autoscaling import HorizontalPodAutoscaler
from config.resources.core import ConfigMap, Endpoints, EndpointSlice, Namespace, Secret, Service
from config.resources.networking import Ingress, IngressClass
from config.resources.workloads import Deployment
from config.settings import NodeConfig, NodeConfigSpec

KINDS: Mapping[str, type[msgspec.Struct]] = MappingProxyType(
    {
        "Service": Service,
        "Endpoints": Endpoints,
        "EndpointSlice": EndpointSlice,
        "Secret": Secret,
        "ConfigMap": ConfigMap,
        "Namespace": Namespace,
        "Deployment": Deployment,
        "Ingress": Ingress,
        "IngressClass": IngressClass,
        "HorizontalPodAutoscaler": HorizontalPodAutoscaler,
        "TrafficPolicy": TrafficPolicy,
        "NodeConfig": NodeConfig,
    }
)

OWN_VERSION = "weft.dev/v1"
"""The apiVersion of the kinds that Kubernetes does not have."""

API_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "Service": "v1",
        "Endpoints": "v1",
        "EndpointSlice": "discovery.k8s.io/v1",
        "Secret": "v1",
        "ConfigMap": "v1",
        "Namespace": "v1",
        "Deployment": "apps/v1",
        "Ingress": "networking.k8s.io/v1",
        "IngressClass": "networking.k8s.io/v1",
        "HorizontalPodAutoscaler": "autoscaling/v2",
        "TrafficPolicy": OWN_VERSION,
        "NodeConfig": OWN_VERSION,
    }
)

CLUSTER_WIDE = frozenset({"Namespace", "IngressClass", "NodeConfig"})
"""Kinds whose objects are in no namespace."""

_FIELDS = {
    "Service": "services",
    "Endpoints": "endpoints",
    "EndpointSlice": "endpoint_slices",
    "Secret": "secrets",
    "ConfigMap": "config_maps",
    "Namespace": "namespaces",
    "Deployment": "deployments",
    "Ingress": "ingresses",
    "IngressClass": "ingress_classes",
    "HorizontalPodAutoscaler": "autoscalers",
    "TrafficPolicy": "policies",
}


class ConfigSet(msgspec.Struct, frozen=True):
    """All valid objects by kind; keys are namespace and name (namespace empty for cluster-wide kinds)."""

    services: dict[Named, Service] = {}
    endpoints: dict[Named, Endpoints] = {}
    endpoint_slices: dict[Named, EndpointSlice] = {}
    secrets: dict[Named, Secret] = {}
    config_maps: dict[Named, ConfigMap] = {}
    namespaces: dict[Named, Namespace] = {}
    deployments: dict[Named, Deployment] = {}
    ingresses: dict[Named, Ingress] = {}
    ingress_classes: dict[Named, IngressClass] = {}
    autoscalers: dict[Named, HorizontalPodAutoscaler] = {}
    policies: dict[Named, TrafficPolicy] = {}
    node: NodeConfigSpec = NodeConfigSpec()
    sources: dict[ObjectKey, Source] = {}
    """Where each object was written; NodeConfig too (``images`` run in the folder of that file)."""

    @classmethod
    def of(cls, objects: Iterable[tuple[ObjectKey, Source, Any]]) -> ConfigSet:
        """The set of `objects`, of which no two have the same key."""
        tables: dict[str, dict[Named, Any]] = {field: {} for field in _FIELDS.values()}
        sources: dict[ObjectKey, Source] = {}
        node = NodeConfigSpec()
        for key, source, item in objects:
            sources[key] = source
            if isinstance(item, NodeConfig):
                node = item.spec
            else:
                tables[_FIELDS[key.kind]][Named(key.namespace, key.name)] = item
        return cls(**tables, node=node, sources=sources)

    def get(self, key: ObjectKey) -> Any:
        """The object of that key, or None."""
        if key.kind == "NodeConfig":
            return NodeConfig(metadata=ObjectMeta(name=key.name), spec=self.node) if key in self.sources else None
        field = _FIELDS.get(key.kind)
        return getattr(self, field).get(Named(key.namespace, key.name)) if field else None

    def reusing(self, previous: ConfigSet) -> ConfigSet:
        """This set with each object that equals its predecessor in `previous` replaced by it.

        A table in which nothing changed is the previous table, too.
        """
        changes: dict[str, Any] = {field: _reuse(getattr(self, field), getattr(previous, field)) for field in _TABLES}
        changes["node"] = previous.node if self.node == previous.node else self.node
        return msgspec.structs.replace(self, **changes)


class Loaded(msgspec.Struct, frozen=True):
    """What was read: the objects that are valid, and everything that was wrong."""

    config_set: ConfigSet
    faults: tuple[Fault, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether anything could not be used."""
        return any(fault.severity == "error" for fault in self.faults)


_TABLES = (*_FIELDS.values(), "sources")


def _reuse(present: dict[Any, Any], previous: dict[Any, Any]) -> dict[Any, Any]:
    if present is previous:
        return previous
    joined = {key: _kept(item, previous.get(key)) for key, item in present.items()}
    same = len(joined) == len(previous) and all(joined[key] is previous.get(key) for key in joined)
    return previous if same else joined


def _kept(item: Any, before: Any) -> Any:
    return before if before is item or before == item else item
