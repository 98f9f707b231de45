"""Small worlds for the tests of the data plane's control half: endpoints, Services, snapshots, a clock."""

from __future__ import annotations

from collections.abc import Mapping

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.policies import TargetRef, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Service, ServicePort, ServiceSpec
from config.resources.networking import (
    DEFAULT_CLASS_ANNOTATION,
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassSpec,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    ServiceBackendPort,
)
from config.settings import NodeConfigSpec
from discovery.catalog import PortEndpoints, Snapshot
from discovery.endpoint import Endpoint
from mesh.backend import Backend, EndpointState
from mesh.deadlines import Deadlines
from mesh.plan import BackendKey, BackendPlan

KEY = BackendKey("default", "shop", "http")


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def endpoint(last: int, **fields: object) -> Endpoint:
    """``10.0.0.<last>:8080``, ready unless told otherwise."""
    return Endpoint(f"10.0.{last >> 8}.{last & 255}", 8080, **fields)  # type: ignore[arg-type]


def endpoints(count: int) -> tuple[Endpoint, ...]:
    return tuple(endpoint(number) for number in range(count))


def plan(*there: Endpoint, key: BackendKey = KEY, **fields: object) -> BackendPlan:
    return BackendPlan(key, there, **fields)  # type: ignore[arg-type]


def backend(*there: Endpoint, clock: Clock | None = None, deadlines: Deadlines | None = None) -> Backend:
    made = Backend(KEY, clock or Clock(), deadlines)
    made.apply(plan(*there))
    return made


def service(name: str, *ports: ServicePort, namespace: str = "default", created: str = "", **spec: object) -> Service:
    """A Service; port 80 called ``http`` when no port is given."""
    spec.setdefault("cluster_ip", "127.96.0.1")
    meta = ObjectMeta(name, namespace, creation_timestamp=created)
    return Service(meta, ServiceSpec(ports=ports or (ServicePort(80, name="http"),), **spec))  # type: ignore[arg-type]


def policy(name: str, target: str, section: str = "", *, created: str = "", **spec: object) -> TrafficPolicy:
    meta = ObjectMeta(name, "default", creation_timestamp=created)
    return TrafficPolicy(meta, TrafficPolicySpec(TargetRef("Service", target, section), **spec))  # type: ignore[arg-type]


def ingress(
    name: str,
    *rules: str,
    default: str = "",
    namespace: str = "default",
    created: str = "",
    annotations: dict[str, str] | None = None,
    **spec: object,
) -> Ingress:
    """An Ingress of rules such as ``Prefix foo.com/cart -> shop:http``; `default` is such as ``shop:80``."""
    meta = ObjectMeta(name, namespace, annotations=annotations or {}, creation_timestamp=created)
    made = []
    for words in rules:
        kind, place, _, target = words.split()
        host, slash, path = place.partition("/")
        value = HTTPIngressPath(kind, ingress_backend(target), slash + path)  # type: ignore[arg-type]
        made.append(IngressRule(host, HTTPIngressRuleValue((value,))))
    spec.setdefault("rules", tuple(made))
    spec.setdefault("default_backend", ingress_backend(default) if default else None)
    return Ingress(meta, IngressSpec(**spec))  # type: ignore[arg-type]


def ingress_backend(target: str) -> IngressBackend:
    """Of ``SERVICE:PORT``, a number or a name."""
    name, _, port = target.partition(":")
    wanted = ServiceBackendPort(number=int(port)) if port.isdecimal() else ServiceBackendPort(port)
    return IngressBackend(IngressServiceBackend(name, wanted))


def ingress_class(name: str, controller: str = "weft.dev/ingress", *, default: bool = False) -> IngressClass:
    annotations = {DEFAULT_CLASS_ANNOTATION: "true"} if default else {}
    return IngressClass(ObjectMeta(name, annotations=annotations), IngressClassSpec(controller))


def config(*objects: Service | TrafficPolicy | Ingress | IngressClass, node: NodeConfigSpec | None = None) -> ConfigSet:
    def named(kind: type) -> dict[Named, object]:
        return {Named(o.metadata.namespace, o.metadata.name): o for o in objects if isinstance(o, kind)}

    return ConfigSet(
        services=named(Service),  # type: ignore[arg-type]
        policies=named(TrafficPolicy),  # type: ignore[arg-type]
        ingresses=named(Ingress),  # type: ignore[arg-type]
        ingress_classes=named(IngressClass),  # type: ignore[arg-type]
        node=node or NodeConfigSpec(),
    )


def snapshot(generation: int = 1, changed: tuple[str, ...] = (), **services: PortEndpoints) -> Snapshot:
    """Services of the namespace default by name."""
    there: Mapping[Named, PortEndpoints] = {Named("default", name): ports for name, ports in services.items()}
    return Snapshot(generation, there, frozenset(Named("default", name) for name in changed))


def large_world(services: int, endpoints_each: int) -> tuple[ConfigSet, Snapshot]:
    """So many Services of one port, with so many endpoints each, and addresses of their own."""
    written, existing = [], {}
    for number in range(services):
        name = f"svc-{number}"
        written.append(service(name, cluster_ip=f"127.96.{number >> 8}.{number & 255}"))
        existing[name] = {
            "http": tuple(
                Endpoint(f"10.{number & 255}.{(number >> 8 << 4) + (each >> 8)}.{each & 255}", 8080)
                for each in range(endpoints_each)
            )
        }
    return config(*written), snapshot(1, tuple(existing), **existing)


def tell(there: Backend, state: EndpointState, status: int) -> None:
    """As an exchange does."""
    if not 0 < status < 500:
        there.left(state, 0.01, status)
    elif there.answered is None:
        state.good_answers += 1
    else:
        there.answered(state, 0.01, status)
