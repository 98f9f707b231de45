"""Groups of a TrafficPolicy that say which endpoint gets a request: balancers, health, ejection, limits.

The words are Envoy's and HAProxy's where Kubernetes has none.  All durations are seconds.  What an endpoint's
own probe or EndpointSlice says is never overridden by anything here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import Duration, IntOrString, Spec

Percent = Annotated[int, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]

BalancerType = Literal["RoundRobin", "LeastRequest", "Random", "RingHash", "Maglev", "PeakEWMA"]


class CookieIssue(Spec):
    """A cookie that is given to clients which come without one (RFC 6265 section 4.1)."""

    ttl: Duration = 0.0
    """How long the client is to keep it; 0: until its session ends."""
    path: str = "/"
    same_site: Literal["Lax", "Strict", "None"] = "Lax"
    http_only: bool = True
    """Scripts of the page cannot read it."""
    secure: bool = False
    """It is sent back over https only."""


class HashKey(Spec):
    """What a request is known by; exactly one field but `issue` is set.  A request without it is balanced in turn."""

    header: str = ""
    cookie: str = ""
    issue: CookieIssue | None = None
    """With `cookie`: who comes without is given one, and picked for by it; absent: the endpoints' own counts."""
    query: str = ""
    """The first parameter of that name, as the client wrote it."""
    source_address: bool = False


class BalancerPolicy(Spec):
    """Who is picked among those that may be."""

    type: BalancerType = "RoundRobin"
    choices: Annotated[int, Meta(ge=2, le=10)] = 2
    """LeastRequest and PeakEWMA: how many are drawn, of which the least loaded is taken."""
    hash: HashKey | None = None
    """RingHash and Maglev: needed there, and only there."""
    bounded_load: Annotated[int, Meta(ge=0, le=1000)] = 0
    """RingHash and Maglev: no endpoint takes more than this percentage of its share of what is in flight; more
    than 100, 0: no bound."""
    points: Annotated[int, Meta(ge=8, le=1024)] = 100
    """RingHash: how many points of the ring the heaviest endpoint has, others in proportion."""
    table_size: Annotated[int, Meta(ge=67, le=16_381)] = 2039
    """Maglev: a prime number, at best 100 times the number of endpoints."""
    decay: Duration = 10.0
    """PeakEWMA: how long a slow answer is remembered."""


class SlowStartPolicy(Spec):
    """An endpoint that begins to be used grows to its full share of the requests.

    After `t` seconds its weight is multiplied by ``max(least, (t / window) ** (1 / aggression))``.
    """

    window: Duration = 30.0
    aggression: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    least_percent: Annotated[int, Meta(ge=1, le=100)] = 10


class HealthCheckPolicy(Spec):
    """An active check of endpoints whose health no agent reports, such as those of EndpointSlices and DNS."""

    type: Literal["http", "tcp", "grpc"] = "tcp"
    path: str = "/"
    """http: what is asked for."""
    host: str = ""
    """http: the Host field; empty: the endpoint's address."""
    scheme: Literal["http", "https"] = "http"
    """http: `https` within TLS, where any certificate will do, and `host` is asked for by SNI."""
    expected_status: tuple[IntOrString, ...] = ("200-399",)
    """http: status codes that are a success, one by one or as ranges."""
    service: str = ""
    """grpc: the name that is asked for (grpc.health.v1); empty: the server as a whole."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """0: the endpoint's own."""
    interval: Duration = 10.0
    timeout: Duration = 1.0
    rise: Annotated[int, Meta(ge=1, le=100)] = 2
    """Successes in a row that make an endpoint healthy; one that was never checked needs only one."""
    fall: Annotated[int, Meta(ge=1, le=100)] = 3
    """Failures in a row that make it unhealthy."""


class SuccessRatePolicy(Spec):
    """Ejects whose share of good answers is below the mean of all by more than `deviations` standard deviations."""

    deviations: Annotated[float, Meta(ge=0.1, le=10)] = 1.9
    interval: Duration = 10.0
    least_endpoints: Annotated[int, Meta(ge=2, le=10_000)] = 5
    """With fewer that had enough requests there is no mean to speak of."""
    least_requests: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Of an endpoint in an interval, to be judged."""


class EjectionPolicy(Spec):
    """Passive health: endpoints that fail in this proxy's own traffic are left out for a while."""

    connect_failures: Annotated[int, Meta(ge=0, le=1000)] = 1
    """Connects in a row that were refused or timed out; 0: does not eject."""
    server_errors: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Answers with 5xx in a row, connections that broke before an answer included; 0: does not eject."""
    success_rate: SuccessRatePolicy | None = None
    first: Duration = 1.0
    """Out for this long the first time, twice as long each time after."""
    longest: Duration = 30.0
    most_percent: Annotated[int, Meta(ge=1, le=100)] = 50
    """Of the ready endpoints that may be out at a time: at least one, never the last."""


class PanicPolicy(Spec):
    below_percent: Percent = 50
    """When less than this share of the ready endpoints is left by checks and ejection, both are disregarded."""


class FailoverPolicy(Spec):
    below_percent: Percent = 50
    """When less than this share of a tier's endpoints is left, the next tier joins in; 0: when none is."""


class LocalityPolicy(Spec):
    prefer: Literal["Any", "Zone", "Node"] = "Any"
    """Endpoints of this node's zone or of this node first, others when there are none; wins over
    trafficDistribution.  Node falls back to Zone."""


class EndpointLimits(Spec):
    """Of each endpoint; 0: no limit.  A request holds a connection of its own, so for HTTP the lesser counts."""

    connections: Count = 0
    requests: Count = 0


class BackendLimits(Spec):
    """Of all endpoints of a Service port together; 0: no limit."""

    connections: Count = 0
    requests: Count = 0


class QueuePolicy(Spec):
    """Where requests wait when a limit is reached."""

    length: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    """0: what is over a limit is answered with 503 at once."""
    deadline: Duration = 5.0
    """Who has waited for this long is answered with 503."""


class LimitPolicy(Spec):
    endpoint: EndpointLimits = EndpointLimits()
    backend: BackendLimits = BackendLimits()
    queue: QueuePolicy = QueuePolicy()
