"""Group networking.k8s.io/v1: Ingress and IngressClass."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import ObjectMeta, Spec


class ServiceBackendPort(Spec):
    """Exactly one of the two is set."""

    name: str = ""
    number: Annotated[int, Meta(ge=0, le=65535)] = 0


class IngressServiceBackend(Spec):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class TypedLocalObjectReference(Spec):
    kind: str
    name: str
    api_group: str = ""


class IngressBackend(Spec):
    """A Service, or a resource of another kind; never both."""

    service: IngressServiceBackend | None = None
    resource: TypedLocalObjectReference | None = None


class HTTPIngressPath(Spec):
    path_type: Literal["Exact", "Prefix", "ImplementationSpecific"]
    backend: IngressBackend
    path: str = ""


class HTTPIngressRuleValue(Spec):
    paths: tuple[HTTPIngressPath, ...]


class IngressRule(Spec):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Spec):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Spec):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class Ingress(Spec):
    metadata: ObjectMeta
    spec: IngressSpec = IngressSpec()


class IngressClassSpec(Spec):
    controller: str = ""
    parameters: TypedLocalObjectReference | None = None


class IngressClass(Spec):
    metadata: ObjectMeta
    spec: IngressClassSpec = IngressClassSpec()
