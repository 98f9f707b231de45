"""Which addresses of a node an ExternalName Service must not stand for."""

from __future__ import annotations

import pytest

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import Named
from discovery.sources.circles import places_before

FAR = Named("default", "far")
OBJECTS = """
apiVersion: v1
kind: Service
metadata: {name: far}
spec: {type: ExternalName, externalName: far.example}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {type: NodePort, clusterIP: 127.96.0.9, externalIPs: [192.0.2.1], ports: [{port: 80, nodePort: 30080}]}
"""
POLICY = """
---
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {name: shop}
spec: {targetRef: {kind: Service, name: shop}, %s}
"""
NODE = """
---
apiVersion: weft.dev/v1
kind: NodeConfig
metadata: {name: node}
spec: {nodeAddresses: [192.0.2.9], ingress: {http: '%s', https: '127.0.0.1:443'}}
"""


def written(rest: str = "", http: str = "192.0.2.9:80") -> ConfigSet:
    return load_text(OBJECTS + rest + NODE % http, "test").config_set


@pytest.mark.parametrize(
    ("place", "rest", "circular"),
    [
        (("192.0.2.9", 80), "", True),
        (("192.0.2.9", 8080), "", True),
        (("127.0.0.1", 443), "", True),
        (("127.0.0.1", 8443), "", True),
        (("192.0.2.9", 81), "", False),
        (("127.96.0.9", 80), "", False),
        (("127.96.0.9", 80), POLICY % "split: [{service: far}]", True),
        (("192.0.2.1", 80), POLICY % "mirror: {service: far}", True),
        (("192.0.2.9", 30080), POLICY % "mirror: {service: far}", True),
        (("127.96.0.9", 80), POLICY % "split: [{service: shop}]", False),
    ],
)
def test_places(place: tuple[str, int], rest: str, circular: bool) -> None:
    assert (place in places_before(FAR, written(rest))) is circular


def test_an_ingress_at_all_addresses_is_at_each() -> None:
    found = places_before(FAR, written(http="0.0.0.0:8888"))
    assert {("127.0.0.1", 8888), ("192.0.2.9", 8888), ("0.0.0.0", 8888)} <= found
