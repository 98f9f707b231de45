"""The ConfigSet: everything that was written, typed and valid, as one immutable value.

It is the first of the four frozen hand-offs (written, existing, compiled, live).  An object that is equal
to its predecessor *is* its predecessor (`ConfigSet.reusing`), so that "did it change" is an identity test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from config.meta import Named, ObjectKey, Source
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
