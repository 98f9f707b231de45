"""The text says what the data says, the verdict first."""

from __future__ import annotations

import io
import re

import pytest

from config.balancing import BackendLimits, LimitPolicy
from config.policies import RetryPolicy
from mesh import reasons
from mesh.access_log import AccessRecord
from sidecar.explain.explanation import explain_record
from sidecar.explain.text import COMMON, MOST_RULES, render, told_reason
from sidecar.terminal import Painter
from tests.mesh.making import config, endpoint, ingress, policy, service
from tests.sidecar.explaining import explained, known

PLAIN = Painter(io.StringIO())


def test_all_parts_have_a_line() -> None:
    said = policy(
        "p", "shop", "http", retries=RetryPolicy(on=()), limits=LimitPolicy(backend=BackendLimits(requests=5))
    )
    written = config(service("shop"), said, ingress("front", "Prefix a.example/ -> shop:http", default="shop:http"))
    there = known(written, shop={"http": (endpoint(0, replica_id="shop-1"), endpoint(1, ready=False))})
    lines = render(explained("http://a.example/x", there), PLAIN).splitlines()
    assert lines[0] == "goes to 10.0.0.0:8080 of default/shop:http"
    text = "\n".join(re.sub(" +", " ", line).strip() for line in lines)
    for part in (
        "request GET /x, Host a.example",
        "the name is taken to lead to the address of all Ingresses, 127.0.0.1:8080",
        "listener 127.0.0.1:8080, Ingress, http",
        "rules won Prefix a.example/ of Ingress default/front: it matches, and nothing that matches comes before it",
        "lost Default * of Ingress default/front: Prefix a.example/ matches",
        "backend default/shop:http",
        "policy default/p port http of Service/default/shop ():",
        "endpoints yes 10.0.0.0:8080 shop-1: may be picked",
        "no 10.0.0.1:8080: not ready: its probe, container or EndpointSlice says so",
        "pick 10.0.0.0:8080: the only one that may be picked",
        "timeouts connect 1 s, clientHead 10 s, responseHead 60 s, idle 60 s, tunnelIdle 3600 s, request none",
        "retries 2 more tries on nothing",
        "budget 3 left for retries now, 0 running (20 % of the requests in flight, at least 3)",
        "limits 0 in flight, 0 waiting; at most 5 requests in all",
    ):
        assert part in text


def test_rules_beyond_the_most_are_counted() -> None:
    many = ingress("many", *(f"Exact a.example/{number} -> shop:http" for number in range(MOST_RULES + 5)))
    there = known(config(service("shop"), many))
    text = render(explained("http://b.example/", there), PLAIN)
    assert text.count("lost Exact") == MOST_RULES
    assert "and 5 more that lost; --json shows more of them" in text


def test_an_exchange_that_was() -> None:
    record = AccessRecord(
        1.0, "192.0.2.1", "127.96.0.1:80", "default", "shop", "http", "a", "GET", "/x", 502, "connection_refused",
        "10.0.0.1:80", tries=3, seconds=0.25,
    )  # fmt: skip
    text = render(explain_record(record, None, known(config())), PLAIN)
    assert text.startswith("was answered 502 by the proxy (connection_refused)")
    for part in ("GET a/x", "192.0.2.1 to 127.96.0.1:80", "10.0.0.1:80, try 3", "the endpoint refused", "250.0 ms"):
        assert part in text


REASONS = [each for each in vars(reasons).values() if isinstance(each, reasons.Reason) and each.error]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained_by_one_text(reason: reasons.Reason) -> None:
    texts = {each.details for each in REASONS if (each.error, each.status) == (reason.error, reason.status)}
    assert told_reason(reason.error, reason.status) == (COMMON[reason.error] if len(texts) > 1 else reason.details)
    everywhere = {each.details for each in REASONS if each.error == reason.error}
    assert told_reason(reason.error, 0) == (COMMON[reason.error] if len(everywhere) > 1 else reason.details)


def test_a_code_that_nobody_knows() -> None:
    assert told_reason("from_the_future", 503) == "unknown"


def test_a_503_that_was_has_one_reason_and_endpoints_of_now() -> None:
    there = known(config(service("shop")), shop={"http": (endpoint(0),)})
    (backend,) = there.compiled.backends.values()
    record = AccessRecord(
        1.0, "192.0.2.1", "127.96.0.1:80", "default", "shop", "http", "", "GET", "/", 503, "destination_unavailable"
    )
    lines = [
        re.sub(" +", " ", line).strip() for line in render(explain_record(record, backend, there), PLAIN).split("\n")
    ]
    assert "reason destination_unavailable: the Service has no ready endpoint" in lines
    (marked,) = (number for number, line in enumerate(lines) if line.startswith("now these are the endpoints"))
    assert lines[marked + 1].startswith("endpoints yes 10.0.0.0:8080")
    assert "now " not in render(explained("http://127.96.0.1/", there), PLAIN).replace("left for retries now", "")


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        ("default/shop-tls", "tls the certificate is that of Secret default/shop-tls for a.example"),
        ("", "tls the certificate is weft's own, which no client trusts, for a.example"),
    ],
)
def test_certificates(secret: str, line: str) -> None:
    told = {"verdict": "", "certificate": {"secret": secret, "names": ["a.example"]}}
    assert re.sub(" +", " ", render(told, PLAIN).splitlines()[1]).strip() == line
