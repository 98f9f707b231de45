"""Group networking.k8s.io/v1."""

from __future__ import annotations

from config.resources.networking import IngressClassSpec, ServiceBackendPort
from tests.config.reading import decoded, lines

INGRESS = """
metadata: {name: shop}
spec:
  ingressClassName: weft
  defaultBackend: {service: {name: web, port: {number: 80}}}
  tls: [{hosts: [a.b], secretName: cert}]
  rules:
  - host: "*.example.com"
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {pathType: Exact, backend: {resource: {apiGroup: a.b, kind: Bucket, name: c}}}
"""


def test_an_ingress() -> None:
    ingress, found = decoded("Ingress", INGRESS)
    assert lines(found, "error", "notice") == []
    first, second = ingress.spec.rules[0].http.paths
    assert first.backend.service.port == ServiceBackendPort(name="http")
    assert ingress.spec.default_backend.service.port == ServiceBackendPort(number=80)
    assert (second.path, second.backend.resource.api_group) == ("", "a.b")
    assert ingress.spec.tls[0].secret_name == "cert"


def test_the_path_type_is_required_and_one_of_three() -> None:
    _, found = decoded("Ingress", INGRESS.replace("pathType: Exact, ", "").replace("Prefix", "prefix"))
    first, second = lines(found)
    assert first.endswith('is not one of Exact, ImplementationSpecific, Prefix; did you mean "Prefix"?')
    assert second.endswith("spec.rules[0].http.paths[1].pathType: required field is missing")


def test_the_old_form_of_a_backend_is_an_error() -> None:
    text = "{metadata: {name: a}, spec: {defaultBackend: {serviceName: web, servicePort: 80}}}"
    assert len(lines(decoded("Ingress", text)[1])) == 2


def test_a_class() -> None:
    item, found = decoded("IngressClass", "{metadata: {name: weft}, spec: {controller: weft.dev/ingress}}")
    assert lines(found) == []
    assert item.spec == IngressClassSpec(controller="weft.dev/ingress")
