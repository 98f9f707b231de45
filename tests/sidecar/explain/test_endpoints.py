"""The reason for each endpoint, and that it is never at odds with what the data plane does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.balancing import EndpointLimits, HealthCheckPolicy, LimitPolicy
from discovery.endpoint import Endpoint, Hints
from mesh.backend import Backend
from mesh.eligibility import Rules
from sidecar.explain.endpoints import endpoint_verdicts
from tests.mesh.making import KEY, Clock, endpoint, plan


def made(*there: Endpoint, clock: Clock | None = None, **fields: object) -> Backend:
    backend = Backend(KEY, clock or Clock())
    backend.apply(plan(*there, **fields))
    return backend


HERE = Rules(node="here", zone="z1")
CASES: dict[str, tuple[dict[str, object], list[Endpoint], list[str]]] = {
    "ready": ({}, [endpoint(0)], ["may be picked"]),
    "not ready": ({}, [endpoint(0), endpoint(1, ready=False)], ["may be picked", "not ready: its probe"]),
    "draining": (
        {},
        [endpoint(0), endpoint(1, ready=False, serving=True, terminating=True)],
        ["may be picked", "draining: it is terminating"],
    ),
    "only terminating ones left": (
        {},
        [endpoint(0, ready=False, serving=True, terminating=True), endpoint(1, ready=False)],
        ["may be picked: it is terminating and still serves", "not ready"],
    ),
    "not local": (
        {"rules": Rules(local_only=True, node="here")},
        [endpoint(0, node="here"), endpoint(1, node="there"), endpoint(2)],
        ["may be picked", "not local: it is on node there", "not local: it is on node (unknown)"],
    ),
    "weight 0": ({}, [endpoint(0), endpoint(1, weight=0)], ["may be picked", "its weight is 0"]),
    "all have weight 0": ({}, [endpoint(0, weight=0), endpoint(1, weight=0)], ["may be picked", "may be picked"]),
    "another tier": (
        {},
        [endpoint(0), endpoint(1, tier=1)],
        ["may be picked", "kept in reserve: its tier is 1, and enough of tier 0"],
    ),
    "farther away": (
        {"rules": Rules(node="here", prefer="Node")},
        [endpoint(0, node="here"), endpoint(1, node="there")],
        ["may be picked", "farther away: the Service prefers the same node"],
    ),
    "another zone": (
        {"rules": Rules(node="here", zone="z1", prefer="Zone")},
        [endpoint(0, zone="z1"), endpoint(1, zone="z2")],
        ["may be picked", "farther away: the Service prefers the same zone"],
    ),
    "hinted at for others": (
        {"rules": HERE},
        [endpoint(0, hints=Hints(("z1",), ())), endpoint(1, hints=Hints(("z2",), ()))],
        ["may be picked", "meant for others: its EndpointSlice's hints are for z2"],
    ),
    "published although not ready": (
        {"publish_not_ready": True},
        [endpoint(0), endpoint(1, ready=False)],
        ["may be picked", "may be picked: not ready, but the Service says publishNotReadyAddresses"],
    ),
    "never checked, all of them": (
        {"health_check": HealthCheckPolicy()},
        [endpoint(0)],
        ["may be picked: unhealthy: the policy's healthCheck says so, or has said nothing yet, but too few are left"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_reasons(name: str) -> None:
    fields, there, expected = CASES[name]
    told = endpoint_verdicts(made(*there, **fields), 0.0)
    assert [each["address"] for each in told] == [f"{one.address}:{one.port}" for one in there]
    for each, reason in zip(told, expected, strict=True):
        assert each["why"].startswith(reason)
        assert each["eligible"] == each["why"].startswith("may be picked")


def test_one_that_is_ejected_says_for_how_long() -> None:
    clock = Clock()
    backend = made(endpoint(0), endpoint(1), clock=clock)
    backend.connect_failed(backend.endpoints[endpoint(1).where])
    clock.advance(0.25)
    why = endpoint_verdicts(backend, clock())[1]["why"]
    assert why == "ejected for another 0.8 s: connects to it failed"


def test_one_that_is_full_says_so() -> None:
    backend = made(endpoint(0), limits=LimitPolicy(endpoint=EndpointLimits(connections=5, requests=2)))
    backend.endpoints[endpoint(0).where].in_flight = 2
    assert endpoint_verdicts(backend, 0.0)[0]["why"].endswith("is full: 2 are in flight, and its limit is 2")


ENDPOINTS = st.builds(
    endpoint,
    st.integers(0, 20),
    ready=st.booleans(),
    serving=st.booleans(),
    terminating=st.booleans(),
    weight=st.integers(0, 2),
    tier=st.integers(0, 2),
    node=st.sampled_from(["", "here", "there"]),
    zone=st.sampled_from(["", "z1", "z2"]),
)
RULES = st.builds(
    Rules,
    local_only=st.booleans(),
    node=st.sampled_from(["", "here"]),
    zone=st.sampled_from(["", "z1"]),
    prefer=st.sampled_from(["Any", "Zone", "Node"]),
    panic_below=st.sampled_from([0, 50, 100]),
    failover_below=st.sampled_from([0, 50, 100]),
)


@given(st.lists(ENDPOINTS, max_size=8, unique_by=lambda one: one.address), RULES, st.booleans(), st.data())
def test_a_reason_is_never_at_odds_with_what_is_done(
    there: list[Endpoint], rules: Rules, publish: bool, data: st.DataObject
) -> None:
    clock = Clock()
    backend = made(*there, clock=clock, rules=rules, publish_not_ready=publish)
    for state in tuple(backend.endpoints.values()):
        if data.draw(st.booleans()):
            backend.connect_failed(state)
    eligible = {state.host for state in backend.eligible}
    for each in endpoint_verdicts(backend, clock()):
        assert each["eligible"] == (each["address"].partition(":")[0] in eligible)
        assert each["why"].startswith("may be picked") == each["eligible"]
        assert ("ejected" in each["why"]) <= any(
            state.set_aside_until > clock() for state in backend.endpoints.values()
        )
