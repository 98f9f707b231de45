"""Where a request comes in: by address, by where it is really bound, by name, or nowhere and why."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from msgspec.structs import replace

from config.resources.core import ServicePort
from config.settings import IngressAddresses, NodeConfigSpec
from mesh.listener import ListenerState
from mesh.table import ListenerKey
from sidecar.explain.listener import Place, find_listener, refused_at
from sidecar.explain.question import parse_question
from tests.mesh.making import config, endpoints, ingress, service
from tests.sidecar.explaining import known

SHOP = service("shop", ServicePort(80, name="http", node_port=30080), type="NodePort")
DB = service("db", ServicePort(5432), namespace="data", cluster_ip="127.96.0.7")
NAMES = service("names", ServicePort(53, protocol="UDP"), cluster_ip="127.96.0.8")
WRITTEN = config(SHOP, DB, NAMES, ingress("front", "Prefix shop.example/ -> shop:http"))
CLUSTER_IP, DOOR = ListenerKey("127.96.0.1", 80), ListenerKey("127.0.0.1", 8080)
STATES = {CLUSTER_IP: ListenerState(bound=ListenerKey("127.96.0.1", 8080), reason="no right to it")}

FOUND = {
    "an address": ("http://127.96.0.1/", CLUSTER_IP, ""),
    "where it is bound": ("http://127.96.0.1:8080/", CLUSTER_IP, "127.96.0.1:8080 is where 127.96.0.1:80 is really"),
    "localhost": ("http://localhost:30080/", ListenerKey("127.0.0.1", 30080), ""),
    "a name below localhost": ("http://shop.localhost:30080/", ListenerKey("127.0.0.1", 30080), ""),
    "a name below localhost without a port": ("http://shop.localhost/", DOOR, "the address of all Ingresses"),
    "a Service's name": ("http://shop/", CLUSTER_IP, "the name is that of Service default/shop, whose clusterIP is"),
    "with its namespace": ("tcp://db.data:5432", ListenerKey("127.96.0.7", 5432), "Service data/db"),
    "with svc": ("http://shop.default.svc/", CLUSTER_IP, "Service default/shop"),
    "in full": ("http://shop.default.svc.cluster.local./", CLUSTER_IP, "Service default/shop"),
    "an Ingress's name": ("http://shop.example/", DOOR, "the name is taken to lead to the address of all Ingresses"),
    "the port of the entrance": ("http://shop.example:8080/", DOOR, "the address of all Ingresses"),
    "by udp": ("udp://names:53", ListenerKey("127.96.0.8", 53, "UDP"), "Service default/names"),
    "by udp to an address": ("udp://127.96.0.8:53", ListenerKey("127.96.0.8", 53, "UDP"), ""),
    "by tcp where there is udp": ("tcp://127.96.0.8:53", None, "there are the ports 53/UDP"),
    "nothing there": ("http://127.0.0.9:1/", None, "nothing is served at 127.0.0.9:1: weft status shows"),
    "another port": ("http://127.96.0.1:81/", None, "at 127.96.0.1 there are the ports 80/TCP"),
    "no such port of a Service": (
        "http://shop:81/",
        None,
        "Service default/shop serves no port 81/TCP: it has the ports 80/TCP",
    ),
    "a port that is not the entrance's": ("http://shop.example:99/", None, "at 127.0.0.1:8080, not at port 99"),
    "https": (
        "https://shop.example/",
        None,
        "nothing is served by https at the address of all",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_listeners(name: str) -> None:
    url, key, remark = FOUND[name]
    there = known(WRITTEN, STATES)
    found = find_listener(parse_question(url), Place(there.compiled.table, there.states, WRITTEN))
    assert (found.listener.key if found.listener else None) == key
    assert remark in found.remark
    assert bool(found.remark) == bool(remark)


def test_where_no_ingress_is_served() -> None:
    written = config(SHOP)
    there = known(written)
    found = find_listener(parse_question("http://shop.example/"), Place(there.compiled.table, there.states, written))
    assert found == (None, "shop.example is no Service's name, and no Ingress is served")


@pytest.mark.parametrize(
    ("written_as", "asked", "address"),
    [
        pytest.param("localhost:8080", "http://shop.example/", DOOR.address, id="localhost"),
        pytest.param("0.0.0.0:8080", "http://10.1.2.3:8080/", "0.0.0.0", id="all addresses"),
    ],
)
def test_the_entrance_is_found_however_it_is_written(written_as: str, asked: str, address: str) -> None:
    node = NodeConfigSpec(ingress=IngressAddresses(http=written_as))
    written = config(SHOP, ingress("front", default="shop:80"), node=node)
    there = known(written)
    found = find_listener(parse_question(asked), Place(there.compiled.table, there.states, written))
    assert found.listener is not None
    assert found.listener.key == DOOR._replace(address=address)


def test_who_is_not_listened_to() -> None:
    there = known(WRITTEN, shop={"http": endpoints(1)})
    listener = replace(there.compiled.table.listeners[CLUSTER_IP], sources=(ip_network("10.0.0.0/8"),))
    assert refused_at(listener, parse_question("http://a/", client="10.1.1.1")) == ""
    assert "192.0.2.1 is in none of" in refused_at(listener, parse_question("http://a/", client="192.0.2.1"))
    plain = there.compiled.table.listeners[DOOR]
    assert "speaks HTTP without TLS: ask by http://" in refused_at(plain, parse_question("https://a/"))
