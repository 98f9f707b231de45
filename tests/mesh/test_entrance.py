"""All Ingresses together: the listener, whose rule holds, what is told to the others, and what is taken over."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import ObjectKey
from config.resources.core import Service, ServicePort
from config.resources.networking import Ingress
from config.settings import ConnectionLimits, IngressAddresses, Introducers, NodeConfigSpec
from mesh.compiler import (
    Compiled,
    compile,  # noqa: A004 - the word for it
    compile_steps,
)
from mesh.entrance import UNMET
from mesh.live import Live
from mesh.status import ObjectStatus
from mesh.table import ListenerKey, Route
from tests.mesh.making import Clock, config, endpoint, endpoints, ingress, ingress_class, service, snapshot

DOOR = ListenerKey("127.0.0.1", 8080)
SHOP = service("shop")
OTHER = service("other", ServicePort(8000, name="web"), ServicePort(9000), cluster_ip="127.96.0.2")


def compiled(written: ConfigSet, previous: Compiled | None = None, live: Live | None = None) -> Compiled:
    return compile(written, snapshot(), previous, live or Live(Clock()))


def publish(made: Compiled, live: Live) -> Compiled:
    """What `Proxy.publish` does to the registry."""
    for plan, backend in zip(made.table.backends.values(), made.backends.values(), strict=True):
        if backend.plan is not plan:
            backend.apply(plan)
    live.replace(made.backends)
    return made


def route(made: Compiled, host: str, target: str) -> Route | None:
    routes = made.table.listeners[DOOR].routes
    assert routes is not None
    return routes.match(host.encode(), target.encode())


def led_to(made: Compiled, host: str, target: str) -> str:
    """The Backend that a request meets."""
    found = route(made, host, target)
    return str(found.backend.key) if found else "404"


def status(made: Compiled, name: str) -> ObjectStatus:
    return made.statuses[ObjectKey("Ingress", "default", name)]


# -- the listener


def test_without_an_ingress_nothing_listens() -> None:
    assert list(compiled(config(SHOP)).table.listeners) == [ListenerKey("127.96.0.1", 80)]


def test_without_an_ingress_that_is_ours_nothing_listens() -> None:
    theirs = ingress("i", "Prefix / -> shop:80", ingress_class_name="nginx")
    made = compiled(config(SHOP, theirs, ingress_class("nginx", "k8s.io/ingress-nginx")))
    assert DOOR not in made.table.listeners
    assert status(made, "i") == ObjectStatus(
        "pending", ("its class nginx is served by k8s.io/ingress-nginx, not by weft.dev/ingress",)
    )


def test_one_ingress() -> None:
    made = compiled(config(SHOP, OTHER, ingress("i", "Prefix foo.com/ -> shop:80", "Exact foo.com/x -> other:web")))
    listener = made.table.listeners[DOOR]
    assert (listener.entry, listener.protocol) == ("Ingress", "http")
    assert led_to(made, "foo.com", "/cart") == "default/shop:http"
    assert led_to(made, "foo.com", "/x") == "default/other:web"
    assert led_to(made, "bar.com", "/x") == "404"
    assert status(made, "i").state == "accepted"
    assert [str(key) for key in status(made, "i").ports[0].listens] == ["127.0.0.1:8080"]


def test_a_service_has_one_backend_whichever_door_is_used() -> None:
    made = compiled(config(SHOP, ingress("i", "Prefix / -> shop:80"), ingress("j", "Prefix a.com/ -> shop:http")))
    backend = made.table.listeners[ListenerKey("127.96.0.1", 80)].route.backend
    for host in ("foo.com", "a.com"):
        found = route(made, host, "/")
        assert found is not None
        assert found.backend is backend


def test_the_listener_is_as_node_config_says() -> None:
    node = NodeConfigSpec(
        ingress=IngressAddresses("[::1]:8888", proxy_protocol=Introducers(("10.0.0.0/8",))),
        connections=ConnectionLimits(7),
    )
    made = compiled(config(SHOP, ingress("i", "Prefix / -> shop:80"), node=node))
    assert made.table.listeners[ListenerKey("::1", 8888)].limit == 7
    assert made.table.listeners[ListenerKey("::1", 8888)].introduced_by == (ip_network("10.0.0.0/8"),)


def test_what_meets_nothing_is_counted_by_a_backend_of_its_own() -> None:
    made = compiled(config(SHOP, ingress("i", "Prefix a.com/ -> shop:80")))
    backend = made.table.listeners[DOOR].route.backend
    assert (backend.key, backend.pick()) == (UNMET, None)
    assert made.backends[UNMET] is backend
    assert list(made.table.backends) == list(made.backends)


def test_an_address_that_a_service_has_is_the_services() -> None:
    door = service("door", ServicePort(8080), cluster_ip="127.0.0.1")
    made = compiled(config(SHOP, door, ingress("i", "Prefix / -> shop:80")))
    assert made.table.listeners[DOOR].routes is None
    assert status(made, "i") == ObjectStatus(
        "pending",
        (
            "127.0.0.1:8080 belongs to Service default/door: "
            "give Ingresses another address, NodeConfig spec.ingress.http",
        ),
    )


# -- where nothing can be


def test_what_has_no_endpoints_is_met_all_the_same() -> None:
    made = compiled(config(SHOP, ingress("i", "Prefix / -> shop:80", "Prefix /n -> none:80", "Prefix /p -> shop:81")))
    for target, key in (("/", "default/shop:http"), ("/n", "default/none:80"), ("/p", "default/shop:81")):
        found = route(made, "foo.com", target)
        assert found is not None
        assert (str(found.backend.key), found.backend.pick()) == (key, None)
    assert status(made, "i").state == "degraded"
    assert status(made, "i").reasons == (
        "spec.rules[1].http.paths[0].backend: there is no Service none: requests are answered with 503",
        "spec.rules[2].http.paths[0].backend: Service shop has no port 81: requests are answered with 503",
    )


def test_a_service_that_comes_and_goes_keeps_its_backend() -> None:
    live = Live(Clock())
    written = ingress("i", "Prefix / -> shop:http")
    without = publish(compiled(config(written), None, live), live)
    there = snapshot(2, ("shop",), shop={"http": endpoints(2)})
    came = publish(compile(config(SHOP, written), there, without, live), live)
    gone = compile(config(written), snapshot(3), came, live)
    found = route(gone, "a.com", "/")
    assert found is not None
    assert len(found.backend.eligible) == 2, "nothing changes before it is published"
    publish(gone, live)
    assert [status(made, "i").state for made in (without, came, gone)] == ["degraded", "accepted", "degraded"]
    backends = {id(found.backend) for made in (without, came, gone) if (found := route(made, "a.com", "/"))}
    assert len(backends) == 1
    assert [len(plans.endpoints) for plans in gone.table.backends.values()] == [0, 0]
    assert gone.table.listeners[DOOR].routes is not came.table.listeners[DOOR].routes


def test_headless_and_external_services_can_be_led_to() -> None:
    headless = service("deep", cluster_ip="None")
    external = service("far", ServicePort(443), type="ExternalName", external_name="example.com", cluster_ip="")
    written = config(headless, external, ingress("i", "Prefix /deep -> deep:80", "Prefix /far -> far:443"))
    there = snapshot(1, deep={"http": endpoints(3)}, far={"443": endpoints(1)})
    made = compile(written, there, None, Live(Clock()))
    found = [route(made, "a.com", target) for target in ("/deep", "/far")]
    assert [len(each.backend.eligible) for each in found if each] == [3, 1]
    assert list(made.table.listeners) == [DOOR]


# -- several of them

YOUNG, OLD = "2024-01-02T00:00:00Z", "2023-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("objects", "winner", "reasons"),
    [
        pytest.param(
            [
                ingress("a", "Prefix foo.com/x -> shop:80", "Prefix foo.com/y -> shop:80", created=YOUNG),
                ingress("b", "Prefix foo.com/x -> other:web", created=OLD),
            ],
            "default/other:web",
            {"a": "degraded: Prefix foo.com/x belongs to Ingress default/b", "b": "accepted: "},
            id="the older one",
        ),
        pytest.param(
            [ingress("b", "Prefix foo.com/x -> other:web"), ingress("a", "Prefix foo.com/x -> shop:80")],
            "default/shop:http",
            {"a": "accepted: ", "b": "pending: Prefix foo.com/x belongs to Ingress default/a"},
            id="then the first by name",
        ),
        pytest.param(
            [
                ingress("a", "Prefix foo.com/x -> shop:80"),
                ingress("b", "Prefix foo.com/x -> other:web", created=YOUNG),
            ],
            "default/other:web",
            {"a": "pending: Prefix foo.com/x belongs to Ingress default/b", "b": "accepted: "},
            id="one that says its age before one that does not",
        ),
        pytest.param(
            [ingress("a", "Prefix foo.com/x -> shop:80"), ingress("b", "Prefix foo.com/x/ -> other:web")],
            "default/other:web",
            {"a": "pending: Prefix foo.com/x belongs to Ingress default/b", "b": "accepted: "},
            id="the longer spelling, whatever its age",
        ),
        pytest.param(
            [ingress("a", "Prefix foo.com/x -> shop:80", "Prefix foo.com/x -> other:web")],
            "default/shop:http",
            {"a": "degraded: Prefix foo.com/x is said twice: Prefix foo.com/x counts"},
            id="within one the first",
        ),
        pytest.param(
            [ingress("a", "Prefix foo.com/ -> other:web"), ingress("b", "Exact foo.com/x -> shop:80")],
            "default/shop:http",
            {"a": "accepted: ", "b": "accepted: "},
            id="they share a host",
        ),
    ],
)
def test_ties(objects: list[Ingress], winner: str, reasons: dict[str, str]) -> None:
    for order in (objects, objects[::-1]):
        made = compiled(config(SHOP, OTHER, *order))
        assert led_to(made, "foo.com", "/x") == winner
        told = {each.metadata.name: status(made, each.metadata.name) for each in objects}
        assert {name: f"{each.state}: {'; '.join(each.reasons)}" for name, each in told.items()} == reasons


def test_whose_default_answers() -> None:
    one = ingress("one", "Prefix one.com/a -> shop:80", default="shop:80", created=OLD)
    two = ingress("two", "Prefix two.com/a -> shop:80", default="other:web", created=YOUNG)
    rest = ingress("rest", default="other:9000", created=YOUNG)
    late = ingress("zlate", default="shop:80")
    made = compiled(config(SHOP, OTHER, one, two, rest, late))
    assert led_to(made, "one.com", "/b") == "default/shop:http"
    assert led_to(made, "two.com", "/b") == "default/other:web"
    assert led_to(made, "three.com", "/b") == "default/other:9000", "of the first that is about no host in particular"
    states = {name: status(made, name).state for name in ("one", "two", "rest", "zlate")}
    assert states == {"one": "accepted", "two": "accepted", "rest": "accepted", "zlate": "pending"}
    assert status(made, "zlate").reasons == ("Default * belongs to Ingress default/rest",)
    without_rest = compiled(config(SHOP, OTHER, one, two))
    assert led_to(without_rest, "three.com", "/b") == "default/shop:http", "else of the oldest"


def test_a_class_that_nobody_describes_is_served_with_a_remark() -> None:
    made = compiled(config(SHOP, ingress("i", "Prefix / -> shop:80", ingress_class_name="nginx")))
    assert led_to(made, "a.com", "/") == "default/shop:http"
    assert status(made, "i").state == "accepted"
    assert status(made, "i").reasons == ("there is no IngressClass nginx: it is served as if the class were weft",)


# -- one table after the other


def test_what_is_the_same_is_taken_over() -> None:
    live = Live(Clock())
    mine, yours = ingress("mine", "Prefix a.com/ -> shop:80"), ingress("yours", "Prefix b.com/ -> none:80")
    first = publish(compiled(config(SHOP, mine, yours), None, live), live)
    again = publish(compiled(config(SHOP, OTHER, mine, yours), first, live), live)
    assert again.table.listeners[DOOR] is first.table.listeners[DOOR], "an unrelated Service is new"
    assert again.entrance.parts == first.entrance.parts
    changed = compiled(config(SHOP, OTHER, mine, ingress("yours", "Prefix c.com/ -> shop:80")), again, live)
    assert changed.entrance.matcher is not first.entrance.matcher
    mine_key, yours_key = first.entrance.parts
    assert changed.entrance.parts[mine_key] is first.entrance.parts[mine_key]
    assert changed.entrance.parts[yours_key] is not first.entrance.parts[yours_key]
    assert (led_to(first, "b.com", "/"), led_to(changed, "b.com", "/")) == ("default/none:80", "404")


def test_endpoints_that_change_leave_the_routes_alone() -> None:
    live = Live(Clock())
    written = config(SHOP, ingress("i", "Prefix / -> shop:80", "Prefix /n -> none:80"))
    first = publish(compile(written, snapshot(1, shop={"http": endpoints(1)}), None, live), live)
    second = publish(compile(written, snapshot(2, ("shop",), shop={"http": endpoints(2)}), first, live), live)
    assert second.table.listeners is first.table.listeners
    found = route(second, "a.com", "/")
    assert found is not None
    assert len(found.backend.eligible) == 2


def test_another_address_is_another_listener_of_the_same_routes() -> None:
    live = Live(Clock())
    mine = ingress("mine", "Prefix / -> shop:80")
    first = publish(compiled(config(SHOP, mine), None, live), live)
    node = NodeConfigSpec(ingress=IngressAddresses(http="127.0.0.1:9090"))
    moved = compiled(config(SHOP, mine, node=node), first, live)
    assert DOOR not in moved.table.listeners
    assert moved.table.listeners[ListenerKey("127.0.0.1", 9090)].routes is first.table.listeners[DOOR].routes


RULES = st.lists(
    st.sampled_from(
        [
            "Prefix a.com/ -> shop:80",
            "Prefix /x -> shop:http",
            "Exact /x -> none:80",
            "Prefix *.com/x/ -> far:80",
            "Prefix a.com/x -> shop:81",
        ]
    ),
    max_size=3,
)
WORLDS = st.tuples(
    st.dictionaries(st.sampled_from("ijk"), st.tuples(RULES, st.sampled_from(["", "shop:80", "none:1"]))),
    st.sets(st.sampled_from(["shop", "far", "none"])),
    st.booleans(),
)


def world(
    ingresses: dict[str, tuple[list[str], str]], services: set[str], class_is_ours: bool, known: dict[str, object]
) -> ConfigSet:
    """Objects that are equal to those in `known` are taken from there."""
    made: dict[str, Service | Ingress] = {
        "shop": SHOP,
        "none": service("none", cluster_ip="None"),
        "far": service("far", type="ExternalName", external_name="far.example", cluster_ip=""),
    }
    objects: list[Service | Ingress] = [made[name] for name in sorted(services)]
    for name, (rules, default) in ingresses.items():
        objects.append(ingress(name, *rules, default=default, ingress_class_name="mesh" if name == "k" else ""))
    same = [known.setdefault(repr(each), each) for each in objects]
    kind = ingress_class("mesh", "weft.dev/ingress" if class_is_ours else "else.where/ingress")
    return config(*same, kind)  # type: ignore[arg-type]


def dump(made: Compiled) -> object:
    """The outcome without the identity of live objects."""
    met = {
        (host, target): led_to(made, host, target)
        for host in ("a.com", "b.com", "c.org")
        for target in ("/", "/x", "/x/y", "/z")
        if DOOR in made.table.listeners
    }
    plans = dict(made.table.backends)
    return met, plans, dict(made.statuses), set(made.table.listeners)


@given(st.lists(WORLDS, max_size=6))
def test_compiling_step_by_step_gives_what_compiling_at_once_gives(
    worlds: list[tuple[dict[str, tuple[list[str], str]], set[str], bool]],
) -> None:
    live, known = Live(Clock()), {}  # type: ignore[var-annotated]
    made: Compiled | None = None
    for generation, each in enumerate(worlds, 1):
        written = world(*each, known)
        there = snapshot(generation, tuple(each[1]), **{name: {"http": (endpoint(generation),)} for name in each[1]})
        made = publish(compile(written, there, made, live), live)
        assert dump(made) == dump(compile(written, there, None, Live(Clock())))
        for key, backend in made.backends.items():
            assert backend.plan == made.table.backends[key]
        if DOOR in made.table.listeners and (routes := made.table.listeners[DOOR].routes):
            assert {id(rule.to.backend) for rule in routes.rules} <= set(map(id, made.backends.values()))


def test_an_equal_config_is_not_compiled_again() -> None:
    live = Live(Clock())
    written = config(SHOP, ingress("i", "Prefix / -> shop:80"))
    first = publish(compiled(written, None, live), live)
    again = compiled(replace(written), first, live)
    assert again.entrance.matcher is first.entrance.matcher
    assert dict(again.table.listeners) == dict(first.table.listeners)


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize(("ingresses", "each"), [(100, 10), (1, 1000)])
def test_no_step_is_long(ingresses: int, each: int) -> None:
    rules = [[f"Prefix h{number}.com/p{path} -> shop:80" for path in range(each)] for number in range(ingresses)]
    written = config(SHOP, *(ingress(f"i{number}", *group) for number, group in enumerate(rules)))
    longest = []
    for _ in range(3):  # the quickest of some, since the machine has other things to do
        spent = [0.0]
        steps = compile_steps(written, snapshot(), None, Live(Clock()))
        began = time.thread_time()
        for _ in steps:
            spent.append(time.thread_time() - began)
            began = time.thread_time()
        longest.append(max(spent))
    assert min(longest) < 0.005
