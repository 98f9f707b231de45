"""Who gets which address: explicit, remembered, new; the same every time; faults that name both."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.configset import ConfigSet
from config.local_ports import local_ports
from config.meta import Named, ObjectKey, ObjectMeta, Source
from config.resources.core import GIVEN, Service, ServicePort, ServiceSpec
from config.settings import NODE_PORTS, NodeConfigSpec, ServiceRange
from discovery.allocation import Allocated, address_band, allocate
from discovery.assignments import Assignments
from tests.texts import DIGITS, LETTERS, begun

HTTP = (ServicePort(80, "http"),)
NONE = Assignments()


def service(name: str, created: str = "", **spec: object) -> Service:
    meta = ObjectMeta(name, "default", creation_timestamp=created)
    return Service(meta, ServiceSpec(**{"ports": HTTP, **spec}))  # type: ignore[arg-type]


def config(*services: Service, cidr: str = "127.96.0.0/16", reach: str = "loopback") -> ConfigSet:
    found = {Named("default", each.metadata.name): each for each in services}
    sources = {ObjectKey("Service", *named): Source("m.yaml", i, 1) for i, named in enumerate(found, 1)}
    node = NodeConfigSpec(service_range=ServiceRange(cidr, reach))  # type: ignore[arg-type]
    return ConfigSet(services=found, sources=sources, node=node)


def address(allocated: Allocated, name: str) -> str:
    return allocated.config_set.services[Named("default", name)].spec.cluster_ip


def node_ports(allocated: Allocated, name: str) -> list[int]:
    return [port.node_port for port in allocated.config_set.services[Named("default", name)].spec.ports]


def test_a_new_service_gets_an_address_above_the_band() -> None:
    allocated = allocate(config(service("web")), NONE)
    given_out = ip_address(address(allocated, "web"))
    assert given_out in ip_network("127.96.0.0/16")
    assert int(given_out) - int(ip_address("127.96.0.0")) > 256
    assert allocated.assignments.cluster_ips == {"default/web": str(given_out)}
    assert allocated.faults == ()


def test_what_a_registry_gave_comes_before_what_was_remembered() -> None:
    def given_by_a_registry(name: str, text: str) -> Service:
        made = service(name)
        return replace(made, metadata=replace(made.metadata, annotations={GIVEN: text}))

    before = Assignments(cluster_ips={"default/web": "127.96.9.9", "default/shop": "127.96.9.8"})
    allocated = allocate(config(given_by_a_registry("web", "127.96.9.8"), service("shop")), before)
    assert address(allocated, "web") == "127.96.9.8" == allocated.assignments.cluster_ips["default/web"]
    assert address(allocated, "shop") != "127.96.9.8"
    for unfit in ("10.0.0.1", "nonsense", ""):
        assert address(allocate(config(given_by_a_registry("web", unfit)), before), "web") == "127.96.9.9"


def test_the_address_follows_from_the_name_alone() -> None:
    alone = address(allocate(config(service("web")), NONE), "web")
    among = address(allocate(config(*(service(f"s{i}") for i in range(50)), service("web")), NONE), "web")
    assert alone == among


def test_clusterips_hold_it_too() -> None:
    spec = allocate(config(service("web")), NONE).config_set.services[Named("default", "web")].spec
    assert spec.cluster_ips == (spec.cluster_ip,)


@pytest.mark.parametrize(
    "unchanged",
    [
        service("a", cluster_ip="None"),
        service("b", type="ExternalName", external_name="db.example.com"),
        service("c", cluster_ip="127.96.0.10"),
        service("d", cluster_ip="127.96.0.11", type="NodePort", ports=(ServicePort(80, node_port=30001),)),
        service("e", cluster_ip="127.96.0.12", type="LoadBalancer", allocate_load_balancer_node_ports=False),
    ],
    ids=["headless", "ExternalName", "explicit", "NodePort", "LoadBalancer without node ports"],
)
def test_who_wants_nothing_stays_the_same_object(unchanged: Service) -> None:
    before = config(unchanged)
    allocated = allocate(before, NONE)
    assert allocated.config_set is before
    assert allocated.assignments == NONE
    beside = allocate(config(unchanged, service("web")), NONE)
    assert beside.config_set.services[Named("default", unchanged.metadata.name)] is unchanged


def test_remembered_ones_stay() -> None:
    remembered = Assignments({"default/web": "127.96.9.9"}, {"default/web/TCP/http": 31313})
    allocated = allocate(config(service("web", type="NodePort")), remembered)
    assert address(allocated, "web") == "127.96.9.9"
    assert node_ports(allocated, "web") == [31313]
    assert allocated.assignments == remembered


def test_remembered_ones_go_with_their_service() -> None:
    remembered = Assignments({"default/gone": "127.96.9.9"}, {"default/gone/TCP/http": 31313})
    assert set(allocate(config(service("web")), remembered).assignments.cluster_ips) == {"default/web"}


def test_explicit_ones_win_over_remembered_ones() -> None:
    remembered = Assignments({"default/web": "127.96.9.9"}, {"default/web/TCP/http": 31313})
    taker = service("new", cluster_ip="127.96.9.9", type="NodePort", ports=(ServicePort(80, node_port=31313),))
    allocated = allocate(config(service("web", type="NodePort"), taker), remembered)
    assert address(allocated, "new") == "127.96.9.9"
    assert address(allocated, "web") not in ("", "127.96.9.9")
    assert node_ports(allocated, "web") not in ([0], [31313])
    assert allocated.faults == ()


def test_explicit_ones_win_over_hashed_ones() -> None:
    hashed = address(allocate(config(service("web")), NONE), "web")
    allocated = allocate(config(service("web"), service("new", cluster_ip=hashed)), NONE)
    assert address(allocated, "new") == hashed
    assert int(ip_address(address(allocated, "web"))) == int(ip_address(hashed)) + 1


@pytest.mark.parametrize("text", ["10.0.0.1", "127.96.0.0", "127.96.255.255", "::1", "web", ""])
def test_remembered_ones_that_do_not_fit_are_forgotten(text: str) -> None:
    allocated = allocate(config(service("web", type="NodePort")), Assignments({"default/web": text}, {}))
    assert address(allocated, "web") == address(allocate(config(service("web")), NONE), "web")


def test_two_that_remember_the_same() -> None:
    both = Assignments({"default/a": "127.96.9.9", "default/b": "127.96.9.9"}, {})
    allocated = allocate(config(service("a"), service("b")), both)
    assert address(allocated, "a") == "127.96.9.9"
    assert address(allocated, "b") not in ("", "127.96.9.9")


def test_an_address_of_another_cluster_is_replaced() -> None:
    allocated = allocate(config(service("web", cluster_ip="10.96.0.1", cluster_ips=("10.96.0.1",))), NONE)
    assert ip_address(address(allocated, "web")) in ip_network("127.96.0.0/16")


@pytest.mark.parametrize(
    ("first", "second", "path", "words"),
    [
        ({"cluster_ip": "127.96.0.10"}, {"cluster_ip": "127.96.0.10"}, "spec.clusterIP", "127.96.0.10 belongs to"),
        (
            {"type": "NodePort", "ports": (ServicePort(80, node_port=30001),)},
            {"type": "NodePort", "ports": (ServicePort(81, node_port=30001),)},
            "spec.ports[0].nodePort",
            "30001 belongs to",
        ),
        (
            {"type": "LoadBalancer", "health_check_node_port": 30001},
            {"type": "LoadBalancer", "health_check_node_port": 30001},
            "spec.healthCheckNodePort",
            "30001 belongs to",
        ),
    ],
    ids=["clusterIP", "nodePort", "healthCheckNodePort"],
)
def test_conflicts_name_both(first: dict[str, object], second: dict[str, object], path: str, words: str) -> None:
    allocated = allocate(config(service("a", **first), service("b", **second)), NONE)
    (fault,) = allocated.faults
    assert (fault.severity, fault.object, fault.path) == ("error", ObjectKey("Service", "default", "b"), path)
    assert fault.source == Source("m.yaml", 2, 1)
    assert fault.message == f"{words} Service/default/a (m.yaml:1:1)"
    assert set(allocated.config_set.services) == {Named("default", "a")}
    assert "default/b" not in allocated.assignments.cluster_ips


def test_the_older_service_keeps_it() -> None:
    older = service("z", "2024-01-01T00:00:00Z", cluster_ip="127.96.0.10")
    younger = service("a", "2024-02-01T00:00:00Z", cluster_ip="127.96.0.10")
    assert set(allocate(config(younger, older), NONE).config_set.services) == {Named("default", "z")}


def test_one_service_may_use_a_node_port_for_two_protocols() -> None:
    ports = (ServicePort(53, "a", "TCP", node_port=30053), ServicePort(53, "b", "UDP", node_port=30053))
    assert allocate(config(service("dns", type="NodePort", ports=ports)), NONE).faults == ()


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_node_ports_are_given_out_above_the_band(kind: str) -> None:
    ports = (ServicePort(80, "http"), ServicePort(443, "https", node_port=30443), ServicePort(53, "dns", "UDP"))
    allocated = allocate(config(service("web", type=kind, ports=ports)), NONE)
    first, second, third = node_ports(allocated, "web")
    assert second == 30443
    assert all(number in NODE_PORTS and number >= 30086 for number in (first, third))
    assert allocated.assignments.node_ports == {"default/web/TCP/http": first, "default/web/UDP/dns": third}


@pytest.mark.parametrize(
    ("size", "band"), [(28, 0), (27, 16), (26, 16), (24, 16), (20, 256), (16, 256), (12, 256), (30, 0)]
)
def test_the_band_of_kep_3070(size: int, band: int) -> None:
    assert address_band(ip_network(f"10.0.0.0/{size}")) == band


def test_the_band_is_used_when_all_else_is_taken() -> None:
    names = [f"s{i}" for i in range(30)]
    allocated = allocate(config(*map(service, names), cidr="127.96.0.0/27"), NONE)
    assert allocated.faults == ()
    assert {address(allocated, name) for name in names} == {f"127.96.0.{i}" for i in range(1, 31)}


def test_a_range_that_is_used_up_is_a_clear_fault() -> None:
    allocated = allocate(config(*(service(f"s{i}") for i in range(8)), cidr="127.96.0.0/29"), NONE)
    assert len(allocated.config_set.services) == 6
    assert {fault.path for fault in allocated.faults} == {"spec.clusterIP"}
    assert "127.96.0.0/29 is taken: enlarge it" in allocated.faults[0].message


def test_node_ports_that_are_used_up_are_a_clear_fault() -> None:
    many = tuple(ServicePort(port, f"p{port}") for port in range(1, len(NODE_PORTS) + 1))
    allocated = allocate(config(service("a", type="NodePort", ports=many), service("b", type="NodePort")), NONE)
    assert sorted(node_ports(allocated, "a")) == list(NODE_PORTS)
    (fault,) = allocated.faults
    assert fault.object == ObjectKey("Service", "default", "b")
    assert "every node port of 30000-32767 is taken" in fault.message


@pytest.mark.parametrize(
    ("cidr", "reach", "words"),
    [("10.96.0.0/16", "loopback", "reach: route"), ("nowhere", "route", "ADDRESS/BITS")],
)
def test_a_range_that_cannot_be_gives_nothing_out(cidr: str, reach: str, words: str) -> None:
    before = config(service("web"), cidr=cidr, reach=reach)
    key = ObjectKey("NodeConfig", "", "laptop")
    before = replace(before, sources={**before.sources, key: Source("node.yaml", 7, 3)})
    allocated = allocate(before, NONE)
    (fault,) = allocated.faults
    assert allocated.config_set is before
    assert (fault.object, fault.source, fault.path) == (key, Source("node.yaml", 7, 3), "spec.serviceRange.cidr")
    assert words in fault.message


TWO = {"cluster_ip": "fd00::9", "cluster_ips": ("fd00::9", "127.96.0.9")}


@pytest.mark.parametrize(
    ("created", "cidr", "reach", "expected"),
    [
        ("", "127.96.0.0/16", "loopback", ("fd00::9", "127.96.0.9")),
        ("", "fd00::/108", "route", ("fd00::9", "127.96.0.9")),
        ("2024-05-01T10:00:00Z", "127.96.0.0/16", "loopback", ("127.96.0.9",)),
        ("2024-05-01T10:00:00Z", "fd00::/108", "route", ("fd00::9",)),
    ],
    ids=["IPv4", "IPv6", "IPv4, of another cluster", "IPv6, of another cluster"],
)
def test_addresses_of_two_families(created: str, cidr: str, reach: str, expected: tuple[str, ...]) -> None:
    """One is of the range, whichever comes first; what another cluster gave out beside it leads nowhere here."""
    taking = Assignments({"default/other": expected[-1] if reach == "loopback" else expected[0]})
    allocated = allocate(config(service("two", created, **TWO), service("other"), cidr=cidr, reach=reach), taking)
    spec = allocated.config_set.services[Named("default", "two")].spec
    assert (spec.cluster_ip, spec.cluster_ips) == (expected[0], expected)
    assert address(allocated, "other") not in expected
    assert allocated.faults == ()


def test_who_stated_an_address_as_its_second_keeps_it() -> None:
    one, two = service("a", cluster_ip="127.96.0.9"), service("b", **TWO)
    for before, loser, path in ((config(two), "a", "spec.clusterIP"), (config(one), "b", "spec.clusterIPs")):
        (fault,) = allocate(config(one, two), NONE, before).faults
        assert (fault.object, fault.path) == (ObjectKey("Service", "default", loser), path)


def test_an_ipv6_range() -> None:
    allocated = allocate(config(service("web"), cidr="fd00::/64", reach="route"), NONE)
    assert ip_address(address(allocated, "web")) in ip_network("fd00::/64")


names = st.lists(begun(LETTERS, LETTERS + DIGITS, 4), unique=True, max_size=40)


@given(names, names, st.sampled_from(["127.96.0.0/16", "127.96.0.0/26", "127.96.0.0/27"]))
def test_addresses_are_unique_and_stay(first: list[str], second: list[str], cidr: str) -> None:
    """Whatever comes and goes: no two Services share a number, and who stays keeps what it has."""
    before = allocate(config(*(service(name, type="NodePort") for name in first), cidr=cidr), NONE)
    after = allocate(config(*(service(name, type="NodePort") for name in second), cidr=cidr), before.assignments)
    for allocated in (before, after):
        services = allocated.config_set.services
        addresses = [each.spec.cluster_ip for each in services.values()]
        ports = [each.spec.ports[0].node_port for each in services.values()]
        assert len(set(addresses)) == len(addresses)
        assert len(set(ports)) == len(ports)
        assert all(ip_address(each) in ip_network(cidr) for each in addresses)
        assert {f"default/{named.name}" for named in services} == set(allocated.assignments.cluster_ips)
    for name in set(first) & set(second) & {named.name for named in before.config_set.services}:
        assert address(after, name) == address(before, name)
        assert node_ports(after, name) == node_ports(before, name)


def test_a_second_run_changes_nothing() -> None:
    before = config(*(service(f"s{i}", type="NodePort") for i in range(300)))
    first = allocate(before, NONE)
    assert allocate(before, first.assignments) == first


def test_3000_services_are_quick() -> None:
    """Twenty times what a quiet machine needs: this catches what is not linear, on a busy machine too."""
    before = config(*(service(f"service-{i}", type="NodePort" if i % 2 else "ClusterIP") for i in range(3000)))
    started = time.process_time()
    allocated = allocate(before, NONE)
    assert time.process_time() - started < 1.0
    assert len(allocated.assignments.cluster_ips) == 3000


def test_a_health_check_gets_a_node_port_and_keeps_it() -> None:
    written = service("web", type="LoadBalancer", external_traffic_policy="Local")
    allocated = allocate(config(written), NONE)
    spec = allocated.config_set.services[Named("default", "web")].spec
    assert spec.health_check_node_port in NODE_PORTS
    assert spec.health_check_node_port != spec.ports[0].node_port
    assert allocated.assignments.node_ports["default/web/healthCheckNodePort"] == spec.health_check_node_port
    again = allocate(config(service("aaa", type="NodePort"), written), allocated.assignments)
    assert again.config_set.services[Named("default", "web")].spec == spec
    cluster = service("web", type="LoadBalancer")
    assert allocate(config(cluster), NONE).config_set.services[Named("default", "web")].spec.health_check_node_port == 0


def test_ports_of_this_machine_are_given_out_and_remembered() -> None:
    written = config(service("web"), service("only-a-name", cluster_ip="None"), reach="ports")
    allocated = allocate(written, NONE)
    given = local_ports(allocated.config_set.services[Named("default", "web")])
    assert allocated.assignments.local_ports == {"default/web/TCP/http": given["http"]}
    assert allocate(written, Assignments(local_ports={"default/web/TCP/http": 20007})).assignments.local_ports == {
        "default/web/TCP/http": 20007
    }
    assert allocate(config(service("web")), allocated.assignments).assignments.local_ports == {}


def test_when_the_ports_of_this_machine_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("discovery.local_ports.LOCAL_PORTS", range(20000, 20001))
    allocated = allocate(config(service("a"), service("b"), reach="ports"), NONE)
    assert set(allocated.config_set.services) == {Named("default", "a")}
    (fault,) = allocated.faults
    assert (fault.severity, fault.path) == ("error", "spec.ports")
    assert "127.0.0.1" in fault.message
