"""Filters made of policies."""

from __future__ import annotations

import random
from typing import Any

import pytest

from config.filters import (
    AccessPolicy,
    CORSPolicy,
    FaultAbort,
    FaultPolicy,
    HeaderEdits,
    HeaderPolicy,
    MirrorPolicy,
    RateLimitPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TLSPolicy,
    TokenBucketPolicy,
)
from config.meta import IntOrString
from config.policies import TargetRef, TimeoutPolicy, TrafficPolicySpec
from mesh.backend import Backend
from mesh.filters.chain import Filters, Passed
from mesh.filters.making import GROUPS, Where, filters_of
from mesh.filters.query import Reply
from mesh.filters.rate_limit import RateLimit
from tests.mesh.filters.asking import query
from tests.mesh.making import backend


class World:
    def __init__(self) -> None:
        self.asked: list[tuple[str, IntOrString | None]] = []
        self.found = backend()

    def backend(self, service: str, port: IntOrString | None) -> Backend:
        self.asked.append((service, port))
        return self.found

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        return RateLimit(policy)


def filters(where: Where = Where(), around: World | None = None, **said: Any) -> Filters | None:  # noqa: B008 - frozen
    return filters_of(TrafficPolicySpec(TargetRef("Service", "shop"), **said), where, around or World(), random.random)


def test_policies_about_endpoints_make_no_filters() -> None:
    assert filters() is None
    assert filters(timeouts=TimeoutPolicy(connect=3.0), via=False, tls=TLSPolicy(https_redirect=True)) is None


REFUSING: dict[str, tuple[Any, int]] = {
    "access": (AccessPolicy(deny=("192.0.2.1",)), 403),
    "redirect": (RedirectPolicy(path="/x", status=301), 301),
    "fault": (FaultPolicy(abort=FaultAbort(500)), 500),
    "max_request_bytes": (10, 413),
}


@pytest.mark.parametrize("group", REFUSING)
def test_groups_that_answer_themselves(group: str) -> None:
    policy, status = REFUSING[group]
    made = filters(**{group: policy})
    assert made is not None
    reply = made.request(query(length=11))
    assert isinstance(reply, Reply)
    assert reply.reason.status == status


def test_rate_limits_refuse_in_the_end() -> None:
    made = filters(rate_limit=RateLimitPolicy(TokenBucketPolicy(1)))
    assert made is not None
    assert [type(made.request(query())) for _ in range(2)] == [Passed, Reply]


def test_edits_rewrites_and_grants() -> None:
    made = filters(
        Where(b"/old"),
        headers=HeaderPolicy(HeaderEdits(add={"A": "b"}), HeaderEdits(set={"C": "d"})),
        rewrite=RewritePolicy(prefix="/new"),
        cors=CORSPolicy(("*",)),
    )
    assert made is not None
    passed = made.request(query("/old/x"))
    assert isinstance(passed, Passed)
    assert passed.lines == b"GET /new/x HTTP/1.1\r\nHost: shop.example\r\nA: b\r\n"
    assert made.response(query(), b"") == b"Access-Control-Allow-Origin: *\r\nC: d\r\n"


def test_redirects_replace_what_the_rule_matched() -> None:
    made = filters(Where(b"/old"), redirect=RedirectPolicy(prefix="/new"))
    assert made is not None
    reply = made.request(query("/old/x"))
    assert isinstance(reply, Reply)
    assert reply.fields == b"Location: http://shop.example/new/x\r\n"


def test_clients_are_sent_to_the_port_that_has_tls() -> None:
    made = filters(Where(https_port=8443))
    assert made is not None
    reply = made.request(query())
    assert isinstance(reply, Reply)
    assert reply.fields == b"Location: https://shop.example:8443/\r\n"


def test_splits_and_mirrors_find_their_services() -> None:
    world = World()
    made = filters(around=world, split=(SplitTarget("v1"), SplitTarget("v2", "http", 9)), mirror=MirrorPolicy("m", 80))
    assert world.asked == [("v1", None), ("v2", "http"), ("m", 80)]
    assert made is not None
    assert made.request(query()) == Passed(query().lines, world.found, 0.0, world.found)


def test_a_total_timeout_needs_filters() -> None:
    made = filters(timeouts=TimeoutPolicy(request=3.0), max_request_bytes=7)
    assert made is not None
    assert (made.timeout, made.most_bytes) == (3.0, 7)


def test_every_group_of_filters_is_a_group_of_policies() -> None:
    assert set(GROUPS) <= set(TrafficPolicySpec.__struct_fields__)
