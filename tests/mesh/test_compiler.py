"""Compiling: what comes out, what is taken over, who gets a contested address, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named, ObjectKey
from config.policies import TimeoutPolicy
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec
from discovery.catalog import Snapshot
from mesh.compiler import Compiled, compile_steps
from mesh.compiler import compile as compiled_from
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.table import ListenerKey
from tests.mesh.making import Clock, config, endpoint, endpoints, large_world, policy, service, snapshot

T = TypeVar("T")

SHOP = BackendKey("default", "shop", "http")
SHOP_ADDRESS = ListenerKey("127.96.0.1", 80)


def publish(compiled: Compiled, live: Live) -> Compiled:
    """What `Proxy.publish` does to the registry."""
    for plan, backend in zip(compiled.table.backends.values(), compiled.backends.values(), strict=True):
        if backend.plan is not plan:
            backend.apply(plan)
    live.replace(compiled.backends)
    return compiled


def dump(compiled: Compiled) -> object:
    """The outcome without the identity of live objects."""
    listeners = {
        str(key): (listener.entry, listener.protocol, listener.route.backend.key, listener.http_required)
        for key, listener in compiled.table.listeners.items()
    }
    return listeners, dict(compiled.table.backends), dict(compiled.statuses)


def test_a_first_table() -> None:
    live = Live(Clock())
    made = compiled_from(config(service("shop")), snapshot(1, shop={"http": endpoints(2)}), None, live)
    listener = made.table.listeners[SHOP_ADDRESS]
    assert (listener.protocol, listener.entry, made.table.generation) == ("http", "ClusterIP", 1)
    backend = made.backends[SHOP]
    assert listener.route.backend is backend
    assert len(backend.eligible) == 2, "filled before it is published"
    assert live.backends == {}, "nothing is registered by compiling"
    assert made.statuses[ObjectKey("Service", "default", "shop")].state == "accepted"


def test_nothing_at_all() -> None:
    made = compiled_from(ConfigSet(), Snapshot(), None, Live(Clock()))
    assert (made.table.listeners, made.table.backends, made.statuses) == ({}, {}, {})


def test_only_endpoints_changed() -> None:
    live = Live(Clock())
    written = config(service("shop"), service("other", cluster_ip="127.96.0.2"))
    there = {"http": endpoints(2)}
    first = publish(compiled_from(written, snapshot(1, shop=there, other=there), None, live), live)
    second = compiled_from(written, snapshot(2, ("shop",), shop={"http": endpoints(3)}, other=there), first, live)
    assert second.table.listeners is first.table.listeners
    assert second.statuses is first.statuses
    assert second.backends is first.backends
    other = BackendKey("default", "other", "http")
    assert second.table.backends[other] is first.table.backends[other]
    assert second.table.backends[SHOP].endpoints == endpoints(3)
    assert len(first.backends[SHOP].endpoints) == 2, "what is in force is changed by publishing"
    assert second.table.generation == 2


@pytest.mark.parametrize("generation", [2, 7])
def test_generations_may_be_skipped(generation: int) -> None:
    """`changed` speaks of one generation only; after a gap, identity tells."""
    live = Live(Clock())
    written = config(service("shop"), service("other", cluster_ip="127.96.0.2"))
    first = publish(compiled_from(written, snapshot(1, shop={}, other={}), None, live), live)
    changed = ("shop", "other") if generation == 2 else ("other",)
    later = snapshot(generation, changed, shop={"http": endpoints(1)}, other={"http": endpoints(1)})
    second = compiled_from(written, later, first, live)
    assert all(plan.endpoints == endpoints(1) for plan in second.table.backends.values())


def test_a_service_that_the_catalog_lost_has_no_endpoints() -> None:
    live = Live(Clock())
    written = config(service("shop"))
    first = publish(compiled_from(written, snapshot(1, shop={"http": endpoints(1)}), None, live), live)
    second = compiled_from(written, snapshot(2, ("shop", "unknown")), first, live)
    assert second.table.backends[SHOP].endpoints == ()


def test_what_is_the_same_is_taken_over_when_the_config_changed() -> None:
    live = Live(Clock())
    shop, other = service("shop"), service("other", cluster_ip="127.96.0.2")
    there = snapshot(1, shop={"http": endpoints(2)}, other={"http": endpoints(1)})
    first = publish(compiled_from(config(shop, other), there, None, live), live)
    second = compiled_from(config(shop, policy("p", "other", via=False)), there, first, live)
    assert second.parts[Named("default", "shop")] is first.parts[Named("default", "shop")]
    assert second.table.listeners[SHOP_ADDRESS] is first.table.listeners[SHOP_ADDRESS]
    assert list(second.table.backends) == [SHOP]


def test_backends_survive_changes_of_their_service() -> None:
    live = Live(Clock())
    there = snapshot(1, shop={"http": endpoints(2)})
    first = publish(compiled_from(config(service("shop")), there, None, live), live)
    policies = policy("p", "shop", timeouts=TimeoutPolicy(connect=9.0))
    second = compiled_from(config(service("shop"), policies), there, first, live)
    assert second.backends[SHOP] is first.backends[SHOP]
    assert second.table.backends[SHOP].timeouts.connect == 9.0
    assert first.backends[SHOP].plan.timeouts.connect == 1.0


def test_another_node_address_makes_other_listeners() -> None:
    live = Live(Clock())
    shop = service("shop", ServicePort(80, name="http", node_port=30080), type="NodePort")
    first = publish(compiled_from(config(shop), snapshot(), None, live), live)
    assert ListenerKey("127.0.0.1", 30080) in first.table.listeners
    moved = compiled_from(config(shop, node=NodeConfigSpec(node_addresses=("192.0.2.1",))), snapshot(), first, live)
    assert [str(key) for key in moved.table.listeners] == ["127.96.0.1:80", "192.0.2.1:30080"]


def test_a_contested_address_belongs_to_the_older_service() -> None:
    young = service("a", created="2024-01-02T00:00:00Z")
    old = service("b", ServicePort(80, name="http"), ServicePort(81), created="2023-01-02T00:00:00Z")
    for written in (config(young, old), config(old, young)):
        made = compiled_from(written, snapshot(), None, Live(Clock()))
        assert made.table.listeners[SHOP_ADDRESS].route.backend.key.service == "b"
        assert made.statuses[ObjectKey("Service", "default", "b")].state == "accepted"
        loser = made.statuses[ObjectKey("Service", "default", "a")]
        assert (loser.state, loser.reasons) == ("pending", ("127.96.0.1:80 belongs to Service default/b",))


def test_three_claims_to_one_address() -> None:
    made = compiled_from(config(*(service(name) for name in "cab")), snapshot(), None, Live(Clock()))
    assert made.table.listeners[SHOP_ADDRESS].route.backend.key.service == "a"
    assert [made.statuses[ObjectKey("Service", "default", name)].state for name in "abc"] == [
        "accepted", "pending", "pending",
    ]  # fmt: skip


SERVICES = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.sampled_from(["http", "web", "tcp"]), st.integers(0, 3)), max_size=4
)
POLICIES = st.sets(st.sampled_from("abcd"), max_size=3)


@given(st.lists(st.tuples(SERVICES, POLICIES, st.booleans()), max_size=8))
def test_compiling_step_by_step_gives_what_compiling_at_once_gives(
    worlds: list[tuple[dict[str, tuple[str, int]], set[str], bool]],
) -> None:
    live = Live(Clock())
    compiled: Compiled | None = None
    written, existing = ConfigSet(), Snapshot()
    known: dict[object, object] = {}
    for generation, (services, policies, endpoints_only) in enumerate(worlds, 1):
        if not endpoints_only:
            objects = [
                known.setdefault((name, port), service(name, ServicePort(80, name=port), cluster_ip=f"127.96.0.{port}"))
                for name, (port, _) in services.items()
            ]
            attached = [known.setdefault(name, policy(name, name, via=False)) for name in sorted(policies)]
            written = config(*objects, *attached)  # type: ignore[arg-type]
        there = {
            name: {port: tuple(endpoint(number, ready=count != 2) for number in range(count))}
            for name, (port, count) in services.items()
        }
        changed = tuple(there.keys() | {name.name for name in existing.services})
        existing = snapshot(generation, changed, **there)
        compiled = publish(compiled_from(written, existing, compiled, live), live)
        assert dump(compiled) == dump(compiled_from(written, existing, None, Live(Clock())))


def timed(steps: Generator[None, None, T]) -> tuple[T, float, float]:
    """The outcome, the CPU seconds of all steps, and of the longest."""
    total = longest = 0.0
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration as done:
            return done.value, total, longest
        spent = time.thread_time() - began
        total, longest = total + spent, max(longest, spent)


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(("services", "each"), [(2000, 10), (1, 1000)])
def test_speed(services: int, each: int) -> None:
    """Measured 190 ms and 4 ms on a slow virtual machine of two cores; the bounds leave room for a busy one."""
    written, existing = large_world(services, each)
    live = Live(Clock())
    first, total, _ = timed(compile_steps(written, existing, None, live))
    assert total < 1.0
    publish(first, live)
    name = Named("default", "svc-0")
    there = existing.services[name]["http"]
    prices = []
    compiled = first
    for number in range(8):
        there = (*there[:number], replace(there[number], ready=False), *there[number + 1 :])
        services_now = {**existing.services, name: {"http": there}}
        existing = Snapshot(existing.generation + 1, services_now, frozenset({name}))
        began = time.thread_time()
        compiled = publish(compiled_from(written, existing, compiled, live), live)
        prices.append(time.thread_time() - began)
    assert min(prices) < 0.005
    _, total, _ = timed(compile_steps(replace(written), existing, compiled, live))
    assert total < 0.2, "an equal config walks the Services and makes none again"


@pytest.mark.usefixtures("no_collections")
def test_no_step_is_long() -> None:
    steps = []
    for _ in range(3):  # the quickest of some, since the machine has other things to do
        written, existing = large_world(300, 10)
        steps.append(timed(compile_steps(written, existing, None, Live(Clock())))[2])
    assert min(steps) < 0.005
