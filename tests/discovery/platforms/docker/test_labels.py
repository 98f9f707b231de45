from __future__ import annotations

import pytest

from config.meta import Named
from discovery.endpoint import ReplicaPort
from discovery.platforms.docker.labels import faults, named_ports, service_of

COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}

SERVICES: dict[str, tuple[dict[str, str], Named | None]] = {
    "no label": ({}, None),
    "others' labels": ({"app": "web"}, None),
    "a name": ({"weft.dev/service": "web"}, Named("default", "web")),
    "a namespace too": ({"weft.dev/service": "shop/web"}, Named("shop", "web")),
    "empty": ({"weft.dev/service": ""}, None),
    "compose": (COMPOSE, Named("shop", "web")),
    "compose, started once": ({**COMPOSE, "com.docker.compose.oneoff": "True"}, None),
    "compose, not started once": ({**COMPOSE, "com.docker.compose.oneoff": "False"}, Named("shop", "web")),
    "half of compose": ({"com.docker.compose.service": "web"}, None),
    "weft's own word before compose's": ({**COMPOSE, "weft.dev/service": "api"}, Named("default", "api")),
    "started by weft": ({"weft.dev/service": "web", "weft.dev/workload": "shop/web"}, None),
}


@pytest.mark.parametrize("case", SERVICES)
def test_service(case: str) -> None:
    labels, wanted = SERVICES[case]
    assert service_of(labels) == wanted


PORTS = {
    "none": ("", ()),
    "one": ("http=8080", (ReplicaPort(8080, 8080, "http"),)),
    "several": ("http=8080, dns=53/udp", (ReplicaPort(8080, 8080, "http"), ReplicaPort(53, 53, "dns", "UDP"))),
    "without a name": ("8080,=80", ()),
    "no number": ("http=x,a=,b=+1,c=1_0,d=²", ()),
    "another protocol": ("a=80/sctp,b=80/TCP", (ReplicaPort(80, 80, "b"),)),
    "out of range": ("a=0,b=65536,c=99999999,d=65535", (ReplicaPort(65535, 65535, "d"),)),
}


@pytest.mark.parametrize("case", PORTS)
def test_ports_with_names(case: str) -> None:
    text, wanted = PORTS[case]
    assert named_ports({"weft.dev/ports": text}) == wanted


FAULTS: dict[str, tuple[dict[str, str], list[str]]] = {
    "nothing": ({**COMPOSE, "weft.dev/ports": "http=80, dns=53/udp,"}, []),
    "no name": (
        {"weft.dev/service": "shop/Web site"},
        ['label weft.dev/service: "shop/Web site" is no NAME or NAMESPACE/NAME of a Service'],
    ),
    "compose's name, which was not meant for weft": ({**COMPOSE, "com.docker.compose.project": "my_shop"}, []),
    "no ports": (
        {"weft.dev/service": "web", "weft.dev/ports": "8080, http:80"},
        [f'label weft.dev/ports: "{text}" is no NAME=PORT/tcp, such as http=8080' for text in ("8080", "http:80")],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_said(case: str) -> None:
    labels, said = FAULTS[case]
    assert list(faults(labels)) == said
