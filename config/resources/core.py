"""Group v1 and discovery.k8s.io/v1: Service, Endpoints, EndpointSlice, Secret, ConfigMap, Namespace."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from config.meta import Confidential, IntOrString, ObjectMeta, Port, Spec

Protocol = Literal["TCP", "UDP", "SCTP"]
TrafficScope = Literal["Cluster", "Local"]


class ServicePort(Spec):
    """One port of a Service."""

    port: Port
    name: str = ""
    protocol: Protocol = "TCP"
    target_port: IntOrString | None = None
    """Number, or name of a containerPort; the same number as `port` when absent."""
    node_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """0: to be allocated, when the type of the Service asks for one."""
    app_protocol: str = ""

    @property
    def key(self) -> str:
        """How this port is called within its Service: its name, else its number as text."""
        return self.name or str(self.port)


class ClientIPConfig(Spec):
    timeout_seconds: Annotated[int, Meta(ge=1, le=86400)] = 10800


class SessionAffinityConfig(Spec):
    client_ip: ClientIPConfig = field(default=ClientIPConfig(), name="clientIP")


class ServiceSpec(Spec):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    selector: dict[str, str] = {}
    """Empty: endpoints come from Endpoints, EndpointSlices or another source."""
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = field(default="", name="clusterIP")
    """An address, ``None`` for headless, or empty: to be allocated."""
    cluster_ips: tuple[str, ...] = field(default=(), name="clusterIPs")
    external_ips: tuple[str, ...] = field(default=(), name="externalIPs")
    external_name: str = ""
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    internal_traffic_policy: TrafficScope = "Cluster"
    external_traffic_policy: TrafficScope = "Cluster"
    health_check_node_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_class: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    allocate_load_balancer_node_ports: bool = True
    traffic_distribution: str = ""
    publish_not_ready_addresses: bool = False
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str = ""


OWN_LOAD_BALANCER = "weft.dev/lb"
"""The ``loadBalancerClass`` that is served here, as none at all is."""


GIVEN = "weft.dev/cluster-ip"
"""The annotation of a Service that says which address a registry gave it."""


class Service(Spec):
    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()

    @property
    def headless(self) -> bool:
        return self.spec.cluster_ip == "None"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its ClusterIPs, the first family first; none while it has none, and for a headless Service."""
        named = (self.spec.cluster_ip, *self.spec.cluster_ips)
        return tuple(dict.fromkeys(text for text in named if text not in {"", "None"}))

    @property
    def exported(self) -> bool:
        """Whether an API server printed it (``kubectl get -o yaml``), with what its own cluster gave out."""
        return bool(self.metadata.creation_timestamp)

    @property
    def balanced(self) -> bool:
        """Whether it is served as a LoadBalancer here; one of another class is somebody else's to serve."""
        return self.spec.type == "LoadBalancer" and self.spec.load_balancer_class in {"", OWN_LOAD_BALANCER}


class ObjectReference(Spec):
    kind: str = ""
    namespace: str = ""
    name: str = ""


class EndpointAddress(Spec):
    ip: str
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Spec):
    """A port of an Endpoints subset or an EndpointSlice; `port` may be absent only in a slice."""

    port: Port | None = None
    name: str = ""
    protocol: Protocol = "TCP"
    app_protocol: str = ""


class EndpointSubset(Spec):
    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Spec):
    metadata: ObjectMeta
    subsets: tuple[EndpointSubset, ...] = ()


class EndpointConditions(Spec):
    """None: not said; Kubernetes reads that as ready, serving as ready, and not terminating."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class HintedPlace(Spec):
    """A zone or a node, by its name."""

    name: str


class EndpointHints(Spec):
    """From where an endpoint is best used."""

    for_zones: tuple[HintedPlace, ...] = ()
    for_nodes: tuple[HintedPlace, ...] = ()


class SliceEndpoint(Spec):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    node_name: str = ""
    zone: str = ""
    hints: EndpointHints | None = None
    target_ref: ObjectReference | None = None


class EndpointSlice(Spec):
    """Belongs to the Service that the label ``kubernetes.io/service-name`` names."""

    metadata: ObjectMeta
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


SERVICE_NAME_LABEL = "kubernetes.io/service-name"


class Secret(Spec):
    """`data` values are base64 text, as in the file; `string_data` is plain and wins."""

    metadata: ObjectMeta
    type: str = "Opaque"
    data: dict[str, Confidential] = {}
    string_data: dict[str, Confidential] = {}


class ConfigMap(Spec):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


class Namespace(Spec):
    metadata: ObjectMeta
