"""The catalog by example, against a model that computes everything anew, and against the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from config.meta import Named, matches
from config.resources.core import Service, ServicePort
from discovery.catalog import Catalog, Endpoint, Replica, Snapshot
from discovery.membership import endpoint_of
from tests.discovery.objects import named, replica, service

SHOP = Named("default", "shop")
SELECTED = service(selector={"app": "shop"})


def catalog(*services: Service) -> Catalog:
    made = Catalog()
    made.define(named(*services))
    return made


def where(snapshot: Snapshot, name: Named = SHOP, port: str = "80") -> list[tuple[str, bool]]:
    return [(endpoint.address, endpoint.ready) for endpoint in snapshot.services[name][port]]


def test_a_defined_service_is_there_without_endpoints() -> None:
    one = catalog(service("shop", ServicePort(name="http", port=80), ServicePort(name="admin", port=81)))
    assert one.snapshot == Snapshot(1, {SHOP: {"http": (), "admin": ()}}, frozenset({SHOP}))


def test_replicas_are_selected_by_labels_of_their_namespace() -> None:
    one = catalog(service(selector={"app": "shop", "tier": "web"}))
    both = {"app": "shop", "tier": "web", "more": "labels"}
    one.put_replicas(
        "process",
        [
            replica(1, labels=both),
            replica(2),
            replica(3, labels=both, namespace="other"),
            replica(4, labels=both, ready=False),
        ],
    )
    assert where(one.snapshot) == [("127.97.0.2", True), ("127.97.0.5", False)]


def test_one_replica_may_stand_behind_several_services() -> None:
    other = Named("default", "other")
    one = catalog(SELECTED, service("other", selector={"app": "shop"}))
    one.put_replicas("process", [replica(1)])
    assert where(one.snapshot) == where(one.snapshot, other) == [("127.97.0.2", True)]
    assert one.snapshot.changed == {SHOP, other}


def test_a_replica_may_name_its_services_itself() -> None:
    plain, outside = Named("other", "plain"), Named("default", "outside")
    external = service("outside", type="ExternalName", external_name="example.org")
    one = catalog(SELECTED, service("plain", namespace="other"), external)
    one.put_replicas("docker", [replica(1, labels={}, services=(plain, SHOP, outside, Named("not", "there")))])
    assert where(one.snapshot) == where(one.snapshot, plain) == [("127.97.0.2", True)]
    assert one.snapshot.changed == {SHOP, plain}
    one.put_replicas("docker", [])
    assert where(one.snapshot) == where(one.snapshot, plain) == []


def test_a_replica_that_changes_its_labels_changes_its_services() -> None:
    other = Named("default", "other")
    one = catalog(SELECTED, service("other", selector={"app": "other"}))
    one.put_replicas("process", [replica(1)])
    one.put_replicas("process", [replica(1, labels={"app": "other"})])
    assert (where(one.snapshot), where(one.snapshot, other)) == ([], [("127.97.0.2", True)])


def test_sources_do_not_touch_each_other() -> None:
    one = catalog(SELECTED)
    one.put_replicas("process", [replica(1)])
    one.put_replicas("docker", [replace(replica(2), id="shop-1")])
    assert len(where(one.snapshot)) == 2
    one.put_replicas("process", [])
    assert where(one.snapshot) == [("127.97.0.3", True)]


def test_single_changes() -> None:
    one = catalog(SELECTED)
    one.change_replicas("process", [replica(1), replica(2)])
    one.change_replicas("process", [replica(2, ready=False)], ["shop-1", "never"])
    assert where(one.snapshot) == [("127.97.0.3", False)]


def test_terminating_endpoints_stay_in() -> None:
    one = catalog(SELECTED)
    one.put_replicas("process", [replica(1, terminating=True)])
    (endpoint,) = one.snapshot.services[SHOP]["80"]
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == (False, True, True)


def test_only_differences_make_a_generation() -> None:
    one = catalog(SELECTED, service("other", selector={"app": "other"}))
    one.put_replicas("process", [replica(1)])
    before = one.snapshot
    one.put_replicas("process", [replica(1, since=5.0)])
    one.put_endpoints("manifest", {})
    one.define(named(SELECTED, service("other", selector={"app": "other"})))
    assert one.snapshot is before
    one.put_replicas("process", [replica(1, ready=False)])
    assert one.snapshot.generation == before.generation + 1
    assert one.snapshot.changed == {SHOP}
    other = Named("default", "other")
    assert one.snapshot.services[other] is before.services[other]
    assert where(before) == [("127.97.0.2", True)], "an old snapshot does not change"


def test_what_came_before_the_service_counts() -> None:
    one = Catalog()
    one.put_replicas("process", [replica(1)])
    one.put_endpoints("manifest", {Named("default", "given"): {"80": (Endpoint("10.0.0.1", 80),)}})
    assert one.snapshot == Snapshot()
    one.define(named(SELECTED, service("given")))
    assert where(one.snapshot) == [("127.97.0.2", True)]
    assert where(one.snapshot, Named("default", "given")) == [("10.0.0.1", True)]


@pytest.mark.parametrize(
    ("case", "after", "expected"),
    [
        ("another selector", service(selector={"app": "other"}), {"80": 0}),
        ("another port", service("shop", ServicePort(port=81), selector={"app": "shop"}), {"81": 1}),
        ("gone", None, None),
    ],
)
def test_definitions_may_change(case: str, after: Service | None, expected: dict[str, int] | None) -> None:
    one = catalog(SELECTED)
    one.put_replicas("process", [replica(1)])
    one.define(named(after) if after else {})
    found = one.snapshot.services.get(SHOP)
    assert (found and {port: len(endpoints) for port, endpoints in found.items()}) == expected, case
    assert one.snapshot.changed == {SHOP}


def test_a_redefinition_with_the_same_outcome_is_no_change() -> None:
    one = catalog(SELECTED)
    one.put_replicas("process", [replica(1, labels={"app": "shop", "tier": "web"})])
    before = one.snapshot
    one.define(named(service(selector={"tier": "web"})))
    assert one.snapshot is before


def test_given_endpoints_come_and_go() -> None:
    one = catalog(service())
    given = {SHOP: {"80": (Endpoint("10.0.0.1", 80),)}, Named("default", "unknown"): {"80": ()}}
    one.put_endpoints("manifest", given)
    assert where(one.snapshot) == [("10.0.0.1", True)]
    one.change_endpoints("manifest", {SHOP: {"80": (Endpoint("10.0.0.2", 80),)}})
    assert where(one.snapshot) == [("10.0.0.2", True)]
    one.put_endpoints("manifest", {})
    assert where(one.snapshot) == []


def test_the_selector_wins_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    one = catalog(SELECTED)
    one.put_endpoints("manifest", {SHOP: {"80": (Endpoint("10.0.0.1", 80),)}})
    assert where(one.snapshot) == [("10.0.0.1", True)]
    assert caplog.messages == []
    one.put_replicas("process", [replica(1)])
    one.put_replicas("process", [replica(1), replica(2)])
    one.put_endpoints("manifest", {SHOP: {"80": (Endpoint("10.0.0.3", 80),)}})
    assert where(one.snapshot) == [("127.97.0.2", True), ("127.97.0.3", True)]
    assert len(caplog.messages) == 1
    assert "default/shop" in caplog.text


def test_many_contests_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    one = catalog(*(service(f"s{number}", selector={"app": "shop"}) for number in range(8)))
    one.put_endpoints("manifest", {name: {"80": (Endpoint("10.0.0.1", 80),)} for name in one.snapshot.services})
    one.put_replicas("process", [replica(1)])
    assert [message.count("default/") for message in caplog.messages] == [5]
    assert caplog.messages[0].endswith("default/s4 and 3 more")


def test_an_external_name_selects_nothing() -> None:
    one = catalog(service(selector={"app": "shop"}, type="ExternalName", external_name="example.com"))
    one.put_replicas("process", [replica(1)])
    assert where(one.snapshot) == []


def test_subscribers_see_every_generation_in_order_even_if_they_make_one() -> None:
    one = catalog(SELECTED)
    seen: list[tuple[str, int]] = []

    def first(snapshot: Snapshot) -> None:
        seen.append(("first", snapshot.generation))
        if snapshot.generation == 2:
            one.put_replicas("process", [replica(1), replica(2)])

    one.subscribe(first)
    one.subscribe(lambda snapshot: seen.append(("second", snapshot.generation)))
    one.put_replicas("process", [replica(1)])
    assert seen == [("first", 2), ("second", 2), ("first", 3), ("second", 3)]


def test_a_subscriber_that_fails_does_not_stop_later_deliveries() -> None:
    one = catalog(SELECTED)
    seen: list[int] = []

    def failing(snapshot: Snapshot) -> None:
        seen.append(snapshot.generation)
        raise ZeroDivisionError

    one.subscribe(failing)
    for number in (1, 2):
        with pytest.raises(ZeroDivisionError):
            one.put_replicas("process", [replica(number)])
    assert seen == [2, 3]


async def test_acknowledgements() -> None:
    one = catalog(SELECTED)
    one.acknowledge("proxy", 0)
    deadline = asyncio.get_running_loop().time() + 0.01
    assert await one.acknowledged(one.snapshot.generation, deadline) == {"proxy"}
    one.acknowledge("proxy", one.snapshot.generation)
    assert await one.acknowledged(one.snapshot.generation, deadline) == frozenset()
    one.acknowledge("worker", 0)
    one.forget("worker")
    assert await one.acknowledged(one.snapshot.generation, deadline) == frozenset()
    with pytest.raises(ValueError, match="does not exist yet"):
        one.acknowledge("proxy", 99)


LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2)
NUMBERS = st.integers(1, 3)
SOURCES = st.sampled_from("pq")
NAMESPACES = st.sampled_from(["n", "m"])
GIVEN = st.lists(NUMBERS, min_size=1, max_size=3, unique=True)


class CatalogMachine(RuleBasedStateMachine):
    """Any sequence of changes leads where computing everything anew leads, and tells exactly what differs."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = Catalog()
        self.services: dict[Named, Service] = {}
        self.replicas: dict[str, dict[str, Replica]] = {"p": {}, "q": {}}
        self.given: dict[Named, tuple[Endpoint, ...]] = {}
        self.once_selected: set[Named] = set()
        self.seen: list[Snapshot] = [self.catalog.snapshot]
        self.catalog.subscribe(self.seen.append)

    @rule(name=st.sampled_from("st"), namespace=NAMESPACES, selector=LABELS, by=st.sampled_from([None, "http"]))
    def define(self, name: str, namespace: str, selector: dict[str, str], by: str | None) -> None:
        key = Named(namespace, name)
        changed = service(name, ServicePort(port=80, target_port=by), selector=selector, namespace=namespace)
        if key in self.services and self.services[key] != changed:
            self.once_selected.discard(key)
        self.services[key] = changed
        self.catalog.define(dict(self.services))

    @rule(name=st.sampled_from("st"), namespace=NAMESPACES)
    def undefine(self, name: str, namespace: str) -> None:
        self.services.pop(Named(namespace, name), None)
        self.once_selected.discard(Named(namespace, name))
        self.catalog.define(dict(self.services))

    @rule(source=SOURCES, number=NUMBERS, labels=LABELS, namespace=NAMESPACES, ready=st.booleans())
    def put(self, source: str, number: int, labels: dict[str, str], namespace: str, ready: bool) -> None:
        one = replica(number, labels=labels, namespace=namespace, ready=ready)
        self.replicas[source][one.id] = one
        self.catalog.put_replicas(source, self.replicas[source].values())

    @rule(source=SOURCES, number=NUMBERS)
    def remove(self, source: str, number: int) -> None:
        self.replicas[source].pop(f"shop-{number}", None)
        self.catalog.change_replicas(source, [], [f"shop-{number}"])

    @rule(name=st.sampled_from("st"), namespace=NAMESPACES, numbers=GIVEN)
    def give(self, name: str, namespace: str, numbers: list[int]) -> None:
        self.given[Named(namespace, name)] = tuple(Endpoint(f"10.0.0.{number}", 80) for number in numbers)
        self.catalog.put_endpoints("given", {key: {"80": some} for key, some in self.given.items()})

    @rule(name=st.sampled_from("st"), namespace=NAMESPACES)
    def take_back(self, name: str, namespace: str) -> None:
        self.given.pop(Named(namespace, name), None)
        self.catalog.put_endpoints("given", {key: {"80": some} for key, some in self.given.items()})

    def expected(self, key: Named) -> set[Endpoint]:
        one = self.services[key]
        selector = one.spec.selector
        found = [
            each
            for replicas in self.replicas.values()
            for each in replicas.values()
            if selector and each.workload.namespace == key.namespace and matches(selector, each.labels)
        ]
        if found:
            self.once_selected.add(key)
        if key in self.once_selected:
            return {endpoint for each in found if (endpoint := endpoint_of(each, one.spec.ports[0]))}
        return set(self.given.get(key, ()))

    @invariant()
    def outcome_is_that_of_the_model(self) -> None:
        services: Mapping[Named, Mapping[str, tuple[Endpoint, ...]]] = self.catalog.snapshot.services
        assert set(services) == set(self.services)
        for key in self.services:
            assert set(services[key]["80"]) == self.expected(key)

    @invariant()
    def every_generation_tells_what_differs(self) -> None:
        for before, after in zip(self.seen, self.seen[1:], strict=False):
            assert after.generation == before.generation + 1
            names = before.services.keys() | after.services.keys()
            differing = {name for name in names if before.services.get(name) != after.services.get(name)}
            replaced = {name for name in names if before.services.get(name) is not after.services.get(name)}
            assert after.changed == differing == replaced
        assert self.seen[-1] is self.catalog.snapshot
        del self.seen[:-1]


TestCatalogMachine = CatalogMachine.TestCase
TestCatalogMachine.settings = settings(stateful_step_count=25)


def best(times: list[float]) -> float:
    return min(times) * 1000


def test_one_change_in_a_service_of_a_thousand_is_cheap() -> None:
    one = catalog(SELECTED)
    replicas = [replica(number) for number in range(1000)]
    one.put_replicas("process", replicas)
    times = []
    for step in range(20):
        replicas[500] = replica(500, ready=bool(step % 2))
        began = time.thread_time()
        one.put_replicas("process", replicas)
        times.append(time.thread_time() - began)
        assert where(one.snapshot)[500] == (replicas[500].address, bool(step % 2))
    assert best(times) < 1


def test_one_change_among_two_thousand_services_is_cheap() -> None:
    one = catalog(*(service(f"s{number}", selector={"app": f"s{number}"}) for number in range(2000)))
    one.put_replicas("process", [replica(number, app=f"s{number}") for number in range(2000)])
    times = []
    for step in range(20):
        changed = replica(1000, app="s1000", ready=bool(step % 2))
        began = time.thread_time()
        one.change_replicas("process", [changed])
        times.append(time.thread_time() - began)
        assert one.snapshot.changed == {Named("default", "s1000")}
    assert best(times) < 0.5
