"""Annotations of other Ingress controllers: which are told of, and with what in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from config.policies import TrafficPolicySpec
from config.validation.annotations import FIELDS, MOST_NAMED
from tests.config.validating import Case, case, check, error, faults_of, ingress, service, table, warning

WEB = service("{ports: [{port: 80}]}")
ALL = "{defaultBackend: {service: {name: web, port: {number: 80}}}}"
NGINX = "nginx.ingress.kubernetes.io"
PATH = f"metadata.annotations[{NGINX}/"


def classed(name: str, *annotations: str) -> str:
    text = ", ".join(f"{each}: '{value}'" for each, _, value in (each.partition("=") for each in annotations))
    spec = ALL.replace("{default", f"{{ingressClassName: {name}, default", 1) if name else ALL
    return WEB + ingress(spec, annotations=f"{{{text}}}")


def ingress_class(name: str, controller: str) -> str:
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}}}\n"
        f"spec: {{controller: {controller}}}\n---\n"
    )


CASES = [
    case("none", classed("", "example.com/rewrite-target=/", "kubernetes.io/description=x")),
    case(
        "one",
        classed("", f"{NGINX}/rewrite-target=/"),
        warning(f"{PATH}rewrite-target]", "rewrite-target (a TrafficPolicy has rewrite.prefix)"),
    ),
    case(
        "several are one warning",
        classed("weft", f"{NGINX}/limit-rps=5", f"{NGINX}/configuration-snippet=x", "haproxy.org/ssl-redirect=true"),
        warning(
            f"{PATH}limit-rps]",
            "limit-rps (a TrafficPolicy has rateLimit.client), configuration-snippet, "
            "ssl-redirect (a TrafficPolicy has tls.httpsRedirect)",
        ),
    ),
    case(
        "what no policy of an Ingress or of its Service can say of it",
        classed("", "haproxy.org/timeout-http-request=5s", "haproxy.org/timeout-connect=1s"),
        warning("metadata.annotations[haproxy.org/timeout-http-request]", "served: timeout-http-request, timeout-conn"),
    ),
    case("what is so anyway", classed("", f"{NGINX}/ssl-redirect=false", f"{NGINX}/backend-protocol=HTTP")),
    case(
        "many",
        classed("", *(f"{NGINX}/x{i}=1" for i in range(MOST_NAMED + 3))),
        warning(f"{PATH}x0]", f"x{MOST_NAMED - 1}, and 3 more"),
    ),
    case(
        "a class that nobody describes is served",
        classed("nginx", f"{NGINX}/enable-cors=true"),
        warning("spec.ingressClassName", "IngressClass/nginx"),
        warning(f"{PATH}enable-cors]", "a TrafficPolicy has cors"),
    ),
    case(
        "a class of another controller is not",
        ingress_class("nginx", "k8s.io/ingress-nginx") + classed("nginx", f"{NGINX}/enable-cors=true"),
    ),
    case(
        "a class that is not known",
        classed("", f"{NGINX}/enable-cors=true").replace("{default", "{ingressClassName: [], default"),
        error("spec.ingressClassName", "expected"),
    ),
    case(
        "a class that could not be read",
        ingress_class("nginx", "k8s.io/ingress-nginx").replace("k8s.io/v1", "k8s.io/v11", 1)
        + classed("nginx", f"{NGINX}/enable-cors=true"),
        error("", "v11"),
    ),
    case(
        "a class of ours",
        ingress_class("nginx", "weft.dev/ingress") + classed("nginx", "traefik.ingress.kubernetes.io/router.tls=true"),
        warning("metadata.annotations[traefik.ingress.kubernetes.io/router.tls]", "served: router.tls"),
    ),
]


@table(CASES)
def test_annotations(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_what_is_long_is_cut_short(tmp_path: Path) -> None:
    found = faults_of(classed("", f"{NGINX}/{'x' * 900}=1"), tmp_path)
    assert [len(fault.message) < 200 for fault in found if "no effect here" in fault.message] == [True]


@pytest.mark.parametrize("field", sorted({field for names in FIELDS.values() for field in names.values()}))
def test_the_fields_are_those_of_a_traffic_policy(field: str) -> None:
    said: Any = TrafficPolicySpec
    for name in field.split("."):
        types = {each.encode_name: each.type for each in msgspec.structs.fields(said)}
        said = next((each for each in get_args(types[name]) if isinstance(each, type)), types[name])
