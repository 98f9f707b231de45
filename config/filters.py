"""Groups of a TrafficPolicy that say what happens to a request on its way: limits, edits, redirects, splits.

The words are those of Gateway API's HTTPRoute filters where it has them.  All durations are seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import Duration, IntOrString, Spec

Share = Annotated[float, Meta(ge=0, le=100)]
"""A percentage of the requests; fractions are allowed."""


class TokenBucketPolicy(Spec):
    """`requests` in every `per`, saved up to `burst`; what is beyond is answered with 429."""

    requests: Annotated[int, Meta(ge=1, le=10_000_000)]
    per: Duration = 1.0
    burst: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    """0: as many as `requests`."""


class RateLimitPolicy(Spec):
    route: TokenBucketPolicy | None = None
    """All clients together."""
    client: TokenBucketPolicy | None = None
    """Each client address (IPv6: each /64)."""
    fields: bool = False
    """Every answer says in RateLimit fields how much is left, not only a 429."""


class HeaderEdits(Spec):
    """First `remove`, then `set` (replaces all lines of that name), then `add`."""

    set: dict[str, str] = {}
    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class HeaderPolicy(Spec):
    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


class RedirectPolicy(Spec):
    """An answer in the endpoint's place; what is not said stays as the client asked for it."""

    scheme: Literal["http", "https"] | None = None
    host: str = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """0: the port that the scheme stands for, if a scheme is given, else the one asked for."""
    path: str = ""
    """In place of the whole path."""
    prefix: str = ""
    """In place of the part of the path that the rule matched; ``/`` strips it."""
    status: Annotated[int, Meta(ge=300, le=399)] = 302
    """301, 302, 303, 307 or 308."""


class RewritePolicy(Spec):
    """What the endpoint is asked for in place of what the client asked for."""

    host: str = ""
    path: str = ""
    prefix: str = ""
    """In place of the part of the path that the rule matched; ``/`` strips it."""


class SplitTarget(Spec):
    """One of the Services, in the policy's namespace, that share the traffic."""

    service: str
    port: IntOrString | None = None
    """Number or name; absent: the port of the same name, else of the same number."""
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    """Its share in proportion to the others'."""


class MirrorPolicy(Spec):
    """Where copies of requests go, whose answers are thrown away."""

    service: str
    port: IntOrString | None = None
    """As in a split."""
    percent: Share = 100.0


class FaultDelay(Spec):
    duration: Duration
    percent: Share = 100.0


class FaultAbort(Spec):
    status: Annotated[int, Meta(ge=200, le=599)] = 503
    percent: Share = 100.0


class FaultPolicy(Spec):
    """Trouble on purpose: a delay before the endpoint is asked, an answer in its place."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None


class CORSPolicy(Spec):
    """Which pages of other origins may read what is answered (the Fetch standard's CORS protocol)."""

    allow_origins: tuple[str, ...]
    """``https://shop.example``, ``https://*.shop.example`` (any depth), or ``*``."""
    allow_methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    allow_headers: tuple[str, ...] = ()
    """``*``: what the browser asks for."""
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: Duration = 5.0
    """How long a browser may keep the answer to a preflight."""


class TracePolicy(Spec):
    """A ``traceparent`` (W3C Trace Context) for requests that come without one; one that comes is passed on."""

    sampled_percent: Share = 100.0
    """How many of them say that the trace is to be recorded."""


class AccessPolicy(Spec):
    """Networks or addresses of clients; `deny` wins, and with an `allow` list all others are refused (403)."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class ProxyProtocolPolicy(Spec):
    """HAProxy's PROXY protocol, which hands on the client's address in front of the bytes."""

    accept_from: tuple[str, ...] = ()
    """Networks or addresses whose connections must begin with it (either version); others must not."""
    send: Literal["v1", "v2"] | None = None
    """To endpoints."""


class ReencryptPolicy(Spec):
    """TLS to the endpoints; with `verify` their certificate must be good for `server_name`."""

    verify: bool = True
    ca_secret: str = ""
    """A Secret in the policy's namespace whose ``ca.crt`` signs."""
    ca_config_map: str = ""
    """The same of a ConfigMap, if there is no `ca_secret`; both empty: the system's authorities."""
    server_name: str = ""
    """Asked for by SNI and verified; empty: ``SERVICE.NAMESPACE.svc``."""


class TLSPolicy(Spec):
    https_redirect: bool = False
    """Ingress: requests that came without TLS are sent to https with a 308."""
    passthrough: bool = False
    """Ingress: connections for its TLS hosts are relayed as they are, to the Service of the host's shortest path,
    which shakes hands itself."""
    reencrypt: ReencryptPolicy | None = None
