"""Ingress v1: paths, precedence, hosts, backends, TLS and classes, from manifests to the rule that is met.

What Kubernetes leaves to the controller is decided here as README says, and has its row too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from tests.conformance.entrance import (
    HTTP,
    OLD,
    YOUNG,
    backend,
    compiled,
    errors,
    ingress,
    load,
    met,
    path,
    put_together,
    rule,
    state,
)  # fmt: skip

NOT_HERE = (
    ("HTTPRoute: hosts, order of rules, filters, limits, 500 for an invalid backend", "HTTPRoute comes later"),
    ("421 where SNI and Host belong to different listeners", "of Gateways; an Ingress picks each by its own name"),
    ("ports other than 443 for TLS", "NodeConfig says which port stands for 443"),
    ("a resource as a backend", "accepted and answered 503: there is no kind that could be served"),
)


class Row(NamedTuple):
    rules: tuple[str, ...]
    """Leading to a, b and so on; what meets none goes to d, the default."""
    requests: dict[str, str]
    """URL to Service."""


YES, NO = "a", "d"
PATHS = {
    "Prefix / takes everything": Row(("Prefix / a",), {"x.com/": YES, "x.com/any/thing": YES, "x.com/?q": YES}),
    "Exact is equal, with case and slash": Row(
        ("Exact /foo a",), {"x.com/foo": YES, "x.com/bar": NO, "x.com/foo/": NO, "x.com/Foo": NO, "x.com/foo/x": NO}
    ),
    "Exact with a slash is not without": Row(("Exact /foo/ a",), {"x.com/foo": NO, "x.com/foo/": YES}),
    "Prefix ignores a slash in the request": Row(("Prefix /foo a",), {"x.com/foo": YES, "x.com/foo/": YES}),
    "Prefix ignores a slash in the rule": Row(("Prefix /foo/ a",), {"x.com/foo": YES, "x.com/foo/": YES}),
    "Prefix is no prefix of an element": Row(("Prefix /aaa/bb a",), {"x.com/aaa/bbb": NO}),
    "Prefix goes by elements": Row(
        ("Prefix /aaa/bbb a",),
        {"x.com/aaa/bbb": YES, "x.com/aaa/bbb/": YES, "x.com/aaa/bbb/ccc": YES, "x.com/aaa/bbbxyz": NO},
    ),
    "Prefix with a slash takes what has none": Row(("Prefix /aaa/bbb/ a",), {"x.com/aaa/bbb": YES}),
    "Prefix minds case": Row(("Prefix /foo a",), {"x.com/FOO": NO}),
    "of Prefixes the longest": Row(
        ("Prefix / a", "Prefix /aaa b", "Prefix /aaa/bbb c"),
        {"x.com/aaa/bbb": "c", "x.com/aaa/ccc": "b", "x.com/ccc": "a"},
    ),
    "what no Prefix takes goes to the default backend": Row(("Prefix /aaa a",), {"x.com/ccc": "d"}),
    "Exact before Prefix of the same path": Row(
        ("Prefix /foo a", "Exact /foo b"), {"x.com/foo": "b", "x.com/foo/": "a"}
    ),
    "Exact before Prefix, however the request spells it": Row(
        ("Prefix /foo a", "Exact /foo b"), {"x.com/f%6Fo": "b", "x.com/foo?q": "b", "x.com/./foo": "b"}
    ),
    "the longest path before Exact": Row(("Exact /foo a", "Prefix /foo/bar b"), {"x.com/foo/bar": "b"}),
    "/foo and /foo/: the longer string for both": Row(
        ("Prefix /foo a", "Prefix /foo/ b"), {"x.com/foo": "b", "x.com/foo/": "b"}
    ),
    "/foo/ and /foo: whichever is written first": Row(
        ("Prefix /foo/ a", "Prefix /foo b"), {"x.com/foo": "a", "x.com/foo/": "a"}
    ),
    "decided: Exact /foo before Prefix /foo/": Row(
        ("Prefix /foo/ a", "Exact /foo b"), {"x.com/foo": "b", "x.com/foo/": "a"}
    ),
    "decided: ImplementationSpecific is Prefix": Row(
        ("ImplementationSpecific /foo a",), {"x.com/foo/bar": YES, "x.com/foobar": NO}
    ),
    "decided: escapes of unreserved characters are decoded": Row(
        ("Exact /foo a",), {"x.com/%66oo": YES, "x.com/f%6Fo": YES}
    ),
    "decided: %2F is no slash": Row(("Prefix /foo a",), {"x.com/foo%2Fbar": NO, "x.com/foo%2fbar": NO}),
    "decided: // stays": Row(("Prefix /foo a",), {"x.com//foo": NO, "x.com/foo//bar": YES}),
    "decided: dot segments are removed": Row(("Prefix /foo a",), {"x.com/x/../foo": YES, "x.com/foo/../x": NO}),
}
HOSTS = {
    "a precise host is equal": Row(("Prefix foo.com/ a",), {"foo.com/": YES, "FOO.com/": YES, "bar.com/": NO}),
    "a precise host is not its subdomains": Row(("Prefix foo.com/ a",), {"bar.foo.com/": NO}),
    "a wildcard is exactly one label": Row(
        ("Prefix *.foo.com/ a",), {"bar.foo.com/": YES, "baz.bar.foo.com/": NO, "foo.com/": NO, ".foo.com/": NO}
    ),
    "no host is any host": Row(("Prefix / a",), {"foo.com/": YES, "10.0.0.1/": YES, "[::1]/": YES}),
    "the host filters before the path": Row(
        ("Prefix /a/long/path a", "Prefix foo.com/ b"), {"foo.com/a/long/path": "b", "bar.com/a/long/path": "a"}
    ),
    "precise over wildcard over any": Row(
        ("Prefix / a", "Prefix *.foo.com/ b", "Prefix x.foo.com/ c"),
        {"x.foo.com/": "c", "y.foo.com/": "b", "foo.com/": "a"},
    ),
    "decided: what a precise host leaves goes to the wildcard, then to any": Row(
        ("Prefix /c a", "Prefix *.foo.com/b b", "Prefix x.foo.com/a c"),
        {"x.foo.com/a": "c", "x.foo.com/b": "b", "x.foo.com/c": "a", "x.foo.com/d": "d"},
    ),
}


@pytest.mark.parametrize("case", [*PATHS, *HOSTS])
def test_matching(case: str) -> None:
    row = (PATHS | HOSTS)[case]
    made = compiled(ingress(*row.rules, default="d"))
    assert {url: met(made, url) for url in row.requests} == row.requests


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "pathType is required": (
        {"rules": [{"http": {"paths": [{"path": "/", "backend": backend("a")}]}}]},
        "pathType",
    ),
    "pathType is one of three": ({"rules": [rule("Regex", "/", "a")]}, "pathType"),
    "an Exact path begins with a slash": ({"rules": [path("Exact", "foo")]}, "begin with '/'"),
    "a Prefix path begins with a slash": ({"rules": [path("Prefix", "")]}, "begin with '/'"),
    "`*` alone is no host": ({"rules": [rule("Prefix", "*/", "a")]}, "host"),
    "a wildcard in the midst is no host": ({"rules": [rule("Prefix", "a.*.com/", "a")]}, "host"),
    "an address is no host": ({"rules": [rule("Prefix", "10.0.0.1/", "a")]}, "is an address"),
    "a host has no port": ({"rules": [rule("Prefix", "foo.com:80/", "a")]}, "has a port"),
    "without rules a defaultBackend is mandatory": ({}, "defaultBackend is needed"),
    "a backend is a Service or a resource, not both": (
        {"defaultBackend": {**backend("a"), "resource": {"kind": "Bucket", "name": "b"}}},
        "exactly one of",
    ),
    "a port is a name or a number, not both": (
        {"defaultBackend": {"service": {"name": "a", "port": {"name": "http", "number": 80}}}},
        "exactly one of",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    spec, words = REFUSED[case]
    found = errors(ingress(**spec))
    assert len(found) == 1
    assert words in found[0]


def test_all_three_types_are_accepted() -> None:
    made = compiled(ingress("Exact /a a", "Prefix /b b", "ImplementationSpecific /c c"))
    assert (state(made), met(made, "x/a"), met(made, "x/b"), met(made, "x/c")) == ("accepted", "a", "b", "c")


def test_a_backend_is_a_port_by_name_or_number() -> None:
    made = compiled(ingress("Exact /name a:admin", "Exact /number b:81"))
    assert (met(made, "x/name"), met(made, "x/number")) == ("a:admin", "b:admin")


def test_without_rules_the_default_backend_gets_all() -> None:
    made = compiled(ingress(default="b"))
    assert {met(made, url) for url in ("x.com/", "y.com/z", "10.0.0.1/")} == {"b"}


def test_unmatched_without_a_default_backend_is_the_controllers() -> None:
    assert met(compiled(ingress("Exact foo.com/a a")), "foo.com/b") == "404"


def test_a_backend_is_of_the_ingress_own_namespace() -> None:
    [found] = errors({**ingress("Prefix / a"), "metadata": {"name": "i", "namespace": "other"}})
    assert "a reference stays in its own" in found


def test_siblings_of_a_backend_that_went_are_served() -> None:
    config_set = load(ingress("Exact /a a", "Exact /b b"))[0]
    left = {named: each for named, each in config_set.services.items() if named.name != "a"}
    made = put_together(replace(config_set, services=left))
    routes = made.table.listeners[HTTP].routes
    assert routes is not None
    found = {path: route for path in ("/a", "/b") if (route := routes.match(b"x", path.encode()))}
    assert {path: len(route.backend.eligible) for path, route in found.items()} == {"/a": 0, "/b": 1}
    assert state(made) == "degraded"


def ingress_class(name: str, controller: str, default: bool = False) -> dict[str, Any]:
    notes = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}} if default else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name, **notes},
        "spec": {"controller": controller},
    }


def of_class(name: str) -> dict[str, Any]:
    return ingress("Prefix / a", ingressClassName=name)


def annotated(name: str) -> dict[str, Any]:
    made = ingress("Prefix / a")
    made["metadata"]["annotations"] = {"kubernetes.io/ingress.class": name}
    return made


OURS, THEIRS = "weft.dev/ingress", "k8s.io/ingress-nginx"
CLASSES = {
    "without a class it is served": ((ingress("Prefix / a"),), True),
    "ingressClassName weft is served": ((of_class("weft"),), True),
    "a class of our controller is served": ((of_class("mesh"), ingress_class("mesh", OURS)), True),
    "a class of another controller is not": ((of_class("nginx"), ingress_class("nginx", THEIRS)), False),
    "a class without an IngressClass is served here": ((of_class("nginx"),), True),
    "the older annotation is honoured": ((annotated("nginx"), ingress_class("nginx", THEIRS)), False),
    "a default class that is another's takes those without": (
        (ingress("Prefix / a"), ingress_class("nginx", THEIRS, default=True)),
        False,
    ),
    "a default class that is ours takes those without": (
        (ingress("Prefix / a"), ingress_class("mesh", OURS, default=True)),
        True,
    ),
}


@pytest.mark.parametrize("case", CLASSES)
def test_classes(case: str) -> None:
    objects, served = CLASSES[case]
    made = compiled(*objects)
    assert (HTTP in made.table.listeners) == served
    assert state(made) == ("accepted" if served else "pending")


def test_of_two_default_classes_none_is_taken() -> None:
    classes = [ingress_class(name, OURS, default=True) for name in ("one", "two")]
    [found] = errors(ingress("Prefix / a"), *classes)
    assert found.startswith("spec.ingressClassName")
    assert state(compiled(of_class("one"), *classes)) == "accepted"
    both = load(*classes)[0].ingress_classes  # as when the second comes later
    made = put_together(replace(load(ingress("Prefix / a"))[0], ingress_classes=both))
    assert (state(made), HTTP in made.table.listeners) == ("pending", False)


TIES = {
    "same host and path in two objects: the older one": (
        ingress("Exact x/a a", name="a", created=YOUNG),
        ingress("Exact x/a b", name="b", created=OLD),
        "b",
        "a",
    ),
    "of one age: the first by name": (ingress("Exact x/a b", name="b"), ingress("Exact x/a a", name="a"), "a", "b"),
}


@pytest.mark.parametrize("case", TIES)
def test_ties(case: str) -> None:
    first, second, winner, loser = TIES[case]
    for objects in ((first, second), (second, first)):
        made = compiled(*objects)
        assert met(made, "x/a") == winner
        assert (state(made, winner), state(made, loser)) == ("accepted", "pending"), "the loser is told"
