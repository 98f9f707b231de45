"""The set of objects: made of a list, compared with the one before."""

from __future__ import annotations

from config.configset import CLUSTER_WIDE, KINDS, ConfigSet, ConfigSetBuilder, Loaded
from config.errors import Fault
from config.meta import Named, ObjectKey, ObjectMeta, Source
from config.resources.core import Namespace, Service, ServicePort, ServiceSpec
from config.settings import NodeConfig, NodeConfigSpec


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(kind, "" if kind in CLUSTER_WIDE else "default", name)


def service(name: str, port: int = 80) -> Service:
    ports = (ServicePort(port=port),)
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(ports=ports))


def set_of(*items: Service | Namespace | NodeConfig, line: int = 1) -> ConfigSet:
    return ConfigSet.of((key(type(item).__name__, item.metadata.name), Source("f", line, 1), item) for item in items)


def test_objects_are_found_by_their_key() -> None:
    node = NodeConfig(metadata=ObjectMeta(name="laptop"), spec=NodeConfigSpec(cluster_domain="a.b"))
    config_set = set_of(service("web"), Namespace(metadata=ObjectMeta(name="shop")), node)
    assert config_set.services[Named("default", "web")] is config_set.get(key("Service", "web"))
    assert config_set.namespaces.keys() == {Named("", "shop")}
    assert config_set.node is node.spec
    assert config_set.get(key("NodeConfig", "laptop")) == node
    assert config_set.get(key("NodeConfig", "other")) is None
    assert config_set.get(key("Service", "other")) is None
    assert config_set.get(key("Pod", "web")) is None
    assert config_set.sources.keys() == {key("Service", "web"), key("Namespace", "shop"), key("NodeConfig", "laptop")}


def test_every_kind_has_a_place() -> None:
    for kind, struct in KINDS.items():
        item = NodeConfig(metadata=ObjectMeta(name="a")) if struct is NodeConfig else object()
        config_set = ConfigSet.of([(key(kind, "a"), Source("f", 1, 1), item)])
        assert config_set.get(key(kind, "a")) == item


def reusing(previous: ConfigSet, present: ConfigSet) -> ConfigSet:
    builder = ConfigSetBuilder(previous)
    for entry, source in present.sources.items():
        builder.add(entry, source, present.get(entry))
    return builder.finish()


def test_equal_objects_become_the_previous_ones() -> None:
    previous = set_of(service("a"), service("b"), service("c"))
    present = reusing(previous, set_of(service("a"), service("b", port=81), service("d"), line=9))
    assert list(present.services) == [Named("default", name) for name in "abd"]
    assert present.services[Named("default", "a")] is previous.services[Named("default", "a")]
    assert present.services[Named("default", "b")] is not previous.services[Named("default", "b")]
    assert present.services is not previous.services
    assert present.namespaces is previous.namespaces
    assert present.sources[key("Service", "a")].line == 9


def test_a_table_without_changes_is_the_previous_table() -> None:
    previous = set_of(service("a"), service("b"))
    present = reusing(previous, set_of(service("a"), service("b")))
    assert present.services is previous.services
    assert present.sources is previous.sources
    assert present.node is previous.node
    assert reusing(previous, set_of(service("a"))).services.keys() == {Named("default", "a")}


def test_errors_make_a_load_fail() -> None:
    where = Source("f", 1, 1)
    assert not Loaded(ConfigSet(), (Fault("warning", where, "a"), Fault("notice", where, "b"))).failed
    assert Loaded(ConfigSet(), (Fault("error", where, "a"),)).failed
