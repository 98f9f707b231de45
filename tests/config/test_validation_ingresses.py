"""Ingresses and IngressClasses: hosts, paths, backends, TLS."""

from __future__ import annotations

from pathlib import Path

from tests.config.validating import Case, case, check, document, error, ingress, service, table, warning

WEB = service("{ports: [{port: 80, name: http}]}")
BACKEND = "backend: {service: {name: web, port: {number: 80}}}"


def host(text: str) -> str:
    return WEB + ingress(f"{{rules: [{{host: {text}, http: {{paths: [{{pathType: Prefix, path: /, {BACKEND}}}]}}}}]}}")


def path(text: str, kind: str = "Prefix") -> str:
    return WEB + ingress(f"{{rules: [{{http: {{paths: [{{pathType: {kind}, path: {text}, {BACKEND}}}]}}}}]}}")


def default(backend: str) -> str:
    return WEB + ingress(f"{{defaultBackend: {backend}}}")


def tls(entry: str) -> str:
    return WEB + ingress(f"{{defaultBackend: {{service: {{name: web, port: {{name: http}}}}}}, tls: [{entry}]}}")


def ingress_class(spec: str, annotations: str = "{}") -> str:
    head = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: weft, annotations: "
    return f"{head}{annotations}}}\nspec: {spec}\n---\n"


HOST, PATH = "spec.rules[0].host", "spec.rules[0].http.paths[0].path"
HOSTS = [
    case("a host", host("shop.example.com")),
    case("a wildcard", host("'*.example.com'")),
    case("a star alone", host("'*'"), error(HOST, "exactly one label")),
    case("a star within a label", host("'*a.example.com'"), error(HOST, "wildcard host")),
    case("a star further on", host("'a.*.com'"), error(HOST, "DNS subdomain")),
    case("two stars", host("'*.*.com'"), error(HOST, "wildcard host")),
    case("an address", host("127.0.0.1"), error(HOST, "is an address")),
    case("an IPv6 address", host("'[::1]'"), error(HOST, "is an address")),
    case("a port", host("'shop.example.com:80'"), error(HOST, 'write "shop.example.com"')),
    case("capitals", host("Shop.example.com"), error(HOST, '"shop.example.com"')),
    case("no host", WEB + ingress(f"{{rules: [{{http: {{paths: [{{pathType: Prefix, path: /, {BACKEND}}}]}}}}]}}")),
]
PATHS = [
    case("Exact", path("/a/b", "Exact")),
    case("ImplementationSpecific", path("/a(/|$)", "ImplementationSpecific")),
    case("ImplementationSpecific without a path", path("''", "ImplementationSpecific")),
    case("ImplementationSpecific that is no path", path("a", "ImplementationSpecific"), error(PATH, "begin with '/'")),
    case("Prefix without a path", path("''"), error(PATH, "of type Prefix must")),
    case("Exact without a slash", path("a", "Exact"), error(PATH, "of type Exact must")),
    case("two slashes", path("/a//b"), error(PATH, '"//"')),
    case("a dot", path("/a/./b"), error(PATH, '"/./"')),
    case("two dots", path("/a/../b"), error(PATH, '"/../"')),
    case("two dots at the end", path("/a/.."), error(PATH, 'ends in "/.."')),
    case("a dot at the end", path("/a/."), error(PATH, 'ends in "/."')),
    case("an encoded slash", path("/a%2Fb"), error(PATH, '"%2F"')),
    case("a query", path("/a?b"), warning(PATH, "only the path")),
    case(
        "no paths", WEB + ingress("{rules: [{http: {paths: []}}]}"), error("spec.rules[0].http.paths", "at least one")
    ),
]
BACKENDS = [
    case("by name", default("{service: {name: web, port: {name: http}}}")),
    case("nothing", ingress("{}"), error("spec", "defaultBackend")),
    case("neither", default("{}"), error("spec.defaultBackend", "exactly one of service and resource")),
    case(
        "both",
        default("{service: {name: web, port: {number: 80}}, resource: {kind: Bucket, name: b}}"),
        error("spec.defaultBackend", "exactly one"),
        warning("spec.defaultBackend.resource", "503"),
    ),
    case("a resource", default("{resource: {kind: Bucket, name: b}}"), warning("spec.defaultBackend.resource", "503")),
    case(
        "a resource without a name",
        default("{resource: {kind: Bucket, name: ''}}"),
        error("spec.defaultBackend.resource.name", "empty"),
        warning("spec.defaultBackend.resource", "503"),
    ),
    case(
        "a port by name and number",
        default("{service: {name: web, port: {number: 80, name: http}}}"),
        error("spec.defaultBackend.service.port", "exactly one of name and number"),
    ),
    case(
        "a port's odd name",
        default("{service: {name: web, port: {name: a_b}}}"),
        error("spec.defaultBackend.service.port.name", "port name"),
        error("spec.defaultBackend.service.port.name", "has no port a_b"),
    ),
]
REST = [
    case("TLS without a Secret", tls("{hosts: [shop.example.com, '*.example.com']}")),
    case("a TLS host", tls("{hosts: [127.0.0.1]}"), error("spec.tls[0].hosts[0]", "is an address")),
    case(
        "class by field and annotation",
        WEB
        + ingress(
            "{ingressClassName: weft, defaultBackend: {service: {name: web, port: {number: 80}}}}",
            annotations="{kubernetes.io/ingress.class: weft}",
        ),
        warning("metadata.annotations[kubernetes.io/ingress.class]", "remove the annotation"),
    ),
    case(
        "a class's odd name",
        WEB + ingress("{ingressClassName: A, defaultBackend: {service: {name: web, port: {number: 80}}}}"),
        error("spec.ingressClassName", '"a"'),
    ),
    case("IngressClass", ingress_class("{controller: weft.dev/ingress}")),
    case("no controller", ingress_class("{}"), error("spec.controller", "is needed")),
    case("a controller without a domain", ingress_class("{controller: weft}"), error("spec.controller", "DOMAIN/NAME")),
    case("a controller's domain", ingress_class("{controller: A/b}"), error("spec.controller", "DNS subdomain")),
    case("a controller without a name", ingress_class("{controller: a.b/}"), error("spec.controller", "after '/'")),
    case(
        "a default that is neither",
        ingress_class("{controller: a/b}", "{ingressclass.kubernetes.io/is-default-class: 'yes'}"),
        error("metadata.annotations[ingressclass.kubernetes.io/is-default-class]", "neither 'true' nor 'false'"),
    ),
    case("a Namespace beside it", document("Namespace", "", "prod")),
]


@table(HOSTS + PATHS + BACKENDS + REST)
def test_ingresses(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
