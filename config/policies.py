"""``weft.dev/v1`` TrafficPolicy: how traffic to a Service, one of its ports, or an Ingress is carried.

What is not said here has the default that each field states.  A policy of a port (``sectionName``) wins
over the policy of its Service, field group by field group.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import Duration, ObjectMeta, Spec

RetryCondition = Literal["connect-failure", "refused", "reset", "503"]


BALANCERS_IN_FORCE = frozenset({"RoundRobin"})
"""The types that are carried out; the others validate with a warning and act as RoundRobin."""


class TargetRef(Spec):
    """What the policy is attached to, in the policy's own namespace."""

    kind: Literal["Service", "Ingress"]
    name: str
    section_name: str = ""
    """A port of the Service, by name or number; empty: all of its ports."""


class BalancerPolicy(Spec):
    """Who is picked; see `BALANCERS_IN_FORCE`."""

    type: Literal["RoundRobin", "LeastRequest", "Random", "RingHash", "Maglev", "PeakEWMA"] = "RoundRobin"


class TimeoutPolicy(Spec):
    """Seconds; 0 switches a limit off."""

    connect: Duration = 1.0
    client_head: Duration = 10.0
    """For the whole request head, once its first byte has come."""
    response_head: Duration = 60.0
    idle: Duration = 60.0
    """Of a downstream HTTP connection between requests, and of a body that does not move."""
    tunnel_idle: Duration = 3600.0
    """Of an upgraded connection or a TCP connection on which nothing moves."""


class RetryPolicy(Spec):
    attempts: Annotated[int, Meta(ge=0, le=10)] = 2
    """More tries after the first one."""
    on: tuple[RetryCondition, ...] = ("connect-failure", "refused", "reset")
    budget_percent: Annotated[int, Meta(ge=0, le=100)] = 20
    """Retries in flight, as a share of the requests in flight of the Backend; at least 3 are allowed."""


class TrafficPolicySpec(Spec):
    target_ref: TargetRef
    protocol: Literal["http", "tcp"] | None = None
    """What this port speaks; wins over appProtocol and the port's name."""
    balancer: BalancerPolicy | None = None
    timeouts: TimeoutPolicy | None = None
    retries: RetryPolicy | None = None
    upgrades: tuple[str, ...] | None = None
    """Upgrade tokens that may open a tunnel; default: websocket."""
    via: bool | None = None
    """Whether requests to endpoints carry a Via field; default: true."""


class TrafficPolicy(Spec):
    metadata: ObjectMeta
    spec: TrafficPolicySpec
