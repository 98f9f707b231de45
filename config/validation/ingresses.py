"""Ingresses and IngressClasses (networking.k8s.io/v1): hosts, paths, backends, TLS."""

from __future__ import annotations

from collections.abc import Container

from config.addresses import parse_address
from config.meta import Named, ObjectKey
from config.naming import DNS_SUBDOMAIN, PORT_NAME, SERVICE_NAME, WILDCARD_HOST, shown
from config.resources.networking import (
    CLASS_ANNOTATION,
    DEFAULT_CLASS_ANNOTATION,
    OWN_CLASS,
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressServiceBackend,
    IngressTLS,
    TypedLocalObjectReference,
)
from config.validation.report import ObjectReport, Report, keyed, problem_of

CLASS_FIELDS = ("spec.ingressClassName", keyed("metadata.annotations", CLASS_ANNOTATION))
"""Where the class of an Ingress is written."""

_FORBIDDEN_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_AT_THE_END = ("/..", "/.")


def check_ingress(ingress: Ingress, report: ObjectReport) -> None:
    spec = ingress.spec
    if not spec.rules and spec.default_backend is None:
        report.error("spec", "either rules or a defaultBackend is needed", "spec.rules", "spec.defaultBackend")
    if spec.default_backend:
        _check_backend(spec.default_backend, "spec.defaultBackend", report)
    for i, rule in enumerate(spec.rules):
        if rule.host:
            report.check(f"spec.rules[{i}].host", host_problem(rule.host))
        if rule.http is None:
            continue
        if not rule.http.paths:
            report.error(f"spec.rules[{i}].http.paths", "at least one path is needed; use defaultBackend for all")
        for p, path in enumerate(rule.http.paths):
            _check_path(path, f"spec.rules[{i}].http.paths[{p}]", report)
    for i, tls in enumerate(spec.tls):
        _check_tls(tls, f"spec.tls[{i}]", report)
    _check_class_name(ingress, report)


def knows_class(key: ObjectKey, ingress: Ingress, classes: Container[Named], report: Report) -> bool:
    """Whether what says whose an Ingress is could be read; `classes` are those that could."""
    named = Named("", ingress.class_name)
    is_described = named in classes or named.name in {"", OWN_CLASS}  # these need nobody who does
    may_be_told = is_described or not report.unread.may_be(ObjectKey("IngressClass", *named))
    return may_be_told and report.of(key).knows(*CLASS_FIELDS)


def check_ingress_class(item: IngressClass, report: ObjectReport) -> None:
    controller, path = item.spec.controller, "spec.controller"
    if not controller:
        report.error(path, "a controller is needed, such as 'weft.dev/ingress'")
    elif "/" not in controller:
        report.error(path, f"{shown(controller)} is not DOMAIN/NAME, such as 'weft.dev/ingress'")
    else:
        domain, _, rest = controller.partition("/")
        report.check(path, DNS_SUBDOMAIN.problem(domain))
        if not rest:
            report.error(path, f"{shown(controller)} has no name after '/'")
    default = item.metadata.annotations.get(DEFAULT_CLASS_ANNOTATION, "false")
    if default not in {"true", "false"}:
        report.error(
            keyed("metadata.annotations", DEFAULT_CLASS_ANNOTATION), f"{shown(default)} is neither 'true' nor 'false'"
        )


def host_problem(host: str) -> str | None:
    """Why `host` is neither a DNS name nor ``*.`` and a DNS name."""
    if problem_of(parse_address, host.strip("[]")) is None:
        return f"{shown(host)} is an address, and a host is a DNS name: leave it out to match every host"
    if host.startswith("*"):
        return WILDCARD_HOST.problem(host)
    if ":" in host:
        return f"{shown(host)} has a port, and a host is matched without: write {shown(host.partition(':')[0])}"
    return DNS_SUBDOMAIN.problem(host)


def _check_path(path: HTTPIngressPath, where: str, report: ObjectReport) -> None:
    _check_backend(path.backend, f"{where}.backend", report)
    text = path.path
    if path.path_type == "ImplementationSpecific" or not report.knows(f"{where}.pathType"):
        if text and not text.startswith("/"):
            report.error(f"{where}.path", f"{shown(text)} does not begin with '/'")
        return
    if not text.startswith("/"):
        report.error(f"{where}.path", f"{shown(text)} does not begin with '/', as a path of type {path.path_type} must")
        return
    for part in _FORBIDDEN_IN_PATHS:
        if part in text:
            report.error(f"{where}.path", f"{shown(text)} contains {shown(part)}, which no request matches: remove it")
    for part in _FORBIDDEN_AT_THE_END:
        if text.endswith(part):
            report.error(f"{where}.path", f"{shown(text)} ends in {shown(part)}, which no request matches: remove it")
    for part in "?#":
        if part in text:
            report.warning(
                f"{where}.path", f"{shown(text)} contains {shown(part)}: only the path of a request is matched"
            )


def _check_backend(backend: IngressBackend, where: str, report: ObjectReport) -> None:
    if (backend.service is None) == (backend.resource is None):
        report.error(where, "exactly one of service and resource is needed", f"{where}.service", f"{where}.resource")
    if backend.service:
        _check_service(backend.service, f"{where}.service", report)
    if backend.resource:
        _check_resource(backend.resource, f"{where}.resource", report)


def _check_service(service: IngressServiceBackend, where: str, report: ObjectReport) -> None:
    report.check(f"{where}.name", None if service.name[:1].isdigit() else SERVICE_NAME.problem(service.name))
    port = service.port
    if bool(port.name) == bool(port.number):
        report.error(f"{where}.port", "exactly one of name and number is needed", f"{where}.port")
    if port.name:
        report.check(f"{where}.port.name", PORT_NAME.problem(port.name))


def _check_resource(resource: TypedLocalObjectReference, where: str, report: ObjectReport) -> None:
    for field, text in (("kind", resource.kind), ("name", resource.name)):
        if not text:
            report.error(f"{where}.{field}", "must not be empty")
    what = resource.kind or "resource"
    report.warning(where, f"a {what} cannot be served: requests to it are answered with 503", f"{where}.kind")


def _check_tls(tls: IngressTLS, where: str, report: ObjectReport) -> None:
    for i, host in enumerate(tls.hosts):
        report.check(f"{where}.hosts[{i}]", host_problem(host))
    if tls.secret_name:
        report.check(f"{where}.secretName", DNS_SUBDOMAIN.problem(tls.secret_name))


def _check_class_name(ingress: Ingress, report: ObjectReport) -> None:
    name, legacy = ingress.spec.ingress_class_name, ingress.metadata.annotations.get(CLASS_ANNOTATION)
    if name:
        report.check("spec.ingressClassName", DNS_SUBDOMAIN.problem(name))
    if name and legacy is not None:
        report.warning(
            keyed("metadata.annotations", CLASS_ANNOTATION),
            "Kubernetes refuses it next to spec.ingressClassName, which is used: remove the annotation",
            "spec.ingressClassName",
        )
