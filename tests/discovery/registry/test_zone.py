from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Namespace, ServicePort
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from discovery.registry import wire
from discovery.registry.content import Node, RRset
from discovery.registry.differences import zone_of
from discovery.registry.names import NOT_READY
from discovery.registry.serials import Serials
from discovery.registry.service_names import POSITIVE_TTL
from discovery.registry.wire import from_text, to_labels, to_wire
from discovery.registry.zone import View, Zone
from tests.discovery.objects import named, replica, service
from tests.discovery.registry.making import ALL, DB, EMPTY, SHOP, existing, view, written

EXISTS = [
    "cluster.local", "svc.cluster.local", "pod.cluster.local", "dns-version.cluster.local", "dns.cluster.local",
    "ns.dns.cluster.local", "default.svc.cluster.local", "data.svc.cluster.local", "default.pod.cluster.local",
    "shop.default.svc.cluster.local", "_tcp.shop.default.svc.cluster.local",
    "_http._tcp.shop.default.svc.cluster.local", "_dns._udp.shop.default.svc.cluster.local",
    "db.data.svc.cluster.local", "db-0.db.data.svc.cluster.local", "127-97-0-6.db.data.svc.cluster.local",
    "127-97-0-6.data.pod.cluster.local", "127-97-0-7.data.pod.cluster.local",
    "alias.default.svc.cluster.local", "96.127.in-addr.arpa", "1.96.127.in-addr.arpa",
    "1.1.96.127.in-addr.arpa", "5.0.97.127.in-addr.arpa",
]  # fmt: skip
IS_DENIED = [
    "www.cluster.local", "shop.cluster.local", "other.svc.cluster.local", "other.default.svc.cluster.local",
    "db.default.svc.cluster.local", "_http._udp.shop.default.svc.cluster.local",
    "x.shop.default.svc.cluster.local", "127-97-0-7.db.data.svc.cluster.local", "db-1.db.data.svc.cluster.local",
    "empty.default.svc.cluster.local", "x.empty.default.svc.cluster.local", "127-97-0-5.default.pod.cluster.local",
    "db-0.data.pod.cluster.local", "other.pod.cluster.local", "127-97-0-5.other.pod.cluster.local",
    "x.127-97-0-6.data.pod.cluster.local", "2.1.96.127.in-addr.arpa", "7.0.97.127.in-addr.arpa",
    "x.96.127.in-addr.arpa", "1.1.1.96.127.in-addr.arpa", "x.dns-version.cluster.local",
]  # fmt: skip
IS_NOT_OURS = [
    "local",
    "",
    "example.com",
    "xcluster.local",
    "in-addr.arpa",
    "127.in-addr.arpa",
    "1.0.0.10.in-addr.arpa",
]


def rrset(node: Node | None, kind: int) -> tuple[bytes, ...]:
    (found,) = (each.datas for each in node or () if each.type == kind)
    return found


def test_what_exists_what_does_not_and_what_is_not_ours() -> None:
    made = view()
    for name in EXISTS:
        found = made.find(from_text(name))
        assert found is not None, name
        assert found.node is not None, name
    for name in IS_DENIED:
        found = made.find(from_text(name))
        assert found is not None, name
        assert found.node is None, name
    for name in IS_NOT_OURS:
        assert made.find(from_text(name)) is None, name


def test_a_label_that_looks_like_the_end_of_another_is_none() -> None:
    made = view()
    assert made.find((b"shop.default", b"svc", b"cluster", b"local")) is not None
    assert made.find((b"a\x07cluster\x05local",)) is None


def test_why_a_service_has_no_names() -> None:
    found = view().find(from_text("empty.default.svc.cluster.local"))
    assert found is not None
    assert found.reason is not None
    assert found.reason.code == NOT_READY


def test_namespaces_that_are_written_exist_without_services() -> None:
    config_set = replace(written(SHOP), namespaces={Named("", "idle"): Namespace(metadata=ObjectMeta("idle"))})
    found = Zone(Serials(0)).update(config_set, existing(config_set).snapshot).find(from_text("idle.svc.cluster.local"))
    assert found is not None
    assert found.node == ()


def test_the_zone_and_its_server() -> None:
    spec = "{clusterDomain: my.zone, dns: '0.0.0.0:53', nodeAddresses: [10.1.2.3]}"
    node = f"apiVersion: weft.dev/v1\nkind: NodeConfig\nmetadata: {{name: node}}\nspec: {spec}"
    made = view(f"{node}\n---\n{SHOP}")
    apex, server = made.find(from_text("my.zone")), made.find(from_text("ns.dns.my.zone"))
    assert apex is not None
    assert apex.node is not None
    assert to_labels(rrset(apex.node, wire.NS)[0]) == (b"ns", b"dns", b"my", b"zone")
    assert server is not None
    assert server.node == (RRset(wire.A, POSITIVE_TTL, (bytes((10, 1, 2, 3)),)),)
    assert made.find(from_text("shop.default.svc.my.zone")) is not None


def test_an_address_outside_of_our_networks_has_a_name_if_an_endpoint_has_it() -> None:
    text = ALL.replace("127.97.0.5", "192.0.2.5")
    made = view(text)
    found = made.find(from_text("5.2.0.192.in-addr.arpa"))
    assert found is not None
    assert found.node is not None
    assert [each.type for each in found.node] == [wire.PTR, wire.SOA, wire.NS]
    assert found.node[1].datas == (found.soa,)
    assert made.find(from_text("6.2.0.192.in-addr.arpa")) is None


def test_an_address_of_two_services_has_two_names() -> None:
    both = [service(name, ServicePort(port=1), cluster_ip="None") for name in ("a", "b")]
    config_set = ConfigSet(services=named(*both))
    catalog = Catalog()
    catalog.define(config_set.services)
    given_ = {Named("default", name): {"1": (Endpoint("10.0.0.1", 1),)} for name in "ab"}
    catalog.put_endpoints("test", given_)
    zone = Zone(Serials(0))
    name = from_text("1.0.0.10.in-addr.arpa")
    assert len(pointers(zone.update(config_set, catalog.snapshot), name)) == 2
    catalog.change_endpoints("test", {Named("default", "a"): {}})
    assert len(pointers(zone.update(config_set, catalog.snapshot), name)) == 1
    catalog.change_endpoints("test", {Named("default", "b"): {}})
    assert zone.update(config_set, catalog.snapshot).find(name) is None


def pointers(made: View, name: wire.Labels) -> tuple[bytes, ...]:
    found = made.find(name)
    assert found is not None
    assert found.node is not None
    return rrset(found.node, wire.PTR)


def test_a_headless_service_without_ports_has_its_endpoints() -> None:
    text = DB.replace("ports: [{name: pg, port: 5432}]}", "}").replace("ports: [{name: pg, port: 15432}]", "ports: []")
    made = view(text)
    found = made.find(from_text("db.data.svc.cluster.local"))
    assert found is not None
    assert found.node == (RRset(wire.A, POSITIVE_TTL, (b"\x7f\x61\0\5", b"\x7f\x61\0\6")),)
    assert made.find(from_text("db-0.db.data.svc.cluster.local")) is not None
    config_set = ConfigSet(services=named(service("app", cluster_ip="None", selector={"app": "shop"})))
    [(key, portless)] = config_set.services.items()
    config_set = replace(config_set, services={key: replace(portless, spec=replace(portless.spec, ports=()))})
    catalog = Catalog()
    catalog.define(config_set.services)
    catalog.put_replicas("test", [replica(1)])
    found = Zone(Serials(0)).update(config_set, catalog.snapshot).find(from_text("app.default.svc.cluster.local"))
    assert found is not None
    assert found.node is not None
    assert len(rrset(found.node, wire.A)) == 1


def test_names_that_dns_cannot_say_are_left_out() -> None:
    long = Named("n" * 63, "s" * 63)
    spec = service(long.name, ServicePort(port=1, name="http"), namespace=long.namespace, cluster_ip="10.96.0.1")
    domain = ".".join(["d" * 63] * 2)
    config_set = ConfigSet(services={long: spec})
    config_set = replace(config_set, node=replace(config_set.node, cluster_domain=domain))
    catalog = Catalog()
    catalog.define(config_set.services)
    made = Zone(Serials(0)).update(config_set, catalog.snapshot)
    assert made.services[long.namespace.encode(), long.name.encode()].made.nodes == {}


def test_only_what_changed_is_made_anew_and_is_named() -> None:
    config_set = written(ALL)
    catalog = existing(config_set)
    zone = Zone(Serials(7))
    before = zone.update(config_set, catalog.snapshot)
    names, namespaces = dict(before.services), before.namespaces
    assert before.moved is None
    assert before.find(from_text("9.0.0.10.in-addr.arpa")) is None
    catalog.put_endpoints("other", {Named("default", "empty"): {"pg": (Endpoint("10.0.0.9", 5432),)}})
    after = zone.update(config_set, catalog.snapshot)
    changed = {key for key in after.services if after.services[key] is not names[key]}
    assert changed == {(b"default", b"empty")}
    assert after.namespaces is namespaces
    assert after.find(from_text("9.0.0.10.in-addr.arpa")) is not None
    assert soa_of(after, "cluster.local")[-20:-16] == (9).to_bytes(4, "big")
    domain = "empty.default.svc.cluster.local"
    prefixes = ["", "_tcp.", "_pg._tcp.", "10-0-0-9."]
    moved = [*(f"{prefix}{domain}" for prefix in prefixes), "9.0.0.10.in-addr.arpa"]
    assert after.moved == {to_wire(from_text(name)) for name in (*moved, "10-0-0-9.default.pod.cluster.local")}


def test_endpoints_that_no_name_tells_of_move_no_serial() -> None:
    config_set = written(SHOP)
    catalog = existing(config_set)
    zone = Zone(Serials(7))
    shop = Named("default", "shop")
    catalog.put_endpoints("other", {shop: {"http": (Endpoint("10.0.0.9", 1),)}})
    before = serials_of(zone.update(config_set, catalog.snapshot))
    catalog.put_endpoints("other", {shop: {"http": (Endpoint("10.0.0.9", 1, ready=False),)}})
    after = zone.update(config_set, catalog.snapshot)
    assert (after.moved, serials_of(after)) == (frozenset(), before)


def soa_of(made: View, name: str) -> bytes:
    found = made.find(from_text(name))
    assert found is not None
    return found.soa


REVERSE = ("96.127.in-addr.arpa", "97.127.in-addr.arpa")


def serials_of(made: View, *others: str) -> dict[str, int]:
    """By zone; asked of what is denied in it, as of its SOA record."""
    found = {}
    for zone in ("cluster.local", *REVERSE, *others):
        asked = made.find(from_text(zone))
        if asked is None:
            continue
        denial = made.find(from_text(f"x.{zone}"))
        assert asked.node is not None
        [soa] = rrset(asked.node, wire.SOA)
        if denial is not None:
            assert denial.soa == soa
        found[zone] = int.from_bytes(soa[-20:-16], "big")
    return found


def test_each_zone_has_a_serial_of_its_own() -> None:
    config_set = written(ALL)
    catalog, zone = existing(config_set), Zone(Serials(7))
    empty, outside = Named("default", "empty"), "9.0.0.10.in-addr.arpa"
    expected = {"cluster.local": 8, REVERSE[0]: 8, REVERSE[1]: 8}
    assert serials_of(zone.update(config_set, catalog.snapshot)) == expected
    for address, other in (("127.97.0.9", REVERSE[1]), ("10.0.0.9", outside)):
        catalog.put_endpoints("other", {empty: {"pg": (Endpoint(address, 5432),)}})
        made = zone.update(config_set, catalog.snapshot)
        expected |= dict.fromkeys(("cluster.local", other), expected["cluster.local"] + 1)
        if other == outside:
            expected[REVERSE[1]] = expected[outside]  # the address before left it
        assert serials_of(made, outside) == expected
    catalog.put_endpoints("other", {empty: {"pg": (Endpoint("10.0.0.9", 5433),)}})
    expected["cluster.local"] += 1
    assert serials_of(zone.update(config_set, catalog.snapshot), outside) == expected


def test_settings_that_no_name_tells_of_move_no_serial() -> None:
    config_set = written(ALL)
    catalog, zone = existing(config_set), Zone(Serials(7))
    before = serials_of(zone.update(config_set, catalog.snapshot))
    same = replace(config_set, node=replace(config_set.node, node_addresses=("10.1.1.1",)))
    assert serials_of(zone.update(same, catalog.snapshot)) == before
    labelled = Named("default", "shop")
    spec = replace(same.services[labelled], metadata=replace(same.services[labelled].metadata, labels={"a": "b"}))
    labels = replace(same, services={**same.services, labelled: spec})
    catalog.define(labels.services)
    assert serials_of(zone.update(labels, catalog.snapshot)) == before
    address = replace(labels, node=replace(labels.node, dns="127.0.0.9:53"))
    assert serials_of(zone.update(address, catalog.snapshot)) == {**before, "cluster.local": 9}


def everything(made: View) -> dict[str, frozenset[object]]:
    """The records of each zone, without SOA."""
    found: dict[str, set[object]] = {"cluster.local": {*made.own.items(), *made.namespaces}}
    for key, names in made.services.items():
        found["cluster.local"] |= {(key, *item) for item in names.made.nodes.items()}
    found["cluster.local"] |= {(namespace, text) for namespace, pods in made.pods.items() for text in pods}
    for address, owners in made.owners.items():
        pointers = frozenset(data for key in owners for data in made.services[key].reverse[address])
        zone = b".".join(to_labels(zone_of(address, made.networks))).decode()
        found.setdefault(zone, set()).add((address, pointers))
    return {zone: frozenset(records) for zone, records in found.items()}


ADDRESSES = st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"]), unique=True)
CHANGES = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.tuples(ADDRESSES, st.booleans(), st.booleans())), max_size=12
)


Change = tuple[str, tuple[list[str], bool, bool] | None]
"""Of a Service: its endpoints' addresses, whether it is headless, whether they are ready; None: it goes."""


def after_each(changes: list[Change], config_set: ConfigSet, catalog: Catalog) -> Iterator[ConfigSet]:
    """What is written after each change; `catalog` knows of it too."""
    for name, what in changes:
        key = Named("default", name)
        services = {each: value for each, value in config_set.services.items() if each != key}
        if what is not None:
            addresses, headless, ready = what
            ip = "None" if headless else f"10.96.0.{ord(name)}"
            services[key] = service(name, ServicePort(port=80, name="http"), cluster_ip=ip)
            endpoints = {"http": tuple(Endpoint(address, 80, ready=ready) for address in addresses)}
            catalog.change_endpoints("test", {key: endpoints})
        config_set = replace(config_set, services=services)
        catalog.define(services)
        yield config_set


@given(CHANGES)
def test_a_zone_that_followed_every_change_is_the_one_made_at_once(changes: list[Change]) -> None:
    catalog, zone, config_set = Catalog(), Zone(Serials(0)), ConfigSet()
    for config_set in after_each(changes, ConfigSet(), catalog):
        zone.update(config_set, catalog.snapshot)
    at_once = Zone(Serials(0)).update(config_set, catalog.snapshot)
    followed = zone.update(config_set, catalog.snapshot)
    assert followed.services == at_once.services
    assert {k: set(v) for k, v in followed.owners.items()} == {k: set(v) for k, v in at_once.owners.items()}
    assert followed.namespaces == at_once.namespaces
    assert followed.pods == at_once.pods


@given(CHANGES)
def test_a_serial_rises_when_the_content_of_its_zone_changes_and_only_then(changes: list[Change]) -> None:
    catalog, zone = Catalog(), Zone(Serials(7))
    first = replace(ConfigSet(), node=replace(ConfigSet().node, pod_cidr="10.0.0.0/31"))
    was = everything(zone.update(first, catalog.snapshot))
    last = dict.fromkeys(was, 8)
    for config_set in after_each(changes, first, catalog):
        made = zone.update(config_set, catalog.snapshot)
        now = everything(made)
        for each in now:
            serial = int.from_bytes(soa_of(made, each)[-20:-16], "big")
            if now[each] == was.get(each):
                assert serial == last[each], each
            else:
                assert serial > last.get(each, 7), each
            last[each] = serial
        was = now


def test_a_zone_of_a_changed_domain_is_made_anew() -> None:
    config_set = written(EMPTY)
    zone = Zone(Serials(0))
    zone.update(config_set, existing(config_set).snapshot)
    other = replace(config_set, node=replace(config_set.node, cluster_domain="z"))
    made = zone.update(other, existing(config_set).snapshot)
    assert made.find(from_text("default.svc.z")) is not None
    assert made.find(from_text("default.svc.cluster.local")) is None
