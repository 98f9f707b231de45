"""ExternalName Services as places that traffic goes to: who leads to them, and by which ports."""

from __future__ import annotations

import pytest

from config.configset import ConfigSet
from config.external_names import led_to, with_ports
from config.loader import load_text
from config.meta import Named

FAR = Named("default", "far")
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: far}
spec: {type: ExternalName, externalName: far.example%s}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {ports: [{port: 80, name: http}, {port: 81, name: admin}]}
---
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
spec:
  defaultBackend: {service: {name: %s}}
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: %s}}}]}}]
---
"""
POLICY = """
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: {name: p}
spec: {targetRef: {kind: %s}, %s}
---
"""
TO_SHOP = "shop, port: {name: http}"


def written(rest: str, ports: str = "") -> ConfigSet:
    return load_text(SERVICES % ports + rest, "test").config_set


@pytest.mark.parametrize(
    ("rest", "numbers"),
    [
        (INGRESS % (TO_SHOP, TO_SHOP), None),
        (INGRESS % ("far, port: {number: 443}", TO_SHOP), {443}),
        (INGRESS % ("far, port: {number: 443}", "far, port: {number: 80}"), {80, 443}),
        (POLICY % ("Service, name: shop", "split: [{service: far, port: 8080}]"), {8080}),
        (POLICY % ("Service, name: shop", "split: [{service: far, port: '8080'}]"), {8080}),
        (POLICY % ("Service, name: shop", "mirror: {service: far}"), {80, 81}),
        (INGRESS % (TO_SHOP, TO_SHOP) + POLICY % ("Ingress, name: front", "mirror: {service: far}"), {80}),
        (
            INGRESS % (TO_SHOP, "shop, port: {number: 81}")
            + POLICY % ("Ingress, name: front", "mirror: {service: far}"),
            {80, 81},
        ),
        (POLICY % ("Service, name: shop", "mirror: {service: shop}"), None),
    ],
)
def test_who_leads_there(rest: str, numbers: set[int] | None) -> None:
    config_set = written(rest)
    assert led_to(config_set) == ({} if numbers is None else {FAR: frozenset(numbers)})
    given = [port.port for service in with_ports(config_set).values() for port in service.spec.ports]
    assert given == sorted(numbers or ())


def test_ports_that_are_declared_stay_as_they_are() -> None:
    config_set = written(INGRESS % ("far, port: {number: 443}", TO_SHOP), ", ports: [{port: 443, name: https}]")
    assert list(led_to(config_set)) == [FAR]
    assert with_ports(config_set) == {}
