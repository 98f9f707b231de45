"""What only one object can have: who keeps it, and that the fault names both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.configset import ConfigSet
from config.loader import load
from config.meta import Named, ObjectKey, ObjectMeta
from config.resources.core import ConfigMap
from config.validation.conflicts import by_age
from tests.config.validating import (
    Case,
    case,
    check,
    deployment,
    document,
    endpoints_of,
    error,
    faults_of,
    ingress,
    node,
    service,
    table,
    warning,
)

WEB = service("{ports: [{port: 80, name: http}]}")
CPU = "{resources: {requests: {cpu: 1}}}"


def node_port(name: str, number: int) -> str:
    return service(f"{{type: NodePort, ports: [{{port: 80, nodePort: {number}}}]}}", name)


def rule(name: str, host: str, path: str, kind: str = "Prefix") -> str:
    backend = "backend: {service: {name: web, port: {number: 80}}}"
    return ingress(
        f"{{rules: [{{host: {host}, http: {{paths: [{{pathType: {kind}, path: {path}, {backend}}}]}}}}]}}", name
    )


def policy(name: str, target: str) -> str:
    return document("TrafficPolicy", f"spec: {{targetRef: {target}}}", name, "weft.dev/v1")


def autoscaler(name: str) -> str:
    spec = "spec: {scaleTargetRef: {kind: Deployment, name: web}, maxReplicas: 2}"
    return document("HorizontalPodAutoscaler", spec, name, "autoscaling/v2")


def default_class(name: str) -> str:
    return (
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\n"
        f"metadata: {{name: {name}, annotations: {{ingressclass.kubernetes.io/is-default-class: 'true'}}}}\n"
        "spec: {controller: weft.dev/ingress}\n---\n"
    )


ALL = "{service: {name: web, port: {number: 80}}}"
CASES = [
    case("node ports apart", node_port("a", 30001) + node_port("b", 30002)),
    case(
        "a node port twice",
        node_port("a", 30001) + node_port("b", 30001),
        error("spec.ports[0].nodePort", "Service/default/a ("),
    ),
    case(
        "by name, not by place",
        node_port("b", 30001) + node_port("a", 30001),
        error("spec.ports[0].nodePort", "Service/default/a ("),
    ),
    case(
        "a node port of a health check",
        service(
            "{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30001, ports: [{port: 80}]}", "a"
        )
        + node_port("b", 30001),
        error("spec.ports[0].nodePort", "Service/default/a ("),
    ),
    case(
        "one Service, two protocols",
        service(
            "{type: NodePort, ports: [{port: 53, name: a, nodePort: 30053}, "
            "{port: 53, name: b, nodePort: 30053, protocol: UDP}]}"
        ),
    ),
    case(
        "two LoadBalancers with one port",
        service("{type: LoadBalancer, ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 81, name: one}, {port: 80, name: two}]}", "b"),
        error("spec.ports[1].port", "80/TCP at 127.0.0.1 belongs to Service/default/a ("),
    ),
    case(
        "two LoadBalancers with one port on addresses of their own",
        service("{type: LoadBalancer, loadBalancerIP: 127.0.0.1, ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, loadBalancerIP: 127.0.0.2, ports: [{port: 80}]}", "b")
        + node("{nodeAddresses: [127.0.0.1, 127.0.0.2]}"),
    ),
    case(
        "two LoadBalancers with one port, and one on all addresses",
        service("{type: LoadBalancer, ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, loadBalancerIP: 127.0.0.2, ports: [{port: 80}]}", "b")
        + node("{nodeAddresses: [127.0.0.1, 127.0.0.2]}"),
        error("spec.ports[0].port", "80/TCP at 127.0.0.2 belongs to Service/default/a ("),
    ),
    case(
        "two LoadBalancers with one port on addresses that are not known",
        service("{type: LoadBalancer, ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 80}]}", "b")
        + node("{nodeAddresses: [127.0.0.1, []]}"),
        error("spec.nodeAddresses[1]", "expected"),
    ),
    case(
        "two Services with one external address",
        service("{externalIPs: [127.0.0.8, 127.0.0.9], ports: [{name: a, port: 80}, {name: b, port: 443}]}", "a")
        + service("{externalIPs: [127.0.0.9], ports: [{name: a, port: 80}, {name: b, port: 443}]}", "b"),
        error("spec.externalIPs[0]", "80/TCP at 127.0.0.9 belongs to Service/default/a ("),
    ),
    case(
        "an external address of two Services with ports of their own",
        service("{externalIPs: [127.0.0.9], ports: [{port: 53}]}", "a")
        + service("{externalIPs: [127.0.0.9], ports: [{port: 53, protocol: UDP}]}", "b")
        + service("{externalIPs: [127.0.0.9], ports: [{port: 80}]}", "c"),
    ),
    case(
        "an external address that a LoadBalancer has, a node port, a clusterIP",
        service("{type: LoadBalancer, clusterIP: 127.96.0.9, ports: [{port: 80, nodePort: 30080}]}", "a")
        + service("{externalIPs: [127.0.0.1], ports: [{port: 80}]}", "b")
        + service("{externalIPs: [127.0.0.1], ports: [{port: 30080}]}", "c")
        + service("{externalIPs: [127.96.0.9], ports: [{port: 80}]}", "d"),
        error("spec.externalIPs[0]", "80/TCP at 127.0.0.1 belongs to Service/default/a ("),
        error("spec.externalIPs[0]", "30080/TCP at 127.0.0.1 belongs to Service/default/a ("),
        error("spec.externalIPs[0]", "80/TCP at 127.96.0.9 belongs to Service/default/a ("),
    ),
    case(
        "an external address that another Service names as its second clusterIP",
        service("{externalIPs: ['::1:1'], ports: [{port: 80}]}", "a")
        + service("{clusterIP: 127.96.1.2, clusterIPs: [127.96.1.2, '0::1:1'], ports: [{port: 80}]}", "b"),
        error("spec.clusterIPs[1]", "80/TCP at ::1:1 belongs to Service/default/a ("),
    ),
    case(
        "an external address that is a clusterIP, which this node serves elsewhere",
        service("{clusterIP: 127.96.0.9, ports: [{port: 80}]}", "a")
        + service("{externalIPs: [127.96.0.9], ports: [{port: 80}]}", "b")
        + node("{serviceRange: {reach: ports}}"),
    ),
    case(
        "an external address that is a clusterIP, which may be served elsewhere",
        service("{clusterIP: 127.96.0.9, ports: [{port: 80}]}", "a")
        + service("{externalIPs: [127.96.0.9], ports: [{port: 80}]}", "b")
        + node("{serviceRange: {reach: [ports]}}"),
        error("spec.serviceRange.reach", "expected"),
    ),
    case(
        "an external address twice by what is not carried",
        service("{externalIPs: [127.0.0.9], ports: [{port: 80, protocol: SCTP}]}", "a")
        + service("{externalIPs: [127.0.0.9], ports: [{port: 80, protocol: SCTP}]}", "b"),
        *(warning("spec.ports[0].protocol", "SCTP is not carried") for _ in "ab"),
    ),
    case(
        "what the node itself listens at",
        service("{externalIPs: [127.0.0.1], ports: [{port: 1053, protocol: UDP}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 9000}]}", "b")
        + service("{type: LoadBalancer, ports: [{port: 8080}]}", "web")
        + rule("c", "x.y", "/").replace("number: 80}", "number: 8080}")
        + node("{admin: 'localhost:9000'}"),
        warning("spec.externalIPs[0]", "1053/UDP at 127.0.0.1 is spec.dns of NodeConfig/laptop ("),
        warning("spec.ports[0].port", "9000/TCP at 127.0.0.1 is spec.admin of NodeConfig/laptop ("),
        warning("spec.ports[0].port", "8080/TCP at 127.0.0.1 is spec.ingress.http of NodeConfig/laptop ("),
    ),
    case(
        "what the node itself listens at, as far as it is known",
        service("{type: [], externalIPs: [127.0.0.1], ports: [{port: 1053, protocol: UDP}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 9901}]}", "b")
        + node("{admin: []}"),
        error("spec.type", "expected"),
        error("spec.admin", "expected"),
    ),
    case(
        "what the node would listen at for an Ingress",
        service("{type: LoadBalancer, ports: [{name: a, port: 8080}, {name: b, port: 8443}]}"),
    ),
    case(
        "two LoadBalancers with one port, and one names what is no address",
        service("{type: LoadBalancer, loadBalancerIP: [127.0.0.1], ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 80}]}", "b"),
        error("spec.loadBalancerIP", "expected"),
    ),
    case(
        "two LoadBalancers with one port on what is no address",
        service("{type: LoadBalancer, loadBalancerIP: lb, ports: [{port: 80}]}", "a")
        + service("{type: LoadBalancer, loadBalancerIP: lb, ports: [{port: 80}]}", "b"),
        *(error("spec.loadBalancerIP", "is not an IP address") for _ in "ab"),
    ),
    case(
        "two LoadBalancers with one port by TCP and by UDP",
        service("{type: LoadBalancer, ports: [{port: 53}]}", "a")
        + service("{type: LoadBalancer, ports: [{port: 53, protocol: UDP}]}", "b"),
    ),
    case(
        "an address twice",
        service("{clusterIP: 127.96.1.1, ports: [{port: 80}]}", "a")
        + service("{clusterIP: 127.96.1.1, ports: [{port: 80}]}", "b"),
        error("spec.clusterIP", "Service/default/a ("),
    ),
    case(
        "a second address twice",
        service("{clusterIP: 127.96.1.1, clusterIPs: [127.96.1.1, '::1:1'], ports: [{port: 80}]}", "a")
        + service("{clusterIP: 127.96.1.2, clusterIPs: [127.96.1.2, '0::1:1'], ports: [{port: 80}]}", "b"),
        error("spec.clusterIPs[1]", "0::1:1 is the address of Service/default/a ("),
    ),
    case(
        "second addresses apart",
        service("{clusterIP: 127.96.1.1, clusterIPs: [127.96.1.1, '::1:1'], ports: [{port: 80}]}", "a")
        + service("{clusterIP: 127.96.1.2, clusterIPs: [127.96.1.2, '::1:2'], ports: [{port: 80}]}", "b"),
    ),
    case(
        "what is no address twice",
        service("{clusterIP: x, clusterIPs: [x, z], ports: [{port: 80}]}", "a")
        + service("{clusterIP: x, clusterIPs: [x, z], ports: [{port: 80}]}", "b"),
        *(error(path, "is not an IP address") for path in ("spec.clusterIP", "spec.clusterIPs[1]") for _ in "ab"),
    ),
    case("headless twice", service("{clusterIP: None}", "a") + service("{clusterIP: None}", "b")),
    case(
        "a path twice",
        WEB + rule("a", "x.y", "/") + rule("b", "x.y", "/"),
        warning("spec.rules[0].http.paths[0]", "Ingress/default/a ("),
    ),
    case("a path of two types", WEB + rule("a", "x.y", "/") + rule("b", "x.y", "/", "Exact")),
    case("two hosts", WEB + rule("a", "x.y", "/") + rule("b", "x.z", "/")),
    case(
        "two defaults",
        WEB + ingress(f"{{defaultBackend: {ALL}}}", "a") + ingress(f"{{defaultBackend: {ALL}}}", "b"),
        warning("spec.defaultBackend", "Ingress/default/a ("),
    ),
    case(
        "two defaults of one host",
        WEB
        + ingress(f"{{defaultBackend: {ALL}, rules: [{{host: x.y}}]}}", "a")
        + ingress(f"{{defaultBackend: {ALL}, rules: [{{host: x.y}}]}}", "b"),
        warning("spec.defaultBackend", "what no path of host x.y matches belongs to Ingress/default/a ("),
    ),
    case(
        "defaults of two hosts, and of all",
        WEB
        + ingress(f"{{defaultBackend: {ALL}, rules: [{{host: x.y}}]}}", "a")
        + ingress(f"{{defaultBackend: {ALL}, rules: [{{host: x.z}}]}}", "b")
        + ingress(f"{{defaultBackend: {ALL}}}", "c"),
    ),
    case(
        "two classes",
        WEB
        + default_class("one")
        + default_class("two")
        + ingress(f"{{ingressClassName: one, defaultBackend: {ALL}}}", "a")
        + ingress(f"{{ingressClassName: two, defaultBackend: {ALL}}}", "b"),
        warning("spec.defaultBackend", "Ingress/default/a ("),
    ),
    case(
        "no class, and the one that is served here anyway",
        WEB + rule("a", "x.y", "/") + rule("b", "x.y", "/").replace("{rules:", "{ingressClassName: weft, rules:"),
        warning("spec.rules[0].http.paths[0]", "Ingress/default/a ("),
    ),
    case(
        "ours and the class of another controller",
        WEB
        + default_class("nginx").replace("weft.dev/ingress", "k8s.io/ingress-nginx").replace("'true'", "'false'")
        + rule("a", "x.y", "/")
        + rule("b", "x.y", "/").replace("{rules:", "{ingressClassName: nginx, rules:"),
    ),
    case(
        "ours and a class of which it is not known whose it is",
        WEB
        + default_class("other").replace("k8s.io/v1", "k8s.io/v11", 1)
        + rule("a", "x.y", "/")
        + rule("b", "x.y", "/").replace("{rules:", "{ingressClassName: other, rules:"),
        error("", "v11"),
    ),
    case(
        "two default classes",
        WEB + default_class("one") + default_class("two") + ingress(f"{{defaultBackend: {ALL}}}"),
        error("spec.ingressClassName", "IngressClass/one"),
    ),
    case(
        "two default classes, one named",
        WEB
        + default_class("one")
        + default_class("two")
        + ingress(f"{{ingressClassName: one, defaultBackend: {ALL}}}"),
    ),
    case("one default class", WEB + default_class("one") + ingress(f"{{defaultBackend: {ALL}}}")),
    case(
        "two policies",
        WEB + policy("a", "{kind: Service, name: web}") + policy("b", "{kind: Service, name: web}"),
        error("spec.targetRef", "TrafficPolicy/default/a ("),
    ),
    case(
        "of a Service and its port",
        WEB + policy("a", "{kind: Service, name: web}") + policy("b", "{kind: Service, name: web, sectionName: http}"),
    ),
    case(
        "of a port by name and number",
        WEB
        + policy("a", "{kind: Service, name: web, sectionName: http}")
        + policy("b", "{kind: Service, name: web, sectionName: '80'}"),
        error("spec.targetRef", "port http has the policy TrafficPolicy/default/a ("),
    ),
    case(
        "two autoscalers",
        deployment(CPU) + autoscaler("a") + autoscaler("b"),
        error("spec.scaleTargetRef", "HorizontalPodAutoscaler/default/a ("),
    ),
]


@table(CASES)
def test_conflicts(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_the_older_one_keeps_it(tmp_path: Path) -> None:
    old = (
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {}, creationTimestamp: '{}'}}\n"
        "spec: {{type: NodePort, ports: [{{port: 80, nodePort: 30001}}]}}\n---\n"
    )
    text = old.format("a", "2024-02-01T00:00:00Z") + old.format("b", "2024-01-01T00:00:00Z")
    (fault,) = faults_of(text + endpoints_of("a") + endpoints_of("b"), tmp_path)
    assert fault.object == ObjectKey("Service", "default", "a")
    assert f"Service/default/b ({tmp_path / 'm.yaml'}:9:" in fault.message


BALANCED = "{type: LoadBalancer, ports: [{port: 80}]}"
FIXED = "{clusterIP: 127.96.0.9, ports: [{port: 80}]}"
CHECKED = (
    "{type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30099, "
    "loadBalancerClass: other/one, ports: [{port: 80}]}"
)
HELD: dict[str, Callable[[str], str]] = {
    "a node port": lambda name: node_port(name, 30001),
    "an address": lambda name: service(FIXED, name),
    "a port of the node": lambda name: service(BALANCED, name),
    "a port of a health check": lambda name: service(CHECKED, name),
    "an external address": lambda name: service("{externalIPs: [127.0.0.9], ports: [{port: 80}]}", name),
    "the target of a policy": lambda name: policy(name, "{kind: Service, name: web}"),
    "what is scaled": autoscaler,
}


@pytest.mark.parametrize("what", HELD)
def test_who_had_it_before_keeps_it(what: str, tmp_path: Path) -> None:
    """Whatever the two are called, and at a first start the first by name does."""
    file = tmp_path / "m.yaml"
    rest = WEB + deployment()
    file.write_text(HELD[what]("slow") + rest)
    before = load([file]).config_set
    file.write_text(HELD[what]("aaa") + HELD[what]("slow") + rest)
    for given, loser, holder in ((before, "aaa", "slow"), (ConfigSet(), "slow", "aaa")):
        errors = [fault for fault in load([file], before=given).faults if fault.severity == "error"]
        assert {fault.object.name for fault in errors if fault.object} == {loser}
        assert all(f"default/{holder} (" in fault.message for fault in errors)


def test_an_address_that_was_given_is_nobodys_external_one(tmp_path: Path) -> None:
    """At the port that is served there; a Service that takes another's traffic so is known as CVE-2020-8554."""
    file = tmp_path / "m.yaml"
    file.write_text(service(FIXED, "slow"))
    before = load([file]).config_set
    for port, names in ((80, {"aaa"}), (81, set())):
        taking = f"{{externalIPs: [127.96.0.9], ports: [{{port: {port}}}]}}"
        file.write_text(service(taking, "aaa") + service("{ports: [{port: 80}]}", "slow"))
        errors = [fault for fault in load([file], before=before).faults if fault.severity == "error"]
        assert {fault.object.name for fault in errors if fault.object} == names
        assert all("80/TCP at 127.96.0.9 belongs to Service/default/slow (" in fault.message for fault in errors)


def test_what_was_given_up_is_free(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(node_port("slow", 30001))
    before = load([file]).config_set
    file.write_text(node_port("aaa", 30001) + node_port("slow", 30002))
    assert not load([file], before=before).failed


def test_by_age() -> None:
    metadata = [
        ObjectMeta("c", "x"),
        ObjectMeta("b", "y"),
        ObjectMeta("z", "x", creation_timestamp="2024-01-01T00:00:00Z"),
    ]
    objects = {Named(each.namespace, each.name): ConfigMap(each) for each in metadata}
    assert [key.name for key, _ in by_age("ConfigMap", objects)] == ["z", "c", "b"]
