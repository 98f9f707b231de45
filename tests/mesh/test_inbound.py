"""Which endpoints need an inbound listener, and what others are told of them."""

from __future__ import annotations

from typing import Any

import pytest

from config.meta import Named
from config.resources.core import ServicePort
from config.settings import InboundSettings, NodeConfigSpec
from discovery.endpoint import Endpoint, WorkloadRef
from mesh.inbound import Behind, needed, published, reach

WEB = ServicePort(port=80, name="web", target_port=8080)
DNS = ServicePort(port=53, name="dns", protocol="UDP")
SHOP = Named("default", "shop")
WEB_BEHIND = Behind("127.97.0.1", 8080, "Service/default/shop:8080/TCP")
DNS_BEHIND = Behind("127.97.0.1", 53, "Service/default/shop:53/UDP", "UDP")


def node(*addresses: str, **inbound: Any) -> NodeConfigSpec:
    return NodeConfigSpec(node_addresses=addresses or ("10.0.0.1",), inbound=InboundSettings(**inbound))


@pytest.mark.parametrize(
    ("address", "settings", "needs"),
    [
        ("127.0.0.1", node(), True),
        ("127.97.0.7", node(), True),
        ("::1", node(), True),
        ("::ffff:127.0.0.1", node(), True),
        ("169.254.10.1", node(), True),
        ("fe80::1", node(), True),
        ("10.0.0.1", node(), False),
        ("192.168.1.20", node(), False),
        ("172.17.0.2", node(), False),
        ("172.17.0.2", node(bridges=("172.17.0.0/16",)), True),
        ("fd00::2", node(bridges=("172.17.0.0/16", "fd00::/64")), True),
        ("127.97.0.7", node("127.0.0.1"), False),
        ("127.97.0.7", node("::1", "10.0.0.1"), False),
        ("172.17.0.2", node("127.0.0.1", bridges=("172.17.0.0/16",)), False),
        ("127.97.0.7", node("127.0.0.2", reach="always"), True),
        ("10.0.0.1", node("127.0.0.2", reach="always"), False),
        ("127.97.0.7", node(reach="never"), False),
    ],
)
def test_who_needs_a_listener(address: str, settings: NodeConfigSpec, needs: bool) -> None:
    assert reach(settings).needs(Endpoint(address, 80)) is needs


def test_an_address_that_its_platform_says_is_inside_needs_one() -> None:
    how, inside = reach(node("10.0.0.9")), {"web": (Endpoint("172.17.0.2", 8080, inside=True),)}
    (behind,) = needed(SHOP, (WEB,), inside, how)
    assert published(SHOP, (WEB,), inside, how, {behind: 15007}) == {"web": (Endpoint("10.0.0.9", 15007),)}
    assert not reach(node("10.0.0.9", reach="never")).needs(inside["web"][0])


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_a_node_that_nobody_can_dial_is_told_so(address: str) -> None:
    with pytest.raises(ValueError, match="nodeAddresses"):
        reach(node(address))


def test_a_node_without_an_address_is_told_so() -> None:
    with pytest.raises(ValueError, match="nodeAddresses"):
        reach(NodeConfigSpec(node_addresses=()))


def test_each_local_port_needs_one_listener() -> None:
    endpoint, far = Endpoint("127.97.0.1", 8080), Endpoint("10.0.0.1", 8080)
    same, resolver = Endpoint("127.97.0.1", 8080, weight=3), Endpoint("127.97.0.1", 53)
    there = {"web": (endpoint, same, far), "dns": (resolver,), "old": (endpoint,)}
    assert needed(SHOP, (WEB, DNS), there, reach(node())) == {
        WEB_BEHIND: ("web", endpoint),
        DNS_BEHIND: ("dns", resolver),
    }


def test_what_is_published_can_be_dialled() -> None:
    here = Endpoint("127.97.0.1", 8080, ready=False, serving=True, terminating=True, replica_id="shop-1", node="a")
    closed, far, resolver = Endpoint("127.97.0.2", 8080), Endpoint("10.0.0.1", 8080), Endpoint("127.97.0.1", 53)
    doors = {WEB_BEHIND: 15007, DNS_BEHIND: 15008, WEB_BEHIND._replace(port=1): 15009}
    there = {"web": (here, closed, far), "dns": (resolver,)}
    told = published(SHOP, (WEB, DNS), there, reach(node("10.0.0.9")), doors)
    listener = Endpoint("10.0.0.9", 15007, False, True, True, replica_id="shop-1", node="a")
    assert told == {"web": (listener, far), "dns": (Endpoint("10.0.0.9", 15008),)}


def test_where_all_nodes_are_on_one_machine_endpoints_are_published_as_they_are() -> None:
    endpoints = {"web": (Endpoint("127.97.0.1", 8080),)}
    how = reach(node("127.0.0.1"))
    assert needed(SHOP, (WEB,), endpoints, how) == {}
    assert published(SHOP, (WEB,), endpoints, how, {}) == endpoints


def test_a_listener_belongs_to_a_workload_whichever_service_has_it() -> None:
    cart = Named("default", "cart")
    replica = Endpoint("127.97.0.1", 8080, workload=WorkloadRef("Deployment", "default", "shop"))
    both = [needed(name, (WEB,), {"web": (replica,)}, reach(node())) for name in (SHOP, cart)]
    assert both[0].keys() == both[1].keys() == {Behind("127.97.0.1", 8080, "Deployment/default/shop:8080/TCP")}
    given = [needed(name, (WEB,), {"web": (Endpoint("127.0.0.1", 1),)}, reach(node())) for name in (SHOP, cart)]
    assert not given[0].keys() & given[1].keys()
