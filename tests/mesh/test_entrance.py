"""All Ingresses together: the listener, whose rule holds, what is told to the others, and what is taken over."""

from __future__ import annotations

from config.configset import ConfigSet
from config.meta import ObjectKey
from config.resources.core import ServicePort
from config.settings import IngressAddresses, NodeConfigSpec
from mesh.compiler import Compiled, compile  # noqa: A004 - the word for it
from mesh.live import Live
from mesh.status import ObjectStatus
from mesh.table import ListenerKey, Route
from tests.mesh.making import Clock, config, ingress, service, snapshot

DOOR = ListenerKey("127.0.0.1", 8080)
SHOP = service("shop")
OTHER = service("other", ServicePort(8000, name="web"), ServicePort(9000), cluster_ip="127.96.0.2")


def compiled(written: ConfigSet, previous: Compiled | None = None, live: Live | None = None) -> Compiled:
    return compile(written, snapshot(), previous, live or Live(Clock()))


def led_to(made: Compiled, host: str, target: str) -> str:
    """The Backend that a request meets."""
    routes = made.table.listeners[DOOR].routes
    assert routes is not None
    found: Route | None = routes.match(host.encode(), target.encode())
    return str(found.backend.key) if found else "404"


def status(made: Compiled, name: str) -> ObjectStatus:
    return made.statuses[ObjectKey("Ingress", "default", name)]


def test_without_an_ingress_nothing_listens() -> None:
    assert list(compiled(config(SHOP)).table.listeners) == [ListenerKey("127.96.0.1", 80)]


def test_one_ingress() -> None:
    made = compiled(config(SHOP, OTHER, ingress("i", "Prefix foo.com/ -> shop:80", "Exact foo.com/x -> other:web")))
    listener = made.table.listeners[DOOR]
    assert (listener.entry, listener.protocol) == ("Ingress", "http")
    assert led_to(made, "foo.com", "/cart") == "default/shop:http"
    assert led_to(made, "foo.com", "/x") == "default/other:web"
    assert led_to(made, "bar.com", "/x") == "404"
    shop = made.table.listeners[ListenerKey("127.96.0.1", 80)].route.backend
    assert listener.routes is not None
    assert listener.routes.match(b"foo.com", b"/").backend is shop, "one Backend, whichever door is used"  # type: ignore[union-attr]
    assert status(made, "i").state == "accepted"


def test_the_address_is_the_nodes() -> None:
    node = NodeConfigSpec(ingress=IngressAddresses(http="[::1]:8888"))
    made = compiled(config(SHOP, ingress("i", "Prefix / -> shop:80"), node=node))
    assert ListenerKey("::1", 8888) in made.table.listeners
