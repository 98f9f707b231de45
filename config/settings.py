"""``weft.dev/v1`` NodeConfig: what is particular to this node.  One per node; all fields have defaults."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from config.meta import Duration, HostPort, ObjectMeta, Spec

NODE_PORTS = range(30000, 32768)
"""Kubernetes' default range; NodePorts are given out of it, and explicit ones must lie in it."""

LOCAL_PORTS = range(20000, 30000)
"""Of 127.0.0.1, where Service ports are served with ``reach: ports``: below the node ports, and below those that the
system takes for outgoing connections."""

LOCAL_ADDRESS = "127.0.0.1"
"""Where local ports are."""

UNPRIVILEGED_STEP = 8000
"""Added to a port under 1024 that weft may not bind: where it is served instead."""


class ServiceRange(Spec):
    """The range that ClusterIPs are given out of, and how this node reaches it."""

    cidr: str = "127.96.0.0/16"
    reach: Literal["loopback", "route", "ports"] = "loopback"


class Introducers(Spec):
    """HAProxy's PROXY protocol at the listeners of Ingresses, which hands on the client's address before the bytes."""

    accept_from: tuple[str, ...] = ()
    """Networks or addresses whose connections must begin with it (either version)."""


class IngressAddresses(Spec):
    http: HostPort = "127.0.0.1:8080"
    https: HostPort = "127.0.0.1:8443"
    proxy_protocol: Introducers = Introducers()


class InboundSettings(Spec):
    """Listeners on the first node address for endpoints of this node that others cannot dial."""

    reach: Literal["auto", "always", "never"] = "auto"
    """`auto`: unless that address is of the loopback, so that all nodes are on one machine."""
    bridges: tuple[str, ...] = ()
    """Networks inside this machine, beside the loopback and links."""


class ConnectionLimits(Spec):
    per_listener: Annotated[int, Meta(ge=1)] = 10_000


class ResolverSettings(Spec):
    """What the DNS of this node does with names that are not the cluster's."""

    forward: bool = False
    """Ask other servers for them, instead of answering REFUSED."""
    allow_from: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks whose questions are forwarded."""
    servers: tuple[str, ...] = ()
    """HOST:PORT of who is asked; empty: those of /etc/resolv.conf."""


class RegistryKey(Spec):
    """Somebody who may write to the registry, or have copies of its zones."""

    secret: str
    """NAME, or NAMESPACE/NAME, of the Secret that holds the key: `name`, `secret` and perhaps `algorithm`."""
    writes: tuple[str, ...] = ()
    """Names of the written zones, and what is beneath them; ``*``: all."""
    transfers: bool = False


PRIVATE_NETWORKS: Final = (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
    "::1/128", "fc00::/7", "fe80::/10",
)  # fmt: skip


class EtcdSettings(Spec):
    """An etcd that several registries share, in place of a file of each."""

    endpoints: tuple[str, ...] = ()
    """URLs, such as ``https://etcd-1.example:2379``; empty: there is none."""
    prefix: str = "weft/"
    """What the names of all keys begin with."""
    tls: str = ""
    """NAME, or NAMESPACE/NAME, of the Secret with `ca.crt`, and `tls.crt` and `tls.key` where etcd asks for them."""
    user: str = ""
    """The Secret with `username` and `password`, where etcd asks for them."""


class RegistrySettings(Spec):
    """The registry: the zones that others may write, on the DNS server of this process."""

    keys: tuple[RegistryKey, ...] = ()
    """Without any, this machine may write everything, unsigned, and nobody else anything."""
    transfer_to: tuple[str, ...] = ()
    """Networks that may have copies of the zones without a key."""
    also_notify: tuple[str, ...] = ()
    """HOST:PORT of secondaries that are told of each change, beside the nodes that are registered."""
    least_lease: Duration = 30.0
    """Seconds that whoever asks for less is granted."""
    allow_from: tuple[str, ...] = PRIVATE_NETWORKS
    """Networks that the DNS server answers at all; this machine always.  Containers ask from the bridge's addresses."""
    answers_per_second: Annotated[int, Meta(ge=0)] = 1000
    """To each /24 and /56 off this machine, by UDP; 0: as many as it asks for."""
    servers: tuple[str, ...] = ()
    """``weft node``: HOST:PORT of the registries that it follows, in the order in which they are asked."""
    key: str = ""
    """``weft node``: the Secret of the key that it signs with, as in `RegistryKey`; empty: it does not sign."""
    lease: Duration = 30.0
    """``weft node``: seconds that what it registers lives without being refreshed."""
    etcd: EtcdSettings = EtcdSettings()


class PrometheusSettings(Spec):
    """The Prometheus that metrics of type External are asked of."""

    url: str = ""
    """Such as ``http://prometheus.example:9090``; empty: there is none."""
    secret: str = ""
    """NAME, or NAMESPACE/NAME, of the Secret with `token`, or `username` and `password`, and `ca.crt`, where needed."""
    timeout: Duration = 5.0
    """Seconds that an answer may take."""


class AutoscalerSettings(Spec):
    """How the HorizontalPodAutoscalers of this machine are carried out."""

    period: Duration = 15.0
    """Seconds from one decision to the next."""
    dry_run: bool = False
    """Decide, and change nothing."""
    prometheus: PrometheusSettings = PrometheusSettings()


class RecentSettings(Spec):
    """Which of the last exchanges are kept in memory, for ``weft explain --id`` and ``weft tap --recent``."""

    keep: Literal["failed", "all"] = "failed"
    """`failed`: those that the proxy itself ended, at no cost to others; `all` costs as much as the access log."""
    size: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    """How many."""


class DockerSettings(Spec):
    """The Docker Engine of the platforms `docker` and `swarm`."""

    host: str = ""
    """A URL as in DOCKER_HOST; empty: that variable, else ``unix:///var/run/docker.sock``."""
    network: str = "bridge"
    """The network of containers that Deployments become; this machine must be able to dial into it."""


class NodeConfigSpec(Spec):
    cluster_domain: str = "cluster.local"
    service_range: ServiceRange = ServiceRange()
    pod_cidr: str = field(default="127.97.0.0/16", name="podCIDR")
    """Process platform: every replica gets an address of its own from here."""
    node_addresses: tuple[str, ...] = ("127.0.0.1",)
    """Where NodePorts and LoadBalancers listen."""
    node_name: str = ""
    """Empty: the host's name."""
    zone: str = ""
    """Of this node, as endpoints say theirs; empty: not known, so that no endpoint counts as near."""
    admin: HostPort = "127.0.0.1:9901"
    ingress: IngressAddresses = IngressAddresses()
    dns: HostPort = "127.0.0.1:1053"
    resolver: ResolverSettings = ResolverSettings()
    registry: RegistrySettings = RegistrySettings()
    platforms: tuple[str, ...] = ("process",)
    """Where replicas are; the first runs the Deployments.  Which there are, floors above know.  Read at the start."""
    docker: DockerSettings = DockerSettings()
    images: dict[str, tuple[str, ...]] = {}
    """Process platform: image name, or a pattern with ``*``, to the argv it runs here."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-* fields are believed."""
    connections: ConnectionLimits = ConnectionLimits()
    inbound: InboundSettings = InboundSettings()
    access_log: bool = False
    access_log_format: Literal["json", "common"] = "json"
    recent: RecentSettings = RecentSettings()
    autoscaler: AutoscalerSettings = AutoscalerSettings()
    drain_delay: Duration | None = None
    """Seconds, before it ends, in which a node that is not ready any more still accepts; None: as suits the role."""
    drain_timeout: Duration = 30.0
    """Seconds that what is in flight has to finish."""
    confirm_timeout: Duration = 5.0
    """``weft node``, ``weft sidecar``: seconds that all others have to confirm that they send nothing to a replica."""


class NodeConfig(Spec):
    metadata: ObjectMeta
    spec: NodeConfigSpec = NodeConfigSpec()
