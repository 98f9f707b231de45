"""Where this node is, beside what a Service and its policies say about near and far: the rules for its endpoints.

Kubernetes has two traffic policies: of those who come from inside the cluster (by ClusterIP) and from outside (by
NodePort or LoadBalancer).  Local means nobody but endpoints of this node; with it there is nothing to prefer.
Hints of EndpointSlices and ``trafficDistribution`` prefer near ones as long as there are any; a TrafficPolicy's
`locality` wins over both.
"""

from __future__ import annotations

import socket
from functools import cache, lru_cache
from typing import Literal

from config.balancing import FailoverPolicy, LocalityPolicy, PanicPolicy
from config.policies import TrafficPolicySpec
from config.resources.core import ServiceSpec
from config.settings import NodeConfigSpec
from mesh.eligibility import Rules

Side = Literal["internal", "external"]
Nearness = Literal["Any", "Zone", "Node"]

_DISTRIBUTIONS: dict[str, Nearness] = {"PreferClose": "Zone", "PreferSameZone": "Zone", "PreferSameNode": "Node"}


def rules(service: ServiceSpec, said: TrafficPolicySpec, node: NodeConfigSpec, side: Side) -> Rules:
    """What decides who may be picked of the endpoints of a Service, for those who come from one side."""
    scope = service.internal_traffic_policy if side == "internal" else service.external_traffic_policy
    locality = said.locality or LocalityPolicy(prefer=_DISTRIBUTIONS.get(service.traffic_distribution, "Any"))
    found = Rules(
        local_only=scope == "Local",
        node=node.node_name or _host_name(),
        zone=node.zone,
        prefer="Any" if scope == "Local" else locality.prefer,
        hints=said.locality is None,
        panic_below=(said.panic or PanicPolicy()).below_percent,
        failover_below=(said.failover or FailoverPolicy()).below_percent,
    )
    return _shared(found)


@lru_cache(maxsize=256)
def _shared(found: Rules) -> Rules:
    """The same few objects for thousands of Services."""
    return found


@cache
def _host_name() -> str:
    return socket.gethostname()
