"""The routing table: the third frozen hand-off (written, existing, *compiled*, live).

A table says which address serves what (*Listener*), where a request goes (*Route*) and what stands behind
it (*Backend*).  It is immutable; `Proxy.publish` puts a new one in force by one assignment, and a request
reads it once.  What lives longer than a table (connection pools, the balancer's position, counters) hangs
on `mesh.backend.Backend` objects, which routes point to and successive tables share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, NamedTuple

import msgspec

from config.policies import RetryPolicy, TimeoutPolicy
from mesh.backend import Backend
from mesh.filters.chain import Filters
from mesh.matcher import Matcher
from mesh.plan import BackendKey, BackendPlan
from mesh.tls.names import ServerNames

__all__ = [
    "AppProtocol", "BackendKey", "BackendPlan", "Entry", "Listener", "ListenerKey", "Route", "RoutingTable",
    "Transport",
]  # fmt: skip

AppProtocol = Literal["http", "https", "tcp", "detect", "udp"]
"""What a port speaks; `detect`: to be learned from the client's first bytes."""

Entry = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalIP", "HealthCheck", "Ingress"]
"""The kind of door that a listener is; it decides how X-Forwarded-* is treated.  At a HealthCheck nothing is balanced:
it says how many endpoints of this node there are (healthCheckNodePort)."""

Transport = Literal["TCP", "UDP"]


class ListenerKey(NamedTuple):
    """The address and port that a client is meant to dial (where it is bound may differ)."""

    address: str
    port: int
    transport: Transport = "TCP"

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Manner(msgspec.Struct, frozen=True):
    """How requests of a route are carried where the policies of an Ingress say so; else a BackendPlan says it."""

    timeouts: TimeoutPolicy
    retries: RetryPolicy
    upgrades: frozenset[bytes]
    via: bool


class Route(msgspec.Struct, frozen=True):
    """Where a request goes that came in by a certain listener, or that met a certain rule."""

    backend: Backend
    filters: Filters | None = None
    """What is done to it on its way; None: nothing, at no cost."""
    manner: Manner | None = None
    """None: as the Backend's plan says."""


class Listener(msgspec.Struct, frozen=True):
    """One bound address, and what is served there."""

    key: ListenerKey
    entry: Entry
    protocol: AppProtocol
    route: Route
    """Where all that comes in goes.  Where `routes` decide: what holds before a request has met a rule (limits of
    the client's connection), and the Backend without endpoints that counts those which meet none."""
    http_required: bool = False
    """A TrafficPolicy of the port needs HTTP, so that silence is answered 408 and not relayed as TCP."""
    limit: int = 10_000
    """Connections at the same time."""
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that clients may come from; none: all of them."""
    introduced_by: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose connections begin with a PROXY header, which names the client; none: nobody's do."""
    routes: Matcher[Route] | None = None
    """Of an Ingress listener: asked for each request by host and target; None is answered by `mesh.unmatched`."""
    tls: ServerNames | None = None
    """Where https is spoken: who is shown which certificate."""


@dataclass(frozen=True, slots=True)
class RoutingTable:
    generation: int = 0
    listeners: Mapping[ListenerKey, Listener] = field(default_factory=dict)
    backends: Mapping[BackendKey, BackendPlan] = field(default_factory=dict)
