"""What one Ingress makes: where its backends lead, its rules, and what is said of what cannot be found."""

from __future__ import annotations

import pytest

from config.ingress_class import Verdict
from config.resources.core import Service, ServicePort
from config.resources.networking import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    TypedLocalObjectReference,
)
from mesh.backend import Backend
from mesh.ingress_part import IngressPart, Resolver, part_steps
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.steps import run_to_end
from tests.mesh.making import Clock, backend, config, endpoints, ingress, ingress_backend, service

SHOP = service("shop", ServicePort(80, name="http"), ServicePort(53, name="dns", protocol="UDP"), ServicePort(53))
SERVICES = config(
    SHOP,
    service("games", ServicePort(7, protocol="UDP")),
).services
SERVED = Verdict(True)
ANY_KIND = "ImplementationSpecific"
BUCKET = IngressBackend(resource=TypedLocalObjectReference("Bucket", "images", "s3.example.com"))


def served(*keys: str) -> dict[BackendKey, Backend]:
    """The Backends of ports of the Service shop."""
    return {BackendKey("default", "shop", key): backend(*endpoints(1)) for key in keys}


def resolver() -> Resolver:
    return Resolver(SERVICES, served("http", "53"), Live(Clock()))


def make_part(written: Ingress, verdict: Verdict, asked: Resolver) -> IngressPart:
    return run_to_end(part_steps(written, verdict, asked))


@pytest.mark.parametrize(
    ("wanted", "key", "problem"),
    [
        ("shop:80", "default/shop:http", ""),
        ("shop:http", "default/shop:http", ""),
        ("shop:53", "default/shop:53", ""),
        ("shop:dns", "default/shop:dns/UDP", "port dns of Service shop is UDP, not TCP"),
        ("shop:81", "default/shop:81", "Service shop has no port 81"),
        ("shop:web", "default/shop:web", "Service shop has no port web"),
        ("games:7", "default/games:7/UDP", "port 7 of Service games is UDP, not TCP"),
        ("none:80", "default/none:80", "there is no Service none"),
    ],
)
def test_where_a_backend_leads(wanted: str, key: str, problem: str) -> None:
    known = served("http", "53")
    found = Resolver(SERVICES, known, Live(Clock())).target("default", ingress_backend(wanted))
    assert found.problem == problem
    if problem:
        assert (str(found.backend.key), found.backend.eligible) == (key, ())
        assert found.plan == found.backend.plan
    else:
        assert known[BackendKey("default", "shop", key.rpartition(":")[2])] is found.backend
        assert found.plan is None


def test_a_resource_cannot_be_served() -> None:
    found = resolver().target("default", BUCKET)
    assert (str(found.backend.key), found.problem) == ("default/Bucket/images:", "a Bucket cannot be served")


def test_who_asks_for_the_same_gets_the_same() -> None:
    asked = resolver()
    first, second = (asked.target("default", ingress_backend("none:80")).backend for _ in range(2))
    assert first is second
    assert asked.target("other", ingress_backend("none:80")).backend is not first


def path(kind: str, text: str, to: IngressBackend | None = None) -> HTTPIngressPath:
    return HTTPIngressPath(kind, to or ingress_backend("shop:80"), text)  # type: ignore[arg-type]


def rule_of(host: str, *paths: HTTPIngressPath) -> IngressRule:
    return IngressRule(host, HTTPIngressRuleValue(paths) if paths else None)


def lines(made: IngressPart) -> list[str]:
    rules = [*made.rules, *([made.fallback] if made.fallback else [])]
    return [f"{each} -> {each.to.backend.key.service}" for each in rules]


@pytest.mark.parametrize(
    ("written", "rules", "problems"),
    [
        pytest.param(
            ingress("i", rules=(rule_of("a.com", path("Exact", "/x"), path("Prefix", "/y/")),)),
            ["Exact a.com/x -> shop", "Prefix a.com/y/ -> shop"],
            [],
            id="paths",
        ),
        pytest.param(
            ingress("i", rules=(rule_of("", path(ANY_KIND, ""), path(ANY_KIND, "/y")),)),
            ["Prefix */ -> shop", "Prefix */y -> shop"],
            [],
            id="ImplementationSpecific is Prefix",
        ),
        pytest.param(ingress("i", default="shop:80"), ["Default * -> shop"], [], id="only a default"),
        pytest.param(
            ingress(
                "i",
                default="none:80",
                rules=(rule_of("a.com", path("Exact", "/x")), rule_of("*.b.com", path("Prefix", "/"))),
            ),
            [
                "Exact a.com/x -> shop",
                "Prefix *.b.com/ -> shop",
                "Default a.com -> none",
                "Default *.b.com -> none",
                "Default * -> none",
            ],
            ["spec.defaultBackend: there is no Service none: requests are answered with 503"],
            id="a default holds for its hosts, and for what meets nothing",
        ),
        pytest.param(
            ingress("i", default="shop:80", rules=(rule_of("a.com"),)),
            ["Prefix a.com/ -> shop", "Default a.com -> shop", "Default * -> shop"],
            [],
            id="a host without paths goes to the default",
        ),
        pytest.param(
            ingress("i", rules=(rule_of("a.com"), rule_of(""))),
            [],
            [
                "spec.rules[0]: host a.com has neither paths nor a defaultBackend",
                "spec.rules[1]: host * has neither paths nor a defaultBackend",
            ],
            id="a host with nothing",
        ),
        pytest.param(
            ingress("i", rules=(rule_of("", path("Exact", "/a", BUCKET), path("Exact", "/b")),)),
            ["Exact */a -> Bucket/images", "Exact */b -> shop"],
            ["spec.rules[0].http.paths[0].backend: a Bucket cannot be served: requests are answered with 503"],
            id="siblings of what cannot be served are served",
        ),
    ],
)
def test_rules_and_problems(written: Ingress, rules: list[str], problems: list[str]) -> None:
    made = make_part(written, SERVED, resolver())
    assert (lines(made), list(made.problems)) == (rules, problems)
    assert {each.owner for each in made.rules} <= {made.owner} == {"Ingress default/i"}


def test_one_that_is_not_served_has_no_rules() -> None:
    made = make_part(ingress("i", "Prefix / -> none:80", default="shop:80"), Verdict(False, "not ours"), resolver())
    assert (lines(made), made.own, made.problems) == ([], (), ())


def test_it_holds_as_long_as_what_it_was_made_of() -> None:
    written = ingress("i", "Prefix / -> shop:80", "Prefix /n -> none:80")
    made = make_part(written, SERVED, resolver())
    others = {**SERVICES, **config(service("unrelated")).services}
    assert made.holds(written, SERVED, others)
    assert not made.holds(ingress("i", "Prefix / -> shop:80"), SERVED, SERVICES)
    assert not made.holds(written, Verdict(True, "a remark"), SERVICES)
    for changed in (service("shop"), service("none")):
        assert not made.holds(written, SERVED, {**SERVICES, **config(changed).services})


@pytest.mark.parametrize(
    ("written", "has_hosts"),
    [
        (ingress("i", default="shop:80"), False),
        (ingress("i", "Prefix / -> shop:80"), False),
        (ingress("i", "Prefix / -> shop:80", "Prefix a.com/ -> shop:80"), True),
    ],
)
def test_has_hosts(written: Ingress, has_hosts: bool) -> None:
    assert make_part(written, SERVED, resolver()).has_hosts == has_hosts


def test_services_are_those_of_its_own_namespace() -> None:
    elsewhere: Service = service("shop", namespace="other")
    asked = Resolver(config(elsewhere).services, {}, Live(Clock()))
    assert asked.target("default", ingress_backend("shop:80")).problem == "there is no Service shop"


def test_rules_that_lead_to_one_backend_share_a_route() -> None:
    asked = resolver()
    first = make_part(ingress("a", "Prefix a.com/ -> shop:http", "Prefix b.com/ -> shop:http"), SERVED, asked)
    second = make_part(ingress("b", "Prefix c.com/ -> shop:80", "Prefix c.com/53 -> shop:53"), SERVED, asked)
    routes = [each.to for each in (*first.rules, *second.rules)]
    assert routes[0] is routes[1] is routes[2]
    assert routes[3] is not routes[0]
