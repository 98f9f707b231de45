"""What one Service makes of itself: listeners, plans, and a status that says what it waits for."""

from __future__ import annotations

import pytest

from config.balancing import BalancerPolicy, HashKey
from config.filters import ProxyProtocolPolicy
from config.resources.core import ClientIPConfig, Service, ServicePort, SessionAffinityConfig
from config.settings import ConnectionLimits, NodeConfigSpec
from discovery.catalog import PortEndpoints
from mesh.balancing.affinity import AffinityPolicy
from mesh.live import Live
from mesh.plan import BackendKey
from mesh.service_part import ServicePart, make_part, reusing, with_endpoints
from tests.mesh.making import Clock, endpoints, policy, service

NODE = NodeConfigSpec(node_addresses=("127.0.0.1", "192.0.2.7"), connections=ConnectionLimits(50))


def part(written: Service, there: PortEndpoints | None = None, **fields: object) -> ServicePart:
    live = Live(Clock())
    policies = (policy("p", written.metadata.name, **fields),) if fields else ()
    return make_part(written, policies, there or {}, NODE, live.backend)


def doors(made: ServicePart) -> list[str]:
    return [f"{listener.entry} {listener.key} {listener.protocol}" for listener in made.listeners]


HTTP = ServicePort(80, name="http")


@pytest.mark.parametrize(
    ("written", "expected", "state", "reasons"),
    [
        pytest.param(service("s", HTTP), ["ClusterIP 127.96.0.1:80 http"], "accepted", "", id="ClusterIP"),
        pytest.param(
            service("s", HTTP, ServicePort(53, name="dns", protocol="UDP")),
            ["ClusterIP 127.96.0.1:80 http", "ClusterIP 127.96.0.1:53 udp"],
            "accepted",
            "",
            id="UDP beside TCP",
        ),
        pytest.param(
            service("s", HTTP, ServicePort(53, name="signals", protocol="SCTP")),
            ["ClusterIP 127.96.0.1:80 http"],
            "degraded",
            "port signals: SCTP is not carried",
            id="SCTP beside TCP",
        ),
        pytest.param(
            service("s", ServicePort(53, protocol="SCTP")), [], "pending", "port 53: SCTP is not carried", id="SCTP"
        ),
        pytest.param(
            service("s", HTTP, cluster_ip=""), [], "pending", "port http: waits for a clusterIP", id="no clusterIP"
        ),
        pytest.param(
            service("s", HTTP, cluster_ips=("127.96.0.1", "::1")),
            ["ClusterIP 127.96.0.1:80 http", "ClusterIP [::1]:80 http"],
            "accepted",
            "",
            id="two families",
        ),
        pytest.param(
            service("s", ServicePort(80, node_port=30080), type="NodePort"),
            ["ClusterIP 127.96.0.1:80 detect", "NodePort 127.0.0.1:30080 detect", "NodePort 192.0.2.7:30080 detect"],
            "accepted",
            "",
            id="NodePort",
        ),
        pytest.param(
            service("s", HTTP, type="NodePort"),
            ["ClusterIP 127.96.0.1:80 http"],
            "degraded",
            "port http: waits for a nodePort",
            id="NodePort without a number",
        ),
        pytest.param(
            service("s", ServicePort(80, name="tcp", node_port=30080), type="LoadBalancer"),
            [
                "ClusterIP 127.96.0.1:80 tcp",
                "NodePort 127.0.0.1:30080 tcp",
                "NodePort 192.0.2.7:30080 tcp",
                "LoadBalancer 127.0.0.1:80 tcp",
                "LoadBalancer 192.0.2.7:80 tcp",
            ],
            "accepted",
            "",
            id="LoadBalancer",
        ),
        pytest.param(
            service("s", HTTP, type="LoadBalancer", allocate_load_balancer_node_ports=False),
            ["ClusterIP 127.96.0.1:80 http", "LoadBalancer 127.0.0.1:80 http", "LoadBalancer 192.0.2.7:80 http"],
            "accepted",
            "",
            id="LoadBalancer that wants no nodePort",
        ),
        pytest.param(
            service("s", HTTP, type="ExternalName", external_name="example.com"),
            [],
            "accepted",
            "",
            id="ExternalName",
        ),
        pytest.param(service("s", HTTP, cluster_ip="None"), [], "accepted", "", id="headless"),
        pytest.param(
            service("s", HTTP, external_ips=("192.0.2.1",)),
            ["ClusterIP 127.96.0.1:80 http", "ExternalIP 192.0.2.1:80 http"],
            "accepted",
            "",
            id="externalIPs",
        ),
    ],
)
def test_listeners_and_status(written: Service, expected: list[str], state: str, reasons: str) -> None:
    made = part(written)
    assert doors(made) == expected
    assert (made.status.state, "; ".join(made.status.reasons)) == (state, reasons)


def test_a_load_balancer_of_another_class_is_all_right_and_says_so() -> None:
    made = part(
        service(
            "s",
            HTTP,
            type="LoadBalancer",
            load_balancer_class="example.com/lb",
            allocate_load_balancer_node_ports=False,
        )
    )
    words = "loadBalancerClass example.com/lb is not served here: all but the LoadBalancer is"
    assert (made.status.state, made.status.reasons) == ("accepted", (words,))
    assert {listener.entry for listener in made.listeners} == {"ClusterIP"}


def test_status_lists_what_each_port_listens_on() -> None:
    ports = part(service("s", HTTP, ServicePort(443, name="https"))).status.ports
    assert [(port.port, port.protocol, [str(key) for key in port.listens]) for port in ports] == [
        ("http", "http", ["127.96.0.1:80"]),
        ("https", "tcp", ["127.96.0.1:443"]),
    ]


def test_limits_and_policies_reach_listener_and_plan() -> None:
    made = part(service("s", ServicePort(80), publish_not_ready_addresses=True), {"80": endpoints(2)}, via=False)
    assert (made.listeners[0].limit, made.listeners[0].http_required) == (50, True)
    assert made.listeners[0].route.backend is made.backends[0]
    plan = made.plans[0]
    assert (plan.key, plan.endpoints, plan.via, plan.publish_not_ready) == (
        BackendKey("default", "s", "80"), endpoints(2), False, True,
    )  # fmt: skip


def test_what_nothing_listens_for_has_a_backend_that_an_ingress_may_lead_to() -> None:
    headless = part(service("s", HTTP, cluster_ip="None"), {"http": endpoints(2)})
    assert [plan.endpoints for plan in headless.plans] == [endpoints(2)]
    external = part(service("s", HTTP, type="ExternalName", external_name="example.com."))
    assert (external.plans[0].endpoints, external.plans[0].external) == ((), True)
    resolved = with_endpoints(external, {"http": endpoints(1)})
    assert resolved.plans[0].endpoints == endpoints(1), "what discovery says of the name"
    assert with_endpoints(resolved, {}).plans == external.plans


def test_with_endpoints_changes_only_what_differs() -> None:
    written = service("s", HTTP, ServicePort(81, name="admin"))
    before = part(written, {"http": endpoints(1), "admin": endpoints(1)})
    after = with_endpoints(before, {"http": endpoints(2), "admin": endpoints(1)})
    assert after.plans[0].endpoints == endpoints(2)
    assert after.plans[1] is before.plans[1]
    assert after.listeners is before.listeners


def test_equal_parts_are_made_of_the_old_objects() -> None:
    live = Live(Clock())
    there = {"http": endpoints(2)}
    before = make_part(service("s", HTTP), (), there, NODE, live.backend)
    live.replace(dict(zip((plan.key for plan in before.plans), before.backends, strict=True)))
    again = reusing(make_part(service("s", HTTP, selector={"a": "b"}), (), there, NODE, live.backend), before)
    assert again.plans[0] is before.plans[0]
    assert again.listeners[0] is before.listeners[0]
    assert again.status is before.status


@pytest.mark.parametrize(
    ("spec", "inside", "outside"),
    [
        ({}, False, None),
        ({"external_traffic_policy": "Local"}, False, True),
        ({"internal_traffic_policy": "Local"}, True, False),
        ({"external_traffic_policy": "Local", "internal_traffic_policy": "Local"}, True, None),
        ({"external_traffic_policy": "Local", "type": "ClusterIP"}, False, None),
    ],
)
def test_traffic_policies_count_by_the_door(spec: dict[str, str], inside: bool, outside: bool | None) -> None:
    """`outside`: None if those from outside have the same endpoints."""
    made = part(service("s", ServicePort(80, node_port=30080), **{"type": "NodePort", **spec}), {"80": endpoints(2)})
    assert [(plan.key.side, plan.rules.local_only) for plan in made.plans] == [
        ("internal", inside), *([("external", outside)] if outside is not None else []),
    ]  # fmt: skip
    for listener in made.listeners:
        expected = made.backends[-1 if listener.entry == "NodePort" else 0]
        assert listener.route.backend is expected
    after = with_endpoints(made, {"80": endpoints(3)})
    assert all(plan.endpoints == endpoints(3) for plan in after.plans)


def test_the_health_of_a_node_is_told_of_those_from_outside() -> None:
    written = service(
        "s", HTTP, type="LoadBalancer", external_traffic_policy="Local", health_check_node_port=31000,
        allocate_load_balancer_node_ports=False,
    )  # fmt: skip
    made = part(written)
    told = [listener for listener in made.listeners if listener.entry == "HealthCheck"]
    assert [str(listener.key) for listener in told] == ["127.0.0.1:31000", "192.0.2.7:31000"]
    assert {listener.route.backend.key.side for listener in told} == {"external"}
    assert all(key.port == 80 for key in made.status.ports[0].listens), "the Service is not served there"


def test_affinity_goes_around_the_balancer_of_the_policy() -> None:
    config = SessionAffinityConfig(ClientIPConfig(60))
    written = service("s", HTTP, session_affinity="ClientIP", session_affinity_config=config)
    plan = part(written, balancer=BalancerPolicy("LeastRequest", choices=3)).plans[0]
    assert plan.balancer == AffinityPolicy("LeastRequest", choices=3, hash=HashKey(source_address=True), seconds=60)
    assert part(service("s", HTTP)).plans[0].balancer == BalancerPolicy()


def test_source_ranges_are_for_the_load_balancer_alone() -> None:
    written = service(
        "s", ServicePort(80, node_port=30080), type="LoadBalancer", load_balancer_source_ranges=("10.0.0.0/8",)
    )
    found = {listener.entry: list(map(str, listener.sources)) for listener in part(written).listeners}
    assert found == {"ClusterIP": [], "NodePort": [], "LoadBalancer": ["10.0.0.0/8"]}


def test_proxies_say_for_whom_they_speak_wherever_there_is_something_to_balance() -> None:
    written = service(
        "s", HTTP, ServicePort(53, name="dns", protocol="UDP"), type="LoadBalancer", external_traffic_policy="Local",
        health_check_node_port=31000,
    )  # fmt: skip
    made = part(written, proxy_protocol=ProxyProtocolPolicy(("10.0.0.0/8", "192.0.2.1")))
    found = {(each.entry, each.protocol): list(map(str, each.introduced_by)) for each in made.listeners}
    theirs = ["10.0.0.0/8", "192.0.2.1/32"]
    assert found == {
        ("ClusterIP", "http"): theirs, ("LoadBalancer", "http"): theirs, ("HealthCheck", "http"): [],
        ("ClusterIP", "udp"): [], ("LoadBalancer", "udp"): [],
    }  # fmt: skip
