"""Group networking.k8s.io/v1: Ingress and IngressClass."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from config.meta import ObjectMeta, Spec

OWN_CONTROLLER = "weft.dev/ingress"
"""What an IngressClass names as its controller when its Ingresses are ours."""
OWN_CLASS = "weft"
"""The class that is ours also without an IngressClass."""
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""Names the class of an Ingress, as was done before there was a field for it."""
DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


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

    @property
    def class_name(self) -> str:
        """The IngressClass that it names, by field or by the older annotation; empty: the default one."""
        return self.spec.ingress_class_name or self.metadata.annotations.get(CLASS_ANNOTATION, "")


class IngressClassSpec(Spec):
    controller: str = ""
    parameters: TypedLocalObjectReference | None = None


class IngressClass(Spec):
    metadata: ObjectMeta
    spec: IngressClassSpec = IngressClassSpec()

    @property
    def is_default(self) -> bool:
        """Whether Ingresses that name no class are of this one."""
        return self.metadata.annotations.get(DEFAULT_CLASS_ANNOTATION) == "true"
