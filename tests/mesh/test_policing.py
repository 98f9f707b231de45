"""Which filters and which manner routes get: of Services, of their ports, of Ingresses."""

from __future__ import annotations

from typing import Any

import pytest

from config.filters import (
    FaultAbort,
    FaultPolicy,
    MirrorPolicy,
    RateLimitPolicy,
    RedirectPolicy,
    RewritePolicy,
    SplitTarget,
    TLSPolicy,
    TokenBucketPolicy,
)
from config.meta import ObjectMeta
from config.policies import RetryPolicy, TargetRef, TimeoutPolicy, TrafficPolicy, TrafficPolicySpec
from config.resources.core import Service, ServicePort
from config.resources.networking import Ingress
from mesh.backend import Backend
from mesh.compiler import (
    Compiled,
    compile,  # noqa: A004 - the word for it
)
from mesh.filters.chain import Passed
from mesh.filters.query import Query, Reply
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.table import ListenerKey, Route
from tests.mesh.filters.asking import query
from tests.mesh.making import Clock, config, endpoint, ingress, policy, service, snapshot

HTTP = ServicePort(80, name="http")


class World:
    def __init__(self) -> None:
        self.live = Live(Clock(), chance=lambda: 0.5)
        self.compiled: Compiled | None = None

    def compile(self, *objects: Service | TrafficPolicy | Ingress) -> Compiled:
        there = {"http": (endpoint(1),)}
        existing = snapshot(1, (), shop=there, v1=there, v2=there)
        self.compiled = compile(config(*objects), existing, self.compiled, self.live)
        for plan, backend in zip(self.compiled.table.backends.values(), self.compiled.backends.values(), strict=True):
            backend.apply(plan)
        self.live.replace(self.compiled.backends)
        return self.compiled

    def route(self, host: str = "", path: str = "/", port: int = 80) -> Route:
        """Of the Service on `port`, or where an Ingress leads."""
        assert self.compiled is not None
        listeners = [each for each in self.compiled.table.listeners.values() if (each.routes is not None) == bool(host)]
        for listener in listeners:
            if listener.routes is not None:
                found = listener.routes.match(host.encode(), path.encode())
                assert found is not None
                return found
            if listener.key == ListenerKey("127.96.0.1", port):
                return listener.route
        raise AssertionError("no such listener")

    def ask(self, asked: Query, **where: Any) -> Passed | Reply:
        filters = self.route(**where).filters
        assert filters is not None
        return filters.request(asked)


def other(name: str, *ports: ServicePort) -> Service:
    """A Service with an address of its own."""
    return service(name, *ports, cluster_ip=f"127.96.1.{sum(name.encode()) % 256}")


def of_ingress(name: str, target: str, **spec: Any) -> TrafficPolicy:
    return TrafficPolicy(ObjectMeta(name, "default"), TrafficPolicySpec(TargetRef("Ingress", target), **spec))


def abort(status: int) -> FaultPolicy:
    return FaultPolicy(abort=FaultAbort(status))


def status(answer: Passed | Reply) -> int:
    assert isinstance(answer, Reply)
    return answer.reason.status


def test_without_policies_there_are_no_filters() -> None:
    world = World()
    world.compile(service("shop"), policy("p", "shop", via=False), ingress("i", "Prefix a.example/ -> shop:80"))
    assert world.route().filters is None
    assert (world.route("a.example").filters, world.route("a.example").manner) == (None, None)


def test_a_port_before_its_service() -> None:
    world = World()
    shop = service("shop", HTTP, ServicePort(81, name="admin"))
    world.compile(shop, policy("all", "shop", fault=abort(500)), policy("one", "shop", "admin", fault=abort(501)))
    assert status(world.ask(query())) == 500
    assert status(world.ask(query(), port=81)) == 501


def test_an_ingress_before_the_service_it_leads_to() -> None:
    world = World()
    world.compile(
        service("shop"),
        policy("p", "shop", fault=abort(500), max_request_bytes=3),
        ingress("i", "Prefix a.example/ -> shop:80"),
        ingress("j", "Prefix b.example/ -> shop:80"),
        of_ingress("q", "i", fault=abort(501)),
    )
    assert status(world.ask(query())) == 500
    assert status(world.ask(query(), host="a.example")) == 501
    assert status(world.ask(query(length=4), host="a.example")) == 413
    assert status(world.ask(query(), host="b.example")) == 500


def test_a_rule_gives_what_it_matched_to_its_filters() -> None:
    world = World()
    world.compile(
        service("shop"),
        ingress("i", "Prefix a.example/cart/ -> shop:80", "Exact a.example/one -> shop:80", default="shop:80"),
        of_ingress("q", "i", rewrite=RewritePolicy(prefix="/x")),
    )

    def sent(path: str) -> str:
        passed = world.ask(query(path), host="a.example", path=path)
        assert isinstance(passed, Passed)
        return passed.lines.split(b" ")[1].decode()

    assert sent("/cart/a?b") == "/x/a?b"
    assert sent("/one") == "/x"
    assert sent("/other") == "/x/other"


def test_only_ingresses_send_clients_to_https() -> None:
    world = World()
    world.compile(
        service("shop"),
        policy("p", "shop", tls=TLSPolicy(https_redirect=True)),
        ingress("i", "Prefix a.example/ -> shop:80"),
        ingress("j", "Prefix b.example/ -> shop:80"),
        of_ingress("q", "i", tls=TLSPolicy(https_redirect=True)),
    )
    assert status(world.ask(query(), host="a.example")) == 308
    assert world.route("b.example").filters is None
    assert world.route().filters is None


def test_an_ingress_has_a_manner_of_its_own() -> None:
    world = World()
    world.compile(
        service("shop"),
        policy("p", "shop", retries=RetryPolicy(attempts=7), upgrades=("x",)),
        ingress("i", "Prefix a.example/ -> shop:80"),
        of_ingress("q", "i", timeouts=TimeoutPolicy(response_head=3.0), via=False),
    )
    manner = world.route("a.example").manner
    assert manner is not None
    assert (manner.timeouts.response_head, manner.retries.attempts, manner.via) == (3.0, 7, False)
    assert manner.upgrades == {b"x"}
    assert world.route().manner is None


@pytest.mark.parametrize(("port", "reached"), [(None, "http"), (80, "http"), ("http", "http"), ("80", "http")])
def test_splits_lead_to_the_backends_of_services(port: int | str | None, reached: str) -> None:
    world = World()
    split = (SplitTarget("v1", port, 1), SplitTarget("v2", port, 1))
    made = world.compile(service("shop"), other("v1"), other("v2"), policy("p", "shop", split=split))
    passed = world.ask(query())
    assert isinstance(passed, Passed)
    assert passed.backend is made.backends[BackendKey("default", "v2", reached)]
    assert passed.backend.eligible


def test_a_port_of_the_same_number_where_no_name_is_the_same() -> None:
    world = World()
    elsewhere = other("v1", ServicePort(80, name="web"))
    made = world.compile(service("shop"), elsewhere, policy("p", "shop", mirror=MirrorPolicy("v1")))
    passed = world.ask(query())
    assert isinstance(passed, Passed)
    assert passed.mirror is made.backends[BackendKey("default", "v1", "web")]


def test_what_is_not_there_yet_has_no_endpoints_and_is_found_when_it_comes() -> None:
    world = World()
    objects = (
        service("shop"),
        policy("p", "shop", split=(SplitTarget("v1"),)),
        ingress("i", "Prefix a.example/ -> shop:80"),
    )

    def split(**where: str) -> Backend:
        passed = world.ask(query(), **where)
        assert isinstance(passed, Passed)
        assert passed.backend is not None
        assert world.compiled is not None
        assert world.compiled.backends[passed.backend.key] is passed.backend
        return passed.backend

    for extra in ((), (other("other"),)):
        world.compile(*objects, *extra)
        assert split() is split(host="a.example")
        assert not split().eligible
    world.compile(*objects, other("v1"))
    assert split() is split(host="a.example")
    assert split().eligible


def test_policies_of_a_reused_ingress_are_seen() -> None:
    world = World()
    objects = (service("shop"), ingress("i", "Prefix a.example/ -> shop:80"))
    world.compile(*objects)
    assert world.route("a.example").filters is None
    world.compile(*objects, policy("p", "shop", fault=abort(500)))
    assert status(world.ask(query(), host="a.example")) == 500
    above = of_ingress("q", "i", redirect=RedirectPolicy(path="/x"))
    world.compile(*objects, above)
    assert status(world.ask(query(), host="a.example")) == 302
    before = world.route("a.example")
    world.compile(*objects, above, other("other"))
    assert world.route("a.example") is before
    world.compile(*objects)
    assert world.route("a.example").filters is None


def test_rate_limits_outlive_tables_and_are_shared_by_all_ways_to_a_service() -> None:
    world = World()
    limit = RateLimitPolicy(TokenBucketPolicy(2, 100.0))
    objects = (
        service("shop", type="NodePort"),
        policy("p", "shop", rate_limit=limit),
        ingress("i", "Prefix a.example/ -> shop:80", "Prefix a.example/b -> shop:80"),
        ingress("j", "Prefix b.example/ -> shop:80", "Prefix b.example/b -> shop:80"),
        of_ingress("q", "j", rate_limit=limit),
    )
    world.compile(*objects)
    assert isinstance(world.ask(query()), Passed)
    world.compile(*objects, other("other"))
    assert isinstance(world.ask(query(), host="a.example"), Passed)
    assert status(world.ask(query())) == 429
    assert status(world.ask(query(), host="a.example", path="/b")) == 429
    assert isinstance(world.ask(query(), host="b.example"), Passed)
    assert isinstance(world.ask(query(), host="b.example", path="/b"), Passed)
    assert status(world.ask(query(), host="b.example")) == 429
