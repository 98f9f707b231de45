"""TrafficPolicies of a real ``weft up``: a Service, an Ingress, and replicas that tell what they were sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.manifests import deployment, policy, service
from tests.scenarios.weft import Answer, Weft, ask
from tests.scenarios.world import weft_up

HTTP = {"http": 8080}
PAGE = "https://page.example"


def ingress(name: str, *paths: tuple[str, str, str]) -> dict[str, Any]:
    """An Ingress of hosts, paths and Services."""
    rules = [
        {
            "host": host,
            "http": {
                "paths": [
                    {"path": path, "pathType": "Prefix", "backend": {"service": {"name": to, "port": {"name": "http"}}}}
                ]
            },
        }
        for host, path, to in paths
    ]
    meta = {"name": name}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": {"rules": rules}}


def of_ingress(name: str, **spec: object) -> dict[str, Any]:
    made = policy(f"of-{name}", **spec)
    made["spec"]["targetRef"] = {"kind": "Ingress", "name": name}
    return made


@pytest.fixture(scope="module")
def weft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weft]:
    objects = (
        deployment("stable", 1),
        deployment("canary", 1),
        service("stable", HTTP, app="stable"),
        service("canary", HTTP, app="canary"),
        service("mixed", HTTP, app="stable"),
        policy(
            "mixed",
            split=[{"service": "stable", "weight": 3}, {"service": "canary", "weight": 1}],
            headers={"request": {"set": {"X-Tenant": "a"}}, "response": {"add": {"X-Served-By": "weft"}}},
        ),
        service("limited", HTTP, app="stable"),
        policy("limited", rateLimit={"client": {"requests": 3, "per": "1h"}}),
        ingress("site", ("site.test", "/old", "stable"), ("site.test", "/api", "stable")),
        of_ingress(
            "site",
            rewrite={"prefix": "/new"},
            cors={"allowOrigins": [PAGE], "allowMethods": ["PUT"]},
            maxRequestBytes=10,
        ),
        ingress("slow", ("slow.test", "/", "stable")),
        of_ingress("slow", timeouts={"request": "200ms"}),
        ingress("gone", ("gone.test", "/", "stable")),
        of_ingress("gone", redirect={"host": "site.test", "prefix": "/old", "status": 308}),
        ingress("closed", ("closed.test", "/", "stable")),
        of_ingress("closed", access={"allow": ["192.0.2.0/24"]}),
        ingress("broken", ("broken.test", "/", "stable")),
        of_ingress("broken", fault={"abort": {"status": 503}}),
    )
    with weft_up(tmp_path_factory.mktemp("policies"), *objects) as weft:
        yield weft


def site(weft: Weft, host: str, path: str = "/", method: str = "GET", **fields: str) -> Answer:
    return ask(f"{weft.network.node}:8080", path, method, Host=host, **fields)


def test_all_policies_are_in_force(weft: Weft) -> None:
    assert "not carried out" not in weft.told()


def test_a_split_shares_requests_and_edits_them(weft: Weft) -> None:
    served = Counter[str]()
    for _ in range(80):
        answer = ask(weft.address("mixed"))
        assert answer.status == 200
        assert answer.fields["x-served-by"] == "weft"
        assert "X-Tenant: a" in answer.json["lines"]
        served[answer.json["replica"].partition("-")[0]] += 1
    assert served["stable"] > served["canary"] > 0


def test_a_rate_limit_answers_429(weft: Weft) -> None:
    address = weft.address("limited")
    answers = [ask(address) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert 0 < int(answers[-1].fields["retry-after"]) <= 1200
    assert answers[-1].fields["ratelimit-policy"] == '"client";q=3;w=3600'


def test_an_ingress_rewrites_what_its_rules_match(weft: Weft) -> None:
    assert site(weft, "site.test", "/old/a?b=c").json["target"] == "/new/a?b=c"
    assert site(weft, "site.test", "/api").json["target"] == "/new"
    assert ask(weft.address("stable"), "/old/a").json["target"] == "/old/a"


def test_a_browser_may_ask_before_and_read_after(weft: Weft) -> None:
    before = site(
        weft, "site.test", "/api", "OPTIONS", Origin=PAGE, Access_Control_Request_Method="PUT"
    )  # what a browser sends first
    assert before.status == 204
    assert before.fields["access-control-allow-origin"] == PAGE
    assert before.fields["access-control-allow-methods"] == "PUT"
    after = site(weft, "site.test", "/api", "PUT", Origin=PAGE)
    assert after.status == 200
    assert after.fields["access-control-allow-origin"] == PAGE
    other = site(weft, "site.test", "/api", "PUT", Origin="https://evil.example")
    assert "access-control-allow-origin" not in other.fields


def test_a_request_has_its_time_and_its_size(weft: Weft) -> None:
    assert site(weft, "slow.test", "/slow?ms=5000").status == 504
    assert site(weft, "site.test", "/api", "PUT", Content_Length="11").status == 413


def test_redirects_access_and_faults(weft: Weft) -> None:
    gone = site(weft, "gone.test", "/a?b")
    assert (gone.status, gone.fields["location"]) == (308, "http://site.test/old/a?b")
    assert site(weft, "closed.test").status == 403
    assert site(weft, "broken.test").status == 503
