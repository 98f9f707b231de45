"""The ConfigSet: everything that was written, typed and valid, as one immutable value.

It is the first of the four frozen hand-offs (written, existing, compiled, live).  An object that is equal
to its predecessor *is* its predecessor (`ConfigSetBuilder`), so that "did it change" is an identity test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from config.errors import Fault
from config.meta import Named, ObjectKey, ObjectMeta, Source, matches
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
        builder = ConfigSetBuilder(cls())
        for key, source, item in objects:
            builder.add(key, source, item)
        return builder.finish()

    def tables(self) -> Iterator[tuple[str, Mapping[Named, Any]]]:
        """Kinds, always in the same order, and all objects of each; NodeConfig is none of them."""
        for kind, field in _FIELDS.items():
            yield kind, getattr(self, field)

    def get(self, key: ObjectKey) -> Any:
        """The object of that key, or None."""
        if key.kind == "NodeConfig":
            return NodeConfig(metadata=ObjectMeta(name=key.name), spec=self.node) if key in self.sources else None
        field = _FIELDS.get(key.kind)
        return getattr(self, field).get(Named(key.namespace, key.name)) if field else None

    def selected(self, service: Service) -> tuple[Named, ...]:
        """The Deployments whose pods a Service selects.  Looks at all Deployments."""
        wanted, namespace = service.spec.selector, service.metadata.namespace
        if not wanted:
            return ()
        return tuple(
            name
            for name, each in self.deployments.items()
            if name.namespace == namespace and matches(wanted, each.spec.template.metadata.labels)
        )

    def scaled_by(self, policy: TrafficPolicy) -> tuple[tuple[str, Named], ...]:
        """Kind and name of what a policy's `scaling` sets the number of: what it names, else what its Service selects.

        Of that there may be several only where validation has not seen it.
        """
        scaling, target, namespace = policy.spec.scaling, policy.spec.target_ref, policy.metadata.namespace
        service = self.services.get(Named(namespace, target.name)) if target.kind == "Service" else None
        if scaling is None or service is None:
            return ()
        if (named := scaling.scale_target_ref) is not None:
            return ((named.kind, Named(namespace, named.name)),)
        return tuple(("Deployment", name) for name in self.selected(service))


class ConfigSetBuilder:
    """Makes a set object by object, in steps that are all short, reusing what is in a previous set."""

    def __init__(self, previous: ConfigSet) -> None:
        self._previous = previous
        self._node = NodeConfigSpec()
        self._tables: dict[str, dict[Any, Any]] = {field: {} for field in (*_FIELDS.values(), "sources")}
        self._changed: set[str] = set()

    def add(self, key: ObjectKey, source: Source, item: Any) -> None:
        """Put in an object whose key is not there yet."""
        self._put("sources", key, source)
        if isinstance(item, NodeConfig):
            self._node = item.spec
        else:
            self._put(_FIELDS[key.kind], Named(key.namespace, key.name), item)

    def finish(self) -> ConfigSet:
        """The set; the builder must not be used after that."""
        previous = self._previous
        tables = {field: self._table(field, table) for field, table in self._tables.items()}
        return ConfigSet(**tables, node=previous.node if previous.node == self._node else self._node)

    def _table(self, field: str, table: dict[Any, Any]) -> dict[Any, Any]:
        before: dict[Any, Any] = getattr(self._previous, field)
        return table if field in self._changed or len(table) != len(before) else before

    def _put(self, field: str, key: Any, item: Any) -> None:
        before = getattr(self._previous, field).get(key)
        if before is None or before != item:
            self._changed.add(field)
            before = item
        self._tables[field][key] = before


class Loaded(msgspec.Struct, frozen=True):
    """What was read: the objects that are valid, and everything that was wrong."""

    config_set: ConfigSet
    faults: tuple[Fault, ...] = ()
    kept: tuple[ObjectKey, ...] = ()
    """Objects that are there in their last good version, because what is written now has errors."""
    read: bool = True
    """Whether it is known what is written; False: the reader failed, which says nothing about the manifests."""

    @property
    def failed(self) -> bool:
        """Whether anything could not be used."""
        return any(fault.severity == "error" for fault in self.faults)
