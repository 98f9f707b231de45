from __future__ import annotations

import pytest

from config.loader import load_text
from config.meta import Named
from discovery.platforms.swarm.labels import named_in
from discovery.platforms.swarm.publication import manifest, publication
from tests.discovery.platforms.swarm.facts import known

PROTOCOL = "weft.dev/protocol"
PUBLISH = "weft.dev/publish"
SERVICE = "weft.dev/service"


def test_a_label_becomes_a_load_balancer() -> None:
    made = publication([known(labels={PUBLISH: "8088:8080/tcp", PROTOCOL: "http"})])
    loaded = load_text(manifest(made).decode(), "found.json")
    assert not [fault for fault in loaded.faults if fault.severity == "error"]
    (service,) = loaded.config_set.services.values()
    (port,) = service.spec.ports
    assert (service.spec.type, service.metadata.annotations) == ("LoadBalancer", {"weft.dev/swarm-service": "web"})
    assert (port.port, port.target_port, port.protocol, port.app_protocol) == (8088, 8080, "TCP", "http")
    assert not made.remarks


def test_several_ports_have_names() -> None:
    made = publication([known(labels={PUBLISH: "80:8080,53:5353/udp", PROTOCOL: "tcp"})])
    (service,) = load_text(manifest(made).decode(), "found.json").config_set.services.values()
    ports = [(port.name, port.protocol, port.app_protocol) for port in service.spec.ports]
    assert ports == [("p80-tcp", "TCP", "tcp"), ("p53-udp", "UDP", "")]


def test_a_stack_is_a_namespace() -> None:
    made = publication([known("shop_web", {PUBLISH: "80", "com.docker.stack.namespace": "shop"})])
    assert [Named(each.metadata.namespace, each.metadata.name) for each in made.services] == [Named("shop", "web")]


def test_without_labels_there_is_nothing_to_write() -> None:
    made = publication([known()])
    assert made == ((), {}, ())
    assert not load_text(manifest(made).decode(), "found.json").config_set.services


def test_a_label_names_another_service_and_all_nodes_are_told() -> None:
    services = [known("blue", {SERVICE: "shop/web", PUBLISH: "80"}), known("green", {SERVICE: "shop/web"}), known()]
    made = publication(services)
    assert [Named(each.metadata.namespace, each.metadata.name) for each in made.services] == [Named("shop", "web")]
    loaded = load_text(manifest(made).decode(), "found.json")
    assert not [fault for fault in loaded.faults if fault.severity == "error"]
    assert named_in(loaded.config_set) == dict.fromkeys(("default.blue", "default.green"), Named("shop", "web"))
    assert not made.remarks
    assert not named_in(load_text(manifest(publication([known()])).decode(), "found.json").config_set)


def test_a_label_that_names_no_service_is_said() -> None:
    made = publication([known(labels={SERVICE: "shop/Web site"})])
    assert made.remarks == ('web: label weft.dev/service: "shop/Web site" is no NAME or NAMESPACE/NAME of a Service',)
    assert not made.names


def test_what_docker_publishes_stays_dockers() -> None:
    made = publication([known("db", ports=(80,)), known("web", {PUBLISH: "80:8080,81:8081"})])
    assert [port.port for each in made.services for port in each.spec.ports] == [81]
    assert made.remarks == (
        "db: port 80/tcp is published by Docker itself",
        "web: not published: port 80/tcp is Docker's, which publishes it for db",
    )


REFUSED = {
    "all ports are Docker's": ([known("db", ports=(80,)), known(labels={PUBLISH: "80"})], "publishes it for db"),
    "no port": ([known(labels={PUBLISH: "http"})], "is no PORT:CONTAINERPORT"),
    "empty": ([known(labels={PUBLISH: ""})], "names no port"),
    "two ports at one": ([known(labels={PUBLISH: "80:8080,80:8081/tcp"})], "80/tcp is there for two ports"),
    "no protocol": ([known(labels={PUBLISH: "80", PROTOCOL: "my proto"})], 'weft.dev/protocol: "my proto" is not'),
    "no name": ([known("w" * 64, {PUBLISH: "80"})], "none that a Service can have"),
    "published twice": (
        [known("a", {PUBLISH: "80", SERVICE: "web"}), known("b", {PUBLISH: "81", SERVICE: "web"})],
        "would be called default/web",
    ),
    "the same name": ([known("a_b", {PUBLISH: "80"}), known("a.b")], "would be called default/a-b"),
}


@pytest.mark.parametrize(("services", "why"), REFUSED.values(), ids=REFUSED)
def test_why_nothing_is_published_is_said(services: list[object], why: str) -> None:
    made = publication(services)  # type: ignore[arg-type]
    assert not made.services
    assert why in made.remarks[-1]
