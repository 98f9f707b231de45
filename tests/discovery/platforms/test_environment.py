from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given

from config.configset import ConfigSet
from config.local_ports import with_local_ports
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap, Secret, Service, ServicePort, ServiceSpec
from config.resources.workloads import (
    Container,
    EnvFromSource,
    EnvSource,
    EnvVar,
    EnvVarSource,
    FieldSelector,
    KeySelector,
)
from discovery.endpoint import ReplicaPort
from discovery.platforms.environment import (
    MissingReference,
    PodFacts,
    environment,
    expand,
    service_variables,
    variables_beneath,
)
from tests.texts import texts

POD = PodFacts(
    name="shop-abc-1",
    namespace="default",
    address="127.97.0.1",
    node="laptop",
    node_address="127.0.0.1",
    hostname="shop-abc-1",
    labels={"app": "shop", "example.com/tier": "web"},
    annotations={"note": "hello"},
)
HTTP, METRICS, NEIGHBOUR = (
    ReplicaPort(8080, 12001, "http"),
    ReplicaPort(9090, 12002, "web-metrics"),
    ReplicaPort(1, 12003),
)
META = ObjectMeta(name="settings", namespace="default")
PASSWORD = base64.b64encode("pä$(X)".encode()).decode()


def exposed(namespace: str, name: str, address: str) -> Service:
    meta = ObjectMeta(name=name, namespace=namespace)
    return Service(meta, ServiceSpec(cluster_ip=address, ports=(ServicePort(port=80),)))


CONFIG = ConfigSet(
    config_maps={Named("default", "settings"): ConfigMap(META, data={"colour": "blue", "a=b": "never"})},
    secrets={
        Named("default", "settings"): Secret(
            META, data={"password": PASSWORD, "both": "b2xk"}, string_data={"both": "new"}
        ),
        Named("default", "broken"): Secret(ObjectMeta(name="broken", namespace="default"), data={"password": "a"}),
    },
    services={
        Named("default", "port"): exposed("default", "port", "10.0.0.1"),
        Named("other", "far"): exposed("other", "far", "10.0.0.2"),
    },
)

EXPANSIONS = {
    "a value": ("$(A)", "1"),
    "within text": ("x$(A)y$(B)z", "x1y$(A)z"),
    "values are not expanded again": ("$(B)", "$(A)"),
    "unknown names stay": ("$(NOPE)-$(A)", "$(NOPE)-1"),
    "escaped": ("$$(A)", "$(A)"),
    "escaped twice": ("$$$$(A)", "$$(A)"),
    "escaped, then a value": ("$$$(A)", "$1"),
    "dollar at the end": ("A$", "A$"),
    "dollar before a letter": ("$A $(A)", "$A 1"),
    "not closed": ("$(A", "$(A"),
    "empty name": ("$()", "$()"),
    "a shell's braces": ("${A}", "${A}"),
}


@pytest.mark.parametrize("name", EXPANSIONS)
def test_expand(name: str) -> None:
    text, expected = EXPANSIONS[name]
    assert expand(text, {"A": "1", "B": "$(A)"}) == expected


@given(texts(20, "$()AB "))
def test_expanding_an_escaped_text_gives_the_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"A": "1"}) == text


def variables(*env: EnvVar, **container: Any) -> dict[str, str]:
    spec = Container(name="main", env=env, **container)
    beneath = variables_beneath("default", CONFIG, {"PATH": "/bin", "LANG": "C", "TOKEN": "secret"})
    return environment(spec, POD, CONFIG, beneath, own=(HTTP, METRICS), others=(NEIGHBOUR,))


def test_what_everyone_gets() -> None:
    found = variables()
    assert found == found | {
        "PATH": "/bin",
        "LANG": "C",
        "HOSTNAME": "shop-abc-1",
        "HOST": "127.97.0.1",
        "PORT": "12001",
        "PORT_HTTP": "12001",
        "PORT_8080": "12001",
        "PORT_WEB_METRICS": "12002",
        "PORT_9090": "12002",
        "PORT_1": "12003",
        "PORT_SERVICE_HOST": "10.0.0.1",
    }
    assert not {"TOKEN", "HOME", "FAR_SERVICE_HOST"} & found.keys()


def test_a_container_without_ports_has_no_port_of_its_own() -> None:
    found = environment(Container(name="main"), POD, ConfigSet(), {}, others=(HTTP,))
    assert "PORT" not in found
    assert found["PORT_HTTP"] == "12001"


def secret(name: str, key: str, *, optional: bool = False) -> EnvVarSource:
    return EnvVarSource(secret_key_ref=KeySelector(key=key, name=name, optional=optional))


def config_map(name: str, key: str, *, optional: bool = False) -> EnvVarSource:
    return EnvVarSource(config_map_key_ref=KeySelector(key=key, name=name, optional=optional))


def of_field(path: str) -> EnvVarSource:
    return EnvVarSource(field_ref=FieldSelector(path))


VALUES: dict[str, tuple[EnvVar, str | None]] = {
    "plain": (EnvVar("X", "1"), "1"),
    "empty": (EnvVar("X"), ""),
    "refers to a port": (EnvVar("X", "http://$(HOST):$(PORT)/"), "http://127.97.0.1:12001/"),
    "refers to a service": (EnvVar("X", "$(PORT_SERVICE_HOST)"), "10.0.0.1"),
    "refers to an earlier one": (EnvVar("X", "$(EARLIER)!"), "earlier!"),
    "does not see a later one": (EnvVar("X", "$(LATER)"), "$(LATER)"),
    "config map": (EnvVar("X", value_from=config_map("settings", "colour")), "blue"),
    "secret, decoded, not expanded": (EnvVar("X", value_from=secret("settings", "password")), "pä$(X)"),
    "stringData wins": (EnvVar("X", value_from=secret("settings", "both")), "new"),
    "optional and missing": (EnvVar("X", value_from=secret("nope", "password", optional=True)), None),
    "optional key and missing": (EnvVar("X", value_from=config_map("settings", "nope", optional=True)), None),
    "name": (EnvVar("X", value_from=of_field("metadata.name")), "shop-abc-1"),
    "namespace": (EnvVar("X", value_from=of_field("metadata.namespace")), "default"),
    "label": (EnvVar("X", value_from=of_field("metadata.labels['example.com/tier']")), "web"),
    "label it does not have": (EnvVar("X", value_from=of_field("metadata.labels['nope']")), ""),
    "annotation": (EnvVar("X", value_from=of_field("metadata.annotations['note']")), "hello"),
    "pod address": (EnvVar("X", value_from=of_field("status.podIP")), "127.97.0.1"),
    "node address": (EnvVar("X", value_from=of_field("status.hostIP")), "127.0.0.1"),
    "node name": (EnvVar("X", value_from=of_field("spec.nodeName")), "laptop"),
    "a source that has no value here": (EnvVar("X", value_from=EnvVarSource()), None),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    entry, expected = VALUES[name]
    assert variables(EnvVar("EARLIER", "earlier"), entry, EnvVar("LATER", "1")).get("X") == expected


MISSING = {
    "config map": (config_map("nope", "colour"), "ConfigMap 'nope' does not exist"),
    "key": (config_map("settings", "nope"), "ConfigMap 'settings' has no key 'nope'"),
    "secret": (secret("nope", "password"), "Secret 'nope' does not exist"),
    "not base64": (secret("broken", "password"), "Secret 'broken' has a value that is not base64"),
    "field": (of_field("spec.nope"), "fieldPath 'spec.nope' is none of"),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing(name: str) -> None:
    source, expected = MISSING[name]
    with pytest.raises(MissingReference, match=expected):
        variables(EnvVar("X", value_from=source))


def test_env_from() -> None:
    sources = (
        EnvFromSource(prefix="MY_", config_map_ref=EnvSource("settings")),
        EnvFromSource(secret_ref=EnvSource("settings")),
        EnvFromSource(secret_ref=EnvSource("nope", optional=True)),
    )
    found = variables(EnvVar("both", "mine $(MY_colour)"), env_from=sources)
    assert found["MY_colour"] == "blue"
    assert found["both"] == "mine blue"
    assert not [name for name in found if "=" in name]
    with pytest.raises(MissingReference, match="Secret 'nope' does not exist"):
        variables(env_from=(EnvFromSource(secret_ref=EnvSource("nope")),))


@pytest.mark.parametrize(
    ("written", "expected"), [("8080", "12001"), ("9090", "12002"), ("80", "80"), ("$(PORT)", "12001")]
)
def test_port_in_the_manifest_means_the_container_port(written: str, expected: str) -> None:
    assert variables(EnvVar("PORT", written))["PORT"] == expected


def test_service_variables_as_kubelet_writes_them() -> None:
    ports = (ServicePort(port=6379, name="redis-tls"), ServicePort(port=53, name="dns", protocol="UDP"))
    service = Service(ObjectMeta(name="redis-primary"), ServiceSpec(cluster_ip="10.0.0.11", ports=ports))
    assert service_variables(service) == {
        "REDIS_PRIMARY_SERVICE_HOST": "10.0.0.11",
        "REDIS_PRIMARY_SERVICE_PORT": "6379",
        "REDIS_PRIMARY_SERVICE_PORT_REDIS_TLS": "6379",
        "REDIS_PRIMARY_SERVICE_PORT_DNS": "53",
        "REDIS_PRIMARY_PORT": "tcp://10.0.0.11:6379",
        "REDIS_PRIMARY_PORT_6379_TCP": "tcp://10.0.0.11:6379",
        "REDIS_PRIMARY_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_PRIMARY_PORT_6379_TCP_PORT": "6379",
        "REDIS_PRIMARY_PORT_6379_TCP_ADDR": "10.0.0.11",
        "REDIS_PRIMARY_PORT_53_UDP": "udp://10.0.0.11:53",
        "REDIS_PRIMARY_PORT_53_UDP_PROTO": "udp",
        "REDIS_PRIMARY_PORT_53_UDP_PORT": "53",
        "REDIS_PRIMARY_PORT_53_UDP_ADDR": "10.0.0.11",
    }


def test_service_variables_in_ipv6() -> None:
    service = Service(ObjectMeta(name="a"), ServiceSpec(cluster_ip="fd00::1", ports=(ServicePort(port=80),)))
    assert service_variables(service)["A_PORT"] == "tcp://[fd00::1]:80"


def test_service_variables_name_the_port_that_is_served() -> None:
    """A port that weft has no right to is served elsewhere: who follows the variables must get there."""
    ports = (ServicePort(port=80, name="http"), ServicePort(port=8000))
    config = ConfigSet(
        services={
            Named("default", "web"): Service(ObjectMeta(name="web"), ServiceSpec(cluster_ip="10.0.0.1", ports=ports))
        }
    )
    found = variables_beneath(
        "default", config, {}, lambda address, port: {("10.0.0.1", 80): 8080}.get((address, port), port)
    )
    assert found == {
        "WEB_SERVICE_HOST": "10.0.0.1",
        "WEB_SERVICE_PORT": "8080",
        "WEB_SERVICE_PORT_HTTP": "8080",
        "WEB_PORT": "tcp://10.0.0.1:8080",
        "WEB_PORT_80_TCP": "tcp://10.0.0.1:8080",
        "WEB_PORT_80_TCP_PROTO": "tcp",
        "WEB_PORT_80_TCP_PORT": "8080",
        "WEB_PORT_80_TCP_ADDR": "10.0.0.1",
        "WEB_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "WEB_PORT_8000_TCP_PROTO": "tcp",
        "WEB_PORT_8000_TCP_PORT": "8000",
        "WEB_PORT_8000_TCP_ADDR": "10.0.0.1",
    }


ADDRESSLESS: dict[str, dict[str, Any]] = {
    "headless": {"cluster_ip": "None"},
    "not allocated": {"cluster_ip": ""},
    "another name": {"type": "ExternalName", "cluster_ip": "1.2.3.4"},
}


@pytest.mark.parametrize("name", ADDRESSLESS)
def test_no_variables_without_an_address(name: str) -> None:
    spec = ServiceSpec(ports=(ServicePort(port=80),), **ADDRESSLESS[name])
    assert service_variables(Service(ObjectMeta(name="a"), spec)) == {}


def test_base64_with_line_ends_is_read() -> None:
    wrapped = Secret(META, data={"k": "aGVs\nbG8=\n"})
    config = ConfigSet(secrets={Named("default", "settings"): wrapped})
    spec = Container(name="main", env=(EnvVar("X", value_from=secret("settings", "k")),))
    assert environment(spec, POD, config, {})["X"] == "hello"


def test_services_that_are_reached_by_ports_of_this_machine() -> None:
    written = Service(
        ObjectMeta("web", "default"), ServiceSpec(cluster_ip="10.96.0.1", ports=(ServicePort(80, "http"),))
    )
    variables = service_variables(with_local_ports(written, {"http": 20123}))
    assert (variables["WEB_SERVICE_HOST"], variables["WEB_SERVICE_PORT"]) == ("127.0.0.1", "20123")
    assert variables["WEB_PORT_80_TCP"] == "tcp://127.0.0.1:20123"
