from __future__ import annotations

import pytest

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import ConfigMap
from discovery.platforms.swarm.labels import (
    PUBLISH,
    PublishedPort,
    behind,
    key_of,
    name_of,
    named_in,
    published_ports,
)

NAMES = {
    "plain": ("web", {}, Named("default", "web")),
    "of a stack": ("shop_web", {"com.docker.stack.namespace": "shop"}, Named("shop", "web")),
    "called otherwise than its stack": ("web", {"com.docker.stack.namespace": "shop"}, Named("shop", "web")),
    "with other characters": ("My_web.1", {}, Named("default", "my-web-1")),
    "of a stack with other characters": ("A_b_web", {"com.docker.stack.namespace": "A_b"}, Named("a-b", "web")),
    "too long": ("w" * 64, {}, None),
    "nothing of it is left": ("___", {}, None),
}


@pytest.mark.parametrize(("service", "labels", "name"), NAMES.values(), ids=NAMES)
def test_what_a_service_is_called(service: str, labels: dict[str, str], name: Named | None) -> None:
    assert name_of(service, labels) == name


PORTS = {
    "both ports": ("8088:8080/tcp", [PublishedPort(8088, 8080)]),
    "without a protocol": ("8088:8080", [PublishedPort(8088, 8080)]),
    "one for both": ("8080/udp", [PublishedPort(8080, 8080, "UDP")]),
    "several": ("80:8080, 53:5353/UDP,", [PublishedPort(80, 8080), PublishedPort(53, 5353, "UDP")]),
    "twice": ("80:8080,80:8080/tcp", [PublishedPort(80, 8080)]),
    "none": ("", []),
}


@pytest.mark.parametrize(("text", "ports"), PORTS.values(), ids=PORTS)
def test_ports_are_read(text: str, ports: list[PublishedPort]) -> None:
    assert published_ports({PUBLISH: text}) == tuple(ports)


@pytest.mark.parametrize("text", ["web", "0:80", "80:65536", "80:80/sctp", "1:2:3", "-1", "\u0661:80", "80:http"])
def test_what_is_no_port_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"weft\.dev/publish: .* is no PORT:CONTAINERPORT"):
        published_ports({PUBLISH: text})


def test_the_swarm_services_behind_a_service() -> None:
    web, front = Named("shop", "web"), Named("shop", "front")
    named = {"shop.web": front, "default.blue": front}
    assert list(behind(front, named)) == [front, web, Named("default", "blue")]
    assert list(behind(web, named)) == []
    assert list(behind(web, {"shop.web": web})) == [web]
    assert key_of(web) == "shop.web"


def test_what_somebody_else_wrote_there_is_no_name() -> None:
    said = Named("default", "swarm-services.weft.dev")
    written = ConfigMap(ObjectMeta(name=said.name), {"web": "shop/web", "shop.web": "web", "shop.blue": "shop/web"})
    assert named_in(ConfigSet(config_maps={said: written})) == {"shop.blue": Named("shop", "web")}
    assert named_in(ConfigSet()) == {}
