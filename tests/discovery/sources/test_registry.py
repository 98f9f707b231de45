"""What a written zone says reaches the Services that it is about."""

from __future__ import annotations

from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint
from discovery.registry.content import Draft, content_of
from discovery.registry.registrations import origin, registered
from discovery.sources.registry import RegistrySource

ZONE = origin("cluster.local")
SHOP, CART = Named("default", "shop"), Named("default", "cart")
SERVICES = {
    named: Service(metadata=ObjectMeta(name=named.name), spec=ServiceSpec(ports=(ServicePort(port=80, name="http"),)))
    for named in (SHOP, CART)
}
ONE = Endpoint("10.0.0.1", 8080, replica_id="one", node="n1")
TWO = Endpoint("10.0.0.2", 8080, replica_id="two", node="n2")


def test_endpoints_come_and_go() -> None:
    content = content_of(ZONE, 1, registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    catalog.define(SERVICES)
    source = RegistrySource(catalog, content)
    source.define(SERVICES)
    assert catalog.snapshot.services[SHOP] == {"http": (ONE,)}
    assert not any(catalog.snapshot.services.get(CART, {}).values())

    draft = Draft(content)
    for record in registered(SHOP, SERVICES[SHOP], {"http": (TWO,)}, ZONE):
        draft.add(record)
    content.adopt(draft.nodes, 2)
    before = catalog.snapshot.generation
    source.changed(draft.nodes)
    assert catalog.snapshot.services[SHOP] == {"http": (ONE, TWO)}
    assert catalog.snapshot.generation == before + 1
    assert catalog.snapshot.changed == {SHOP}

    content.adopt(dict.fromkeys(content.nodes, ()), 3)
    source.changed(draft.nodes)
    assert not any(catalog.snapshot.services[SHOP].values())


def test_a_service_that_comes_later_finds_what_is_there() -> None:
    content = content_of(ZONE, 1, registered(CART, SERVICES[CART], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    source = RegistrySource(catalog, content)
    catalog.define({SHOP: SERVICES[SHOP]})
    source.define({SHOP: SERVICES[SHOP]})
    catalog.define(SERVICES)
    source.define(SERVICES)
    assert catalog.snapshot.services[CART] == {"http": (ONE,)}
    source.define({SHOP: SERVICES[SHOP]})
    catalog.define({SHOP: SERVICES[SHOP]})
    catalog.define(SERVICES)
    assert not any(catalog.snapshot.services[CART].values())


def test_names_of_nobody_change_nothing() -> None:
    content = content_of(ZONE, 1, registered(CART, SERVICES[CART], {"http": (ONE,)}, ZONE))
    catalog = Catalog()
    catalog.define({SHOP: SERVICES[SHOP]})
    source = RegistrySource(catalog, content)
    source.define({SHOP: SERVICES[SHOP]})
    before = catalog.snapshot
    source.changed(content.nodes)
    assert catalog.snapshot is before
