"""Services: addresses and ports, and which endpoints count for whom, as kube-proxy has it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import pytest

from config.settings import NODE_PORTS
from discovery.allocation import NODE_PORT_BAND
from mesh.balancing.affinity import AffinityPolicy
from mesh.compiler import Compiled
from mesh.node_health import answer
from mesh.plan import BackendKey
from mesh.table import Listener
from tests.conformance.entrance import compiled, errors
from tests.scenarios.manifests import endpoint_slice, policy, service

NOT_HERE = (
    ("SCTP", "not carried; the Service's status says so"),
    ("NodePorts refused on 127.0.0.1 (nftables)", "a laptop's node address is 127.0.0.1; nodeAddresses decides"),
    ("addresses of the service range that no Service has are dropped", "nothing is bound there, so the kernel refuses"),
    ("Swarm's ports 7946 and 4789, `mode=host`", "no overlay network; one node"),
    ("weights, drain and state by an API of the proxy", "EndpointSlices say it: conditions and SRV weights"),
    ("IPVS' idle time-out of 900 s", "connections are relayed: tunnelIdle, told to both sides"),
)

NODE = {
    "apiVersion": "weft.dev/v1", "kind": "NodeConfig", "metadata": {"name": "n"},
    "spec": {"nodeName": "here", "zone": "east", "nodeAddresses": ["127.0.0.1", "127.0.0.2"]},
}  # fmt: skip

READY: dict[str, bool] = {}
UNREADY = {"ready": False, "serving": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}
LEFT = {"ready": False, "serving": False, "terminating": True}

Where = tuple[str, str, dict[str, bool]]
"""Node, zone, conditions."""


class Row(NamedTuple):
    spec: dict[str, Any]
    endpoints: list[Where]
    inside: set[int]
    """Which of them clients get who come by ClusterIP."""
    outside: set[int] | None = None
    """And all others; None: the same."""


HERE_UNREADY, HERE_LEAVING, HERE_LEFT, HERE_ENDING = (
    ("here", "east", conditions) for conditions in (UNREADY, LEAVING, LEFT, {"ready": True, "terminating": True})
)
NEAR, FAR = ("here", "east", READY), ("there", "west", READY)
NEIGHBOUR = ("there", "east", READY)
LOCAL_OUT = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
LOCAL_IN = {"type": "NodePort", "internalTrafficPolicy": "Local"}
SAME_ZONE, SAME_NODE, CLOSE = ({"trafficDistribution": f"Prefer{what}"} for what in ("SameZone", "SameNode", "Close"))
ROWS = {
    "ready ones, wherever they are": Row({}, [NEAR, FAR, HERE_UNREADY], {0, 1}),
    "ready absent is ready, serving as ready": Row({}, [("", "", {})], {0}),
    "terminating is never ready, whatever is said": Row(
        {}, [NEAR, ("here", "east", {"ready": True, "terminating": True})], {0}
    ),
    "all ready ones gone: those that terminate and still serve": Row({}, [HERE_LEAVING, HERE_LEFT], {0}),
    "a ready one anywhere: none that terminates": Row({}, [FAR, HERE_LEAVING], {0}),
    "publishNotReadyAddresses: all": Row(
        {"publishNotReadyAddresses": True}, [NEAR, HERE_UNREADY, HERE_LEFT], {0, 1, 2}
    ),
    "externalTrafficPolicy Local: of this node only, for those from outside": Row(LOCAL_OUT, [NEAR, FAR], {0, 1}, {0}),
    "externalTrafficPolicy Local: nobody, if this node has none": Row(LOCAL_OUT, [FAR], {0}, set()),
    "externalTrafficPolicy Local: terminating ones of this node rather than ready ones elsewhere": Row(
        LOCAL_OUT, [HERE_LEAVING, FAR], {1}, {0}
    ),
    "externalTrafficPolicy Local: a ready one of this node rather than a terminating one": Row(
        LOCAL_OUT, [HERE_LEAVING, NEAR, FAR], {1, 2}, {1}
    ),
    "internalTrafficPolicy Local: of this node only, for those from inside": Row(LOCAL_IN, [NEAR, FAR], {0}, {0, 1}),
    "internalTrafficPolicy Local: nobody, if this node has none": Row(LOCAL_IN, [FAR], set(), {0}),
    "trafficDistribution PreferSameZone": Row(SAME_ZONE, [NEAR, NEIGHBOUR, FAR], {0, 1}),
    "trafficDistribution PreferClose is PreferSameZone": Row(CLOSE, [NEIGHBOUR, FAR], {0}),
    "trafficDistribution PreferSameNode": Row(SAME_NODE, [NEAR, NEIGHBOUR, FAR], {0}),
    "PreferSameNode, none on this node: its zone": Row(SAME_NODE, [NEIGHBOUR, FAR], {0}),
    "a preference is no rule: without a near one any": Row(SAME_ZONE, [FAR], {0}),
    "a near one that is not ready is not preferred": Row(SAME_ZONE, [HERE_UNREADY, FAR], {1}),
}


def web(**spec: Any) -> dict[str, Any]:
    made = service("web", {"http": 80})
    made["spec"] |= spec
    return made


def behind(*endpoints: Where) -> dict[str, Any]:
    made = endpoint_slice("web", {"http": 8080})
    made["endpoints"] = [
        {"addresses": [f"10.0.0.{number}"], "conditions": conditions}
        | ({"nodeName": node, "zone": zone} if node else {})
        for number, (node, zone, conditions) in enumerate(endpoints)
    ]
    return made


@pytest.mark.parametrize("case", ROWS)
def test_who_counts(case: str) -> None:
    row = ROWS[case]
    made = compiled(NODE, web(**row.spec), behind(*row.endpoints))
    sides = {key.side: backend for key, backend in made.backends.items() if key.service == "web"}
    found = {
        side: {int(state.host.rpartition(".")[2]) for state in backend.eligible} for side, backend in sides.items()
    }
    assert found["internal"] == row.inside
    assert found.get("external", found["internal"]) == (row.inside if row.outside is None else row.outside)


DOORS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "ClusterIP: the Service's port at its address": ({"clusterIP": "127.96.1.1"}, {"ClusterIP 127.96.1.1:80"}),
    "NodePort: the same port at every node address, beside the ClusterIP": (
        {"type": "NodePort", "clusterIP": "127.96.1.1", "ports": [{"name": "http", "port": 80, "nodePort": 30500}]},
        {"ClusterIP 127.96.1.1:80", "NodePort 127.0.0.1:30500", "NodePort 127.0.0.2:30500"},
    ),
    "LoadBalancer: the Service's port at the node's addresses, beside the NodePort": (
        {"type": "LoadBalancer", "clusterIP": "127.96.1.1", "ports": [{"name": "http", "port": 80, "nodePort": 30500}]},
        {
            "ClusterIP 127.96.1.1:80", "NodePort 127.0.0.1:30500", "NodePort 127.0.0.2:30500",
            "LoadBalancer 127.0.0.1:80", "LoadBalancer 127.0.0.2:80",
        },
    ),
    "allocateLoadBalancerNodePorts false: no NodePort": (
        {"type": "LoadBalancer", "clusterIP": "127.96.1.1", "allocateLoadBalancerNodePorts": False},
        {"ClusterIP 127.96.1.1:80", "LoadBalancer 127.0.0.1:80", "LoadBalancer 127.0.0.2:80"},
    ),
    "externalIPs: the Service's port there": (
        {"clusterIP": "127.96.1.1", "externalIPs": ["127.0.0.9"]},
        {"ClusterIP 127.96.1.1:80", "ExternalIP 127.0.0.9:80"},
    ),
    "two families preferred, in a cluster of one: one address": (
        {"clusterIP": "127.96.1.1", "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
        {"ClusterIP 127.96.1.1:80"},
    ),
    "two families: the port at both addresses": (
        {"clusterIP": "127.96.1.1", "clusterIPs": ["127.96.1.1", "::1"]},
        {"ClusterIP 127.96.1.1:80", "ClusterIP [::1]:80"},
    ),
    "headless: nothing listens": ({"clusterIP": "None"}, set()),
    "ExternalName: nothing listens": ({"type": "ExternalName", "externalName": "example.com"}, set()),
    "SCTP is not carried": (
        {"clusterIP": "127.96.1.1", "ports": [{"name": "http", "port": 80, "protocol": "SCTP"}]}, set(),
    ),
}  # fmt: skip


def of_web(made: Compiled) -> set[str]:
    return {f"{each.entry} {each.key}" for each in listeners(made)}


def listeners(made: Compiled) -> list[Listener]:
    """Those of the Service ``web``."""
    return [each for each in made.table.listeners.values() if each.route.backend.key.service == "web"]


@pytest.mark.parametrize("case", DOORS)
def test_where_it_listens(case: str) -> None:
    spec, expected = DOORS[case]
    assert of_web(compiled(NODE, web(**spec))) == expected


def test_source_ranges_hold_where_the_load_balancer_is() -> None:
    made = compiled(NODE, web(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"]))
    held = {
        each.entry: each.sources for each in made.table.listeners.values() if each.route.backend.key.service == "web"
    }
    assert held == {"ClusterIP": (), "NodePort": (), "LoadBalancer": (ip_network("192.0.2.0/24"),)}


def test_node_ports_are_given_out_above_the_lower_band() -> None:
    names = [f"s{number}" for number in range(60)]
    made = compiled(*(service(name, {"http": 80}, kind="NodePort") for name in names))
    given = {key.port for key, each in made.table.listeners.items() if each.entry == "NodePort"}
    assert len(given) == len(names)
    assert (NODE_PORTS[0], NODE_PORTS[-1], NODE_PORT_BAND) == (30000, 32767, 86)
    assert min(given) >= 30086
    assert max(given) <= 32767


@pytest.mark.parametrize("number", [29999, 32768])
def test_node_ports_lie_in_their_range(number: int) -> None:
    assert len(errors(web(type="NodePort", ports=[{"name": "http", "port": 80, "nodePort": number}]))) == 1


def test_cluster_ips_lie_in_the_service_range() -> None:
    [listener] = listeners(compiled(web()))
    assert ip_address(listener.key.address) in ip_network("127.96.0.0/16")


@pytest.mark.parametrize(("config", "seconds"), [({}, 10_800), ({"clientIP": {"timeoutSeconds": 60}}, 60)])
def test_affinity_lasts_three_hours_unless_said_otherwise(config: dict[str, Any], seconds: int) -> None:
    more = {"sessionAffinityConfig": config} if config else {}
    made = compiled(web(sessionAffinity="ClientIP", **more))
    kept = made.table.backends[BackendKey("default", "web", "http")].balancer
    assert isinstance(kept, AffinityPolicy)
    assert kept.seconds == seconds


@pytest.mark.parametrize(
    ("endpoints", "status", "count"),
    [([NEAR, NEAR, FAR], b"200", 2), ([FAR], b"503", 0), ([HERE_LEAVING, HERE_ENDING], b"503", 0)],
)
def test_a_health_check_node_port_tells_of_ready_endpoints_of_this_node(
    endpoints: list[Where], status: bytes, count: int
) -> None:
    made = compiled(NODE, web(**LOCAL_OUT), behind(*endpoints))
    [door] = [
        each for each in made.table.listeners.values() if each.entry == "HealthCheck" and each.key.address[-1] == "1"
    ]
    said = answer(door.route.backend.plan)
    assert said.split()[1] == status
    assert b'"localEndpoints": %d' % count in said


def test_a_policys_locality_wins_over_traffic_distribution() -> None:
    near, anywhere = web(trafficDistribution="PreferSameNode"), policy("web", locality={"prefer": "Any"})
    found = [compiled(NODE, *objects, behind(NEAR, FAR)) for objects in ((near,), (near, anywhere))]
    assert [len(made.backends[BackendKey("default", "web", "http")].eligible) for made in found] == [1, 2]


HINTED = {
    "hints for zones: those of this zone": ([{"forZones": [{"name": "east"}]}, {"forZones": [{"name": "west"}]}], {0}),
    "hints that not every endpoint has are ignored": ([{"forZones": [{"name": "west"}]}, None], {0, 1}),
    "hints of which none is for this zone are ignored": ([{"forZones": [{"name": "west"}]}] * 2, {0, 1}),
    "hints for nodes before those for zones": (
        [
            {"forZones": [{"name": "east"}], "forNodes": [{"name": "there"}]},
            {"forZones": [{"name": "west"}], "forNodes": [{"name": "here"}]},
        ],
        {1},
    ),
}


@pytest.mark.parametrize(("hints", "expected"), HINTED.values(), ids=HINTED)
@pytest.mark.parametrize("distribution", [{}, SAME_ZONE])
def test_hints_of_endpoint_slices(
    distribution: dict[str, Any], hints: list[dict[str, Any] | None], expected: set[int]
) -> None:
    """kube-proxy heeds them whatever the Service says; the endpoints' own zones do not count then."""
    made = behind(*((("there", "west", READY),) * len(hints)))
    for endpoint, given in zip(made["endpoints"], hints, strict=True):
        endpoint.update({"hints": given} if given else {})
    sides = {key.side: backend for key, backend in compiled(NODE, web(**distribution), made).backends.items()}
    assert {int(state.host[-1]) for state in sides["internal"].eligible} == expected
