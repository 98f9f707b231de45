"""What one Ingress makes: where its backends lead, its rules, and what is said of what cannot be found."""

from __future__ import annotations

import pytest
from msgspec import structs

from config.resources.core import ServicePort
from mesh.ingress_part import Resolver
from mesh.live import Live
from mesh.plan import BackendKey
from tests.mesh.making import Clock, backend, config, endpoints, ingress_backend, service

FAR = service("far", type="ExternalName", external_name="example.com")
SERVICES = config(
    service("shop", ServicePort(80, name="http"), ServicePort(53, name="dns", protocol="UDP")),
    structs.replace(FAR, spec=structs.replace(FAR.spec, ports=())),
).services
SHOP = BackendKey("default", "shop", "http")


@pytest.mark.parametrize(
    ("wanted", "key", "problem"),
    [
        ("shop:80", "default/shop:http", ""),
        ("shop:http", "default/shop:http", ""),
        ("shop:81", "default/shop:81", "Service shop has no port 81"),
        ("shop:web", "default/shop:web", "Service shop has no port web"),
        ("shop:53", "default/shop:53", "port 53 of Service shop is not TCP"),
        ("none:80", "default/none:80", "there is no Service none"),
    ],
)
def test_where_a_backend_leads(wanted: str, key: str, problem: str) -> None:
    known = {SHOP: backend(*endpoints(1))}
    resolver = Resolver(SERVICES, known, Live(Clock()))
    found = resolver.target("default", ingress_backend(wanted))
    assert (str(found.backend.key), found.problem) == (key, problem)
    assert (found.backend is known[SHOP]) == (not problem)
    assert bool(found.backend.eligible) == (not problem)
    assert list(resolver.plans) == ([found.backend.key] if problem else [])
