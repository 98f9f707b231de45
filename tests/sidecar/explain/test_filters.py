"""What policies would do is asked of the filters themselves, and costs nobody a token."""

from __future__ import annotations

import pytest

from config.filters import (
    AccessPolicy,
    FaultAbort,
    FaultDelay,
    FaultPolicy,
    HeaderEdits,
    HeaderPolicy,
    MirrorPolicy,
    RateLimitPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TokenBucketPolicy,
    TracePolicy,
)
from config.meta import IntOrString
from config.policies import TargetRef, TrafficPolicySpec
from mesh.backend import Backend
from mesh.filters.chain import Filters
from mesh.filters.making import Where, filters_of
from mesh.filters.rate_limit import RateLimit
from mesh.plan import BackendKey
from sidecar.explain.filters import explain_filters
from sidecar.explain.question import parse_question
from tests.mesh.making import Clock

ASKED = parse_question("http://shop.example/cart?x=1", client="192.0.2.9")


class Around:
    def backend(self, service: str, port: IntOrString | None) -> Backend:
        return Backend(BackendKey("default", service, str(port or "http")), Clock())

    def rate_limit(self, policy: RateLimitPolicy) -> RateLimit:
        return RateLimit(policy)


def made(**groups: object) -> Filters:
    said = TrafficPolicySpec(TargetRef("Service", "shop"), **groups)  # type: ignore[arg-type]
    filters = filters_of(said, Where(), Around(), lambda: 0.5)
    assert filters is not None
    return filters


STEPS: dict[str, tuple[dict[str, object], list[str]]] = {
    "access": ({"access": AccessPolicy(allow=("192.0.2.0/24",))}, ["Access: lets it pass"]),
    "rate limit": (
        {"rate_limit": RateLimitPolicy(route=TokenBucketPolicy(requests=1))},
        ["RateLimit: counts this request; what is beyond it is answered 429"],
    ),
    "fault": (
        {"fault": FaultPolicy(delay=FaultDelay(0.2, 1.0), abort=FaultAbort(418, 5.0))},
        ["Fault: answers 418 to a share and delays a share by 0.2 s"],
    ),
    "rewrite": (
        {"rewrite": RewritePolicy(path="/new", host="b")},
        ["Rewrite: - GET /cart?x=1 HTTP/1.1; - Host: shop.example; + GET /new?x=1 HTTP/1.1; + Host: b"],
    ),
    "headers": (
        {"headers": HeaderPolicy(request=HeaderEdits(set={"X-A": "b", "Authorization": "hunter2"}))},
        ["Edits: + X-A: b; + Authorization: (hidden)"],
    ),
    "split": (
        {"split": (SplitTarget("new", weight=1), SplitTarget("old", weight=3))},
        ["Split: 75 % to default/old:http, 25 % to default/new:http"],
    ),
    "mirror": ({"mirror": MirrorPolicy("copy", percent=5.0)}, ["Mirror: copies 0.05 of all to default/copy:http"]),
    "nothing to change": ({"headers": HeaderPolicy()}, ["Edits: changes nothing"]),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps(name: str) -> None:
    groups, expected = STEPS[name]
    told = explain_filters(made(**groups), ASKED, 0.0)
    assert [f"{step['filter']}: {step['outcome']}" for step in told.steps] == expected
    assert told.reply is None


def test_a_trace_is_begun() -> None:
    (step,) = explain_filters(made(trace=TracePolicy()), ASKED, 0.0).steps
    assert step["outcome"].startswith("+ traceparent: 00-")


def test_most_requests_of_a_split_are_followed() -> None:
    backend = explain_filters(made(split=(SplitTarget("a"), SplitTarget("b", weight=2))), ASKED, 0.0).backend
    assert backend is not None
    assert backend.key.service == "b"


def test_an_answer_ends_the_way() -> None:
    groups = {
        "access": AccessPolicy(deny=("192.0.2.9",)),
        "redirect": RedirectPolicy(scheme="https"),
        "headers": HeaderPolicy(),
    }
    told = explain_filters(made(**groups), ASKED, 0.0)
    assert [step["filter"] for step in told.steps] == ["Access"]
    assert told.reply is not None
    assert told.reply.reason.status == 403
    redirected = explain_filters(made(redirect=RedirectPolicy(scheme="https")), ASKED, 0.0)
    assert redirected.steps[0]["outcome"].startswith("answers 302")
    assert "https://shop.example/cart?x=1" in redirected.steps[0]["outcome"]


def test_asking_takes_no_token() -> None:
    filters = made(rate_limit=RateLimitPolicy(client=TokenBucketPolicy(requests=1)))
    before = len(next(check for check in filters.checks if isinstance(check, RateLimit)))
    for _ in range(5):
        explain_filters(filters, ASKED, 0.0)
    assert len(next(check for check in filters.checks if isinstance(check, RateLimit))) == before
