"""The whole way of a request, and of one that was."""

from __future__ import annotations

import dataclasses
import json
import ssl
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.balancing import BalancerPolicy
from config.filters import AccessPolicy, HeaderEdits, HeaderPolicy, SplitTarget
from config.meta import Named, ObjectMeta
from config.policies import RetryPolicy, TargetRef, TimeoutPolicy, TrafficPolicy, TrafficPolicySpec
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec
from discovery.endpoint import WorkloadRef
from mesh.access_log import AccessRecord
from mesh.backend import Backend
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.listener import ListenerState
from mesh.plan import BackendKey
from mesh.table import ListenerKey
from mesh.tls.names import Certificate, Passage, ServerNames
from mesh.waiting import WaitingRoom
from sidecar.explain.explanation import MOST_LOST_RULES, Known, explain_record, explain_rules
from tests.mesh.making import Clock, config, endpoint, endpoints, ingress, policy, service
from tests.sidecar.explaining import explained, known

SHOP = service("shop")
EMPTY = service("empty", cluster_ip="127.96.0.2")
FRONT = ingress("front", "Prefix shop.example/ -> shop:http", "Exact shop.example/none -> empty:http")
KEY = ListenerKey("127.96.0.1", 80)


def world(*more: Any, **states: Any) -> Known:
    return known(config(SHOP, EMPTY, FRONT, *more), shop={"http": endpoints(2)}, **states)


VERDICTS = {
    "a Service": ("http://127.96.0.1/", "goes to 10.0.0.0:8080 of default/shop:http", True),
    "by rule": ("http://shop.example/a", "goes to 10.0.0.0:8080 of default/shop:http", True),
    "no endpoint": ("http://shop.example/none", "503: default/empty:http has no endpoint", False),
    "no rule": ("http://other.example/a", "404: nothing is served here for host other.example and path /a", False),
    "no listener": ("http://127.0.0.9:1/", "no connection: nothing is served at 127.0.0.9:1", False),
    "no TLS": ("https://127.0.0.1:8080/", "no connection: 127.0.0.1:8080 speaks HTTP without TLS: ask by http", False),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name: str) -> None:
    url, verdict, reached = VERDICTS[name]
    told = explained(url, world())
    assert told["verdict"].startswith(verdict)
    assert told["reached"] is reached
    assert json.loads(msgspec.json.encode(told))


SLEEPS = {
    "asleep": (
        True,
        "waits: default/empty:http has no endpoint yet: the Service is scaled to zero; a request wakes it",
    ),
    "waking": (False, "waits: default/empty:http has no endpoint yet: its first replica is starting"),
}


@pytest.mark.parametrize("name", SLEEPS)
def test_a_service_that_sleeps(name: str) -> None:
    zero, verdict = SLEEPS[name]
    there = world()
    backend = next(backend for backend in there.compiled.backends.values() if backend.key.service == "empty")
    backend._asleep = lambda _: zero
    backend._room = WaitingRoom(lambda _: WorkloadRef("Deployment", "default", "empty"))
    assert explained("http://shop.example/none", there)["verdict"] == verdict
    backend._room.held = lambda _: "dry run"
    verdict = explained("http://shop.example/none", there)["verdict"]
    assert verdict.startswith("503: default/empty:http has no endpoint")
    assert verdict.endswith("; no request wakes it: dry run")


def test_rules_are_tried_and_at_most_one_won() -> None:
    told = explained("http://shop.example/none", world())
    assert [(rule["rule"], rule["won"]) for rule in told["rules"]] == [
        ("Exact shop.example/none", True),
        ("Prefix shop.example/", False),
    ]
    assert "Exact shop.example/none matches, and is longer" in told["rules"][1]["why"]


def test_rules_that_lost_are_not_told_without_end() -> None:
    many = ingress("many", *(f"Exact shop.example/{number} -> shop:http" for number in range(300)))
    told = explained("http://shop.example/299", world(many))
    assert len(told["rules"]) == MOST_LOST_RULES + 1
    assert told["rules"][0]["won"]
    assert told["ruleCount"] == 302


@given(st.sampled_from(["a.example", "b.a.example", "A.example.", "x", ""]), st.sampled_from(["/", "/0", "/1/2", "/9"]))
def test_what_wins_is_what_the_matcher_finds(host: str, target: str) -> None:
    places = ("a.example/", "*.a.example/1", "a.example/0", "/1", "other.example/", "b.a.example/1/2")
    rules = [f"{kind} {place} -> shop:http" for kind in ("Prefix", "Exact") for place in places]
    routes = world(ingress("many", *rules)).compiled.table.listeners[ListenerKey("127.0.0.1", 8080)].routes
    assert routes is not None
    won = [trial.rule.to for trial in explain_rules(routes, host.encode(), target.encode()) if trial.won]
    assert won == [found for found in [routes.match(host.encode(), target.encode())] if found]


def test_very_many_rules_and_endpoints_are_told_quickly() -> None:
    rules = [f"Prefix h{number}.example/{path} -> shop:http" for number in range(500) for path in range(10)]
    written = config(SHOP, *(ingress(f"i{start}", *rules[start : start + 500]) for start in range(0, 5000, 500)))
    there = known(written, shop={"http": endpoints(5000)})
    took = []
    for _ in range(5):
        began = time.perf_counter()
        told = explained("http://h250.example/7", there)
        took.append(time.perf_counter() - began)
    assert (told["ruleCount"], told["endpointCount"], len(told["endpoints"])) == (5000, 5000, 100)
    assert min(took) < 0.05, "some milliseconds on an idle machine"


def test_endpoints_that_may_not_be_picked() -> None:
    there = known(config(SHOP), shop={"http": (endpoint(0, ready=False), endpoint(1, ready=False))})
    told = explained("http://shop/", there)
    assert told["verdict"] == "503: none of the 2 endpoints of default/shop:http may be picked"
    assert [each["eligible"] for each in told["endpoints"]] == [False, False]


def test_a_name_without_addresses() -> None:
    outside = service("outside", type="ExternalName", external_name="out.example")
    there = known(config(outside, ingress("out", "Prefix out.test/ -> outside:http")))
    missing = "502: default/outside:http has no endpoint: the name that the Service stands for does not resolve"
    assert explained("http://out.test/", there)["verdict"] == missing


def test_lots_have_no_pick() -> None:
    told = explained("http://shop/", world(policy("p", "shop", balancer=BalancerPolicy(type="Random"))))
    assert told["verdict"] == "goes to an endpoint of default/shop:http that is drawn by lot"
    assert told["balancer"]["type"] == "Random"


def test_where_it_is_really_served_and_the_remedy() -> None:
    reason = "port 80 needs a right that weft does not have: allow it with `sysctl`"
    state = ListenerState(bound=ListenerKey("127.96.0.1", 8080), reason=reason)
    told = explained("http://shop/", world(states={KEY: state}))
    assert told["listener"]["served"] == "127.96.0.1:8080"
    assert told["listener"]["note"] == f"served at 127.96.0.1:8080 ({reason})"


def test_policies_of_service_port_and_ingress() -> None:
    of_ingress = TrafficPolicy(
        ObjectMeta("front-policy", "default"),
        TrafficPolicySpec(TargetRef("Ingress", "front"), timeouts=TimeoutPolicy(response_head=7.0)),
    )
    more = (
        policy("whole", "shop", retries=RetryPolicy(attempts=5)),
        policy("by-name", "shop", "http", timeouts=TimeoutPolicy(connect=3.0)),
        policy("by-number", "shop", "80", via=False),
        policy("another", "shop", "other"),
        policy("elsewhere", "empty"),
        of_ingress,
    )
    direct = explained("http://shop/", world(*more))
    assert {each["name"] for each in direct["policies"]} == {"whole", "by-name", "by-number"}
    assert direct["policies"][0]["says"] == {"retries": {"attempts": 5}}
    assert (direct["timeouts"]["connect"], direct["retries"]["attempts"]) == (3.0, 5)
    by_rule = explained("http://shop.example/", world(*more))
    assert by_rule["policies"][0]["name"] == "front-policy"
    assert by_rule["timeouts"]["responseHead"] == 7.0


def test_policies_where_a_split_decides() -> None:
    """Requests keep the manner of the Service that splits, as `mesh.exchange` carries them; connections do not."""
    splitting = policy(
        "splits", "shop", split=(SplitTarget("other"),), retries=RetryPolicy(attempts=5),
        timeouts=TimeoutPolicy(connect=3.0, idle=7.0),
    )  # fmt: skip
    own = policy("own", "other", timeouts=TimeoutPolicy(connect=4.0, idle=8.0))
    there = world(splitting, own, service("other", cluster_ip="127.96.0.3"))
    by_http, by_tcp = explained("http://shop/", there), explained("tcp://shop:80", there)
    assert by_http["backend"]["service"] == by_tcp["backend"]["service"] == "other"
    assert [each["name"] for each in by_http["policies"]] == ["splits", "own"]
    assert [(told["timeouts"]["connect"], told["timeouts"]["idle"]) for told in (by_http, by_tcp)] == [(4, 7), (4, 8)]
    assert [told["retries"]["attempts"] for told in (by_http, by_tcp)] == [5, 2]


def test_a_policy_that_refuses() -> None:
    refusing = policy("closed", "shop", access=AccessPolicy(deny=("127.0.0.0/8",)))
    told = explained("http://shop/", world(refusing))
    assert told["verdict"].startswith("403: ")
    assert not told["reached"]
    assert told["filters"][0]["filter"] == "Access"
    assert explained("http://shop/", world(refusing), client="10.0.0.1")["reached"]


def test_no_secret_is_told() -> None:
    edits = HeaderEdits(set={"Authorization": "hunter2"})
    told = explained("http://shop/", world(policy("p", "shop", headers=HeaderPolicy(request=edits))))
    assert "hunter2" not in msgspec.json.encode(told).decode()


def test_the_budget_that_is_left() -> None:
    there = world()
    backend = there.compiled.table.listeners[KEY].route.backend
    backend.stats.in_flight = 100
    backend.retry_budget.running = 5
    assert explained("http://shop/", there)["retries"]["left"] == 15


@pytest.mark.parametrize(
    ("reason", "verdict", "reached"),
    [
        ("", "was answered 502 by 10.0.0.0:8080", True),
        ("connection_refused", "was answered 502 by the proxy (connection_refused)", False),
    ],
)
def test_an_exchange_that_was(reason: str, verdict: str, reached: bool) -> None:
    there = world()
    record = AccessRecord(
        1.0, "127.0.0.1", "127.96.0.1:80", "default", "shop", "http", "", "GET", "/", 502, reason, "10.0.0.0:8080"
    )
    backend = there.compiled.table.listeners[KEY].route.backend
    told = explain_record(record, backend, there)
    assert (told["verdict"], told["reached"], len(told["endpoints"])) == (verdict, reached, 2)
    assert "endpoints" not in explain_record(record, None, there)


def test_a_health_check_node_port() -> None:
    local = service(
        "local", cluster_ip="127.96.0.3", type="LoadBalancer", external_traffic_policy="Local",
        health_check_node_port=32000,
    )  # fmt: skip
    written = config(local, node=NodeConfigSpec(node_name="here"))
    for node, verdict in (("here", "200: a healthCheckNodePort"), ("there", "503: a healthCheckNodePort")):
        there = known(written, local={"http": (endpoint(0, node=node),)})
        assert explained("http://127.0.0.1:32000/", there)["verdict"].startswith(verdict)


CERTIFICATE = Certificate(Named("default", "shop-tls"), ("shop.example",), 2e9, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


@pytest.mark.parametrize(
    ("host", "verdict", "secret"),
    [
        ("shop.example", "goes to 10.0.0.0:8080 of default/shop:http", "default/shop-tls"),
        ("raw.example", "503: default/raw:tls has no endpoint", None),
        ("shut.example", "no connection: this client is not allowed here", None),
        ("odd.example", "404: nothing is served here for host odd.example and path /", ""),
        ("none.example", "no connection: there is no certificate for none.example", None),
    ],
)
def test_tls(host: str, verdict: str, secret: str | None) -> None:
    there = world()
    raw = Backend(BackendKey("default", "raw", "tls"), Clock())
    nobody = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("0.0.0.0/0", "::/0"))))
    names = ServerNames(
        {
            "shop.example": CERTIFICATE,
            "odd.example": dataclasses.replace(CERTIFICATE, secret=Named("", "")),
            "raw.example": Passage(raw),
            "shut.example": Passage(raw, nobody),
        }
    )
    door = there.compiled.table.listeners[ListenerKey("127.0.0.1", 8080)]
    secure = replace(door, key=ListenerKey("127.0.0.1", 8443), protocol="https", tls=names)
    table = there.compiled.table
    listeners = {**table.listeners, secure.key: secure}
    compiled = dataclasses.replace(there.compiled, table=dataclasses.replace(table, listeners=listeners))
    told = explained(f"https://{host}/", there._replace(compiled=compiled))
    assert told["verdict"] == verdict
    assert (told.get("certificate") or {}).get("secret") == secret
    plain = explained("http://127.0.0.1:8443/", there._replace(compiled=compiled))
    assert plain["verdict"] == "no connection: 127.0.0.1:8443 speaks TLS: ask by https://"


def test_a_headless_name_says_what_is_missing() -> None:
    written = config(service("db", ServicePort(5432), cluster_ip="None"))
    for port in (80, 5432):
        verdict = explained(f"http://db:{port}/", known(written))["verdict"]
        assert "Service default/db is headless, which has no port here: DNS answers" in verdict
        assert "serves no port" not in verdict


def test_an_external_name_says_how_it_is_found() -> None:
    written = config(service("pay", ServicePort(8080), type="ExternalName", external_name="pay.example"))
    verdict = explained("http://pay:8080/", known(written))["verdict"]
    assert verdict.startswith("no connection: Service default/pay is an ExternalName")
    assert "DNS answers its name with a CNAME to pay.example" in verdict
