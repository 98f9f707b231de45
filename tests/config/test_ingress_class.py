"""Which Ingresses are served here."""

from __future__ import annotations

import pytest

from config.ingress_class import default_classes, verdict
from config.resources.networking import CLASS_ANNOTATION, Ingress, IngressClass
from tests.mesh.making import config, ingress, ingress_class

NGINX = ingress_class("nginx", "k8s.io/ingress-nginx")
OURS = ingress_class("mesh")
DEFAULT_NGINX = ingress_class("nginx", "k8s.io/ingress-nginx", default=True)
DEFAULT_OURS = ingress_class("mesh", default=True)


def of_class(name: str) -> Ingress:
    return ingress("i", ingress_class_name=name)


@pytest.mark.parametrize(
    ("written", "classes", "served", "remark"),
    [
        pytest.param(ingress("i"), [], True, "", id="no class"),
        pytest.param(ingress("i"), [NGINX, OURS], True, "", id="no class, and none is the default"),
        pytest.param(ingress("i"), [DEFAULT_OURS], True, "", id="the default class is ours"),
        pytest.param(
            ingress("i"),
            [DEFAULT_NGINX],
            False,
            "its class nginx is served by k8s.io/ingress-nginx, not by weft.dev/ingress",
            id="the default class is another's",
        ),
        pytest.param(
            ingress("i"),
            [DEFAULT_NGINX, DEFAULT_OURS],
            False,
            "it names no class, and there are several default ones: mesh, nginx",
            id="two defaults",
        ),
        pytest.param(of_class("weft"), [], True, "", id="weft"),
        pytest.param(of_class("weft"), [DEFAULT_NGINX, DEFAULT_OURS], True, "", id="weft beside two defaults"),
        pytest.param(of_class("mesh"), [NGINX, OURS], True, "", id="a class of our controller"),
        pytest.param(
            of_class("nginx"),
            [NGINX, OURS],
            False,
            "its class nginx is served by k8s.io/ingress-nginx, not by weft.dev/ingress",
            id="a class of another controller",
        ),
        pytest.param(
            of_class("nginx"),
            [],
            True,
            "there is no IngressClass nginx: it is served as if the class were weft",
            id="a class that nobody describes",
        ),
        pytest.param(ingress("i", annotations={CLASS_ANNOTATION: "weft"}), [NGINX], True, "", id="older annotation"),
        pytest.param(
            ingress("i", annotations={CLASS_ANNOTATION: "nginx"}),
            [NGINX],
            False,
            "its class nginx is served by k8s.io/ingress-nginx, not by weft.dev/ingress",
            id="older annotation, another's",
        ),
        pytest.param(
            ingress("i", annotations={CLASS_ANNOTATION: "nginx"}, ingress_class_name="mesh"),
            [NGINX, OURS],
            True,
            "",
            id="the field wins over the annotation",
        ),
    ],
)
def test_verdict(written: Ingress, classes: list[IngressClass], served: bool, remark: str) -> None:
    known = config(*classes).ingress_classes
    assert verdict(written, known, default_classes(known)) == (served, remark)
