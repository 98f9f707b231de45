"""``weft.dev/v1`` TrafficPolicy: how traffic to a Service, one of its ports, or an Ingress is carried.

What is not said here has the default that each field states.  A policy of a port (``sectionName``) wins
over the policy of its Service, field group by field group.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from config.balancing import (
    BalancerPolicy,
    EjectionPolicy,
    FailoverPolicy,
    HealthCheckPolicy,
    LimitPolicy,
    LocalityPolicy,
    PanicPolicy,
    Percent,
    SlowStartPolicy,
)
from config.filters import (
    AccessPolicy,
    CORSPolicy,
    FaultPolicy,
    HeaderPolicy,
    MirrorPolicy,
    ProxyProtocolPolicy,
    RateLimitPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TLSPolicy,
    TracePolicy,
)
from config.meta import Duration, ObjectMeta, Spec
from config.scaling import ScalingPolicy

RetryCondition = Literal["connect-failure", "refused", "reset", "timeout", "500", "502", "503", "504"]


class TargetRef(Spec):
    """What the policy is attached to, in the policy's own namespace."""

    kind: Literal["Service", "Ingress"]
    name: str
    section_name: str = ""
    """A port of the Service, by name or number; empty: all of its ports."""


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
    request: Duration = 0.0
    """For the whole exchange, retries and both bodies included."""


class RetryBackoffPolicy(Spec):
    """How long a retry waits: not at all the first time, then `first`, doubling to `longest`."""

    first: Duration = 0.025
    longest: Duration = 0.25
    jitter_percent: Percent = 50
    """The largest share of a wait that chance takes off."""


class RetryPolicy(Spec):
    attempts: Annotated[int, Meta(ge=0, le=10)] = 2
    """More tries after the first one."""
    on: tuple[RetryCondition, ...] = ("connect-failure", "refused", "reset")
    budget_percent: Percent = 20
    """Retries in flight, as a share of the requests in flight of the Backend."""
    budget_least: Annotated[int, Meta(ge=0, le=1000)] = 3
    """Retries in flight that are always allowed."""
    backoff: RetryBackoffPolicy = RetryBackoffPolicy()


class TrafficPolicySpec(Spec):
    target_ref: TargetRef
    protocol: Literal["http", "tcp"] | None = None
    """What this port speaks; wins over appProtocol and the port's name."""
    balancer: BalancerPolicy | None = None
    slow_start: SlowStartPolicy | None = None
    health_check: HealthCheckPolicy | None = None
    ejection: EjectionPolicy | None = None
    panic: PanicPolicy | None = None
    failover: FailoverPolicy | None = None
    locality: LocalityPolicy | None = None
    limits: LimitPolicy | None = None
    timeouts: TimeoutPolicy | None = None
    retries: RetryPolicy | None = None
    rate_limit: RateLimitPolicy | None = None
    headers: HeaderPolicy | None = None
    redirect: RedirectPolicy | None = None
    rewrite: RewritePolicy | None = None
    split: tuple[SplitTarget, ...] = ()
    mirror: MirrorPolicy | None = None
    fault: FaultPolicy | None = None
    cors: CORSPolicy | None = None
    max_request_bytes: Annotated[int, Meta(ge=0)] | None = None
    """Of a request's body; what is longer is answered with 413.  0: no limit."""
    access: AccessPolicy | None = None
    proxy_protocol: ProxyProtocolPolicy | None = None
    tls: TLSPolicy | None = None
    upgrades: tuple[str, ...] | None = None
    """Upgrade tokens that may open a tunnel; default: websocket."""
    trace: TracePolicy | None = None
    via: bool | None = None
    """Whether requests to endpoints carry a Via field; default: true."""
    scaling: ScalingPolicy | None = None


class TrafficPolicy(Spec):
    metadata: ObjectMeta
    spec: TrafficPolicySpec


GROUPS = tuple(name for name in TrafficPolicySpec.__struct_fields__ if name != "target_ref")
"""The field groups, each of which is taken whole from the first policy that has it."""

HTTP_GROUPS = (
    "retries", "upgrades", "via", "rate_limit", "headers", "redirect", "rewrite", "mirror", "fault", "cors",
    "max_request_bytes", "trace",
)  # fmt: skip
"""What only HTTP can have; connects of TCP are retried too."""

UNSAID = TrafficPolicySpec(TargetRef("Service", ""))
"""What holds without a policy."""


def says(spec: TrafficPolicySpec, path: str) -> bool:
    """Whether the policy says anything but the default of this field group, or field of one (``timeouts.request``)."""
    value: Any = spec
    default: Any = UNSAID
    for name in path.split("."):
        if default is None:
            default = type(value)()
        value, default = getattr(value, name), getattr(default, name)
        if value is None:
            return False
    return bool(value != default)


def merged(specs: Iterable[TrafficPolicySpec]) -> TrafficPolicySpec:
    """What policies come to together, the one with most authority first; its target is the first's."""
    first, *others = (*specs, UNSAID)
    said: dict[str, Any] = {}
    for other in others:
        said.update((group, getattr(other, group)) for group in GROUPS if group not in said and says(other, group))
    return msgspec.structs.replace(first, **{group: value for group, value in said.items() if not says(first, group)})
