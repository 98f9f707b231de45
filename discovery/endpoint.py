"""Replica and Endpoint: what runs, and what stands behind a Service port.

A *Replica* is one running copy of a workload; platforms yield them.  An *Endpoint* is one address and
port; the catalog makes them from replicas by label, or takes them from sources that already speak of
endpoints (EndpointSlices, DNS).  `ready`, `serving` and `terminating` mean what EndpointSlice conditions
mean (discovery.k8s.io/v1): a terminating endpoint is never ready, but may still be serving.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from config.meta import Named


class WorkloadRef(NamedTuple):
    """The Deployment (or other owner) that a replica is a copy of."""

    kind: str
    namespace: str
    name: str


class ReplicaPort(msgspec.Struct, frozen=True):
    """`container_port` is what the manifest says; `port` is where this replica really listens."""

    container_port: int
    port: int
    name: str = ""
    protocol: str = "TCP"


class Replica(msgspec.Struct, frozen=True):
    id: str
    """Unique on its node and never used again, such as ``payment-service-7f9c4-x2x8q``."""
    workload: WorkloadRef
    labels: dict[str, str]
    node: str
    address: str
    ports: tuple[ReplicaPort, ...]
    ready: bool = False
    serving: bool = False
    terminating: bool = False
    since: float = 0.0
    """Unix time at which it last changed between ready and not ready."""
    zone: str = ""
    hostname: str = ""
    services: tuple[Named, ...] = ()
    """Services that it stands behind by its own word, whatever their selectors say."""
    vouched: bool = True
    """Probes say whether it is ready; else it is not known to do more than run."""
    inside: bool = False
    """Its address means nothing outside of its node."""


class Hints(NamedTuple):
    """The zones and nodes from which an EndpointSlice wants an endpoint used."""

    zones: tuple[str, ...]
    nodes: tuple[str, ...]


class Endpoint(msgspec.Struct, frozen=True):
    address: str
    port: int
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    replica_id: str = ""
    workload: WorkloadRef | None = None
    """None: it is nobody's replica, as far as is known."""
    node: str = ""
    zone: str = ""
    hostname: str = ""
    weight: int = 1
    tier: int = 0
    vouched: bool = True
    """Of a replica: probes say whether it is ready."""
    inside: bool = False
    """Its address means nothing outside of its node."""
    hints: Hints | None = None

    @property
    def where(self) -> tuple[str, int]:
        return (self.address, self.port)
