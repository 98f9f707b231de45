"""BackendPlan: what a Backend is to be, as compiled from a Service port, its endpoints and its policies.

Plans are immutable.  A Backend (live) is handed one after the other; a plan that did not change between two
tables is the same object.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from config.balancing import BalancerPolicy, EjectionPolicy, HealthCheckPolicy, LimitPolicy, SlowStartPolicy
from config.policies import RetryPolicy, TimeoutPolicy
from discovery.endpoint import Endpoint
from mesh.eligibility import ANYWHERE, Rules
from mesh.locality import Side
from mesh.proxy_protocol import Version
from mesh.tls.client import Reencryption

DEFAULT_EJECTION = EjectionPolicy()
"""One object for thousands of plans."""


class BackendKey(NamedTuple):
    namespace: str
    service: str
    port: str
    """The Service port's name, else its number as text."""
    side: Side = "internal"
    """Where clients come from, if other endpoints count for those from outside; their counters are added up."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}:{self.port}"


class BackendPlan(msgspec.Struct, frozen=True):
    key: BackendKey
    endpoints: tuple[Endpoint, ...]
    """All of them, also those that may not be picked."""
    timeouts: TimeoutPolicy = TimeoutPolicy()
    retries: RetryPolicy = RetryPolicy()
    upgrades: frozenset[bytes] = frozenset({b"websocket"})
    """Lower case."""
    via: bool = True
    balancer: BalancerPolicy = BalancerPolicy()
    publish_not_ready: bool = False
    """The Service's publishNotReadyAddresses: readiness does not matter."""
    rules: Rules = ANYWHERE
    """Where this node is, and what else decides who may be picked."""
    slow_start: SlowStartPolicy | None = None
    ejection: EjectionPolicy = DEFAULT_EJECTION
    health_check: HealthCheckPolicy | None = None
    """Of the endpoints that no agent vouches for."""
    limits: LimitPolicy | None = None
    nowhere: bool = False
    """There is no such Service, or no such port of it."""
    external: bool = False
    """The endpoints are the addresses of a name (ExternalName): where there are none, it does not resolve."""
    send_proxy: Version | None = None
    """The PROXY protocol that connections to endpoints begin with; such a connection is of one client only."""
    tls: Reencryption | None = None
    """Of connections that carry HTTP to endpoints; None: they are plain."""
