from __future__ import annotations

from typing import Any

import pytest

from config.meta import LabelSelector, Named, ObjectMeta
from config.resources.core import Service, ServicePort
from config.resources.workloads import Deployment, DeploymentSpec, PodMetadata, PodSpec, PodTemplate
from discovery.endpoint import Endpoint, WorkloadRef
from discovery.registry.names import NOT_READY, SCALED_TO_ZERO, Record, dashed, lack, lack_now, records, undashed
from tests.discovery.objects import service

HTTP, UNNAMED = ServicePort(port=80, name="http"), ServicePort(port=9000)
WORKLOAD = WorkloadRef("Deployment", "default", "app")


def endpoint(address: str = "10.0.0.1", **more: Any) -> Endpoint:
    return Endpoint(address=address, port=8080, **more)


def deployment(replicas: int = 1, **pod: str) -> dict[Named, Deployment]:
    template = PodTemplate(spec=PodSpec(containers=(), **pod), metadata=PodMetadata(labels={"app": "shop"}))
    spec = DeploymentSpec(selector=LabelSelector(), template=template, replicas=replicas)
    return {Named("default", "app"): Deployment(metadata=ObjectMeta("app", "default"), spec=spec)}


def made(each: Service, *endpoints: Endpoint, deployments: Any = None) -> list[str]:
    given = {port.key: endpoints for port in each.spec.ports}
    found = records(Named("default", "shop"), each, given, "z", deployments or {})
    return [" ".join(record).replace("shop.default.svc.z", "@") for record in found]


TABLE: dict[str, tuple[Service, tuple[Endpoint, ...], list[str]]] = {
    "an address, its name and a named port": (
        service("shop", HTTP, cluster_ip="10.96.0.9"),
        (),
        ["@ A 10.96.0.9", "9.0.96.10.in-addr.arpa PTR @", "_http._tcp.@ SRV 0 100 80 @"],
    ),
    "an unnamed port has no SRV record": (
        service("shop", UNNAMED, cluster_ip="10.96.0.9"),
        (),
        ["@ A 10.96.0.9", "9.0.96.10.in-addr.arpa PTR @"],
    ),
    "readiness does not matter to a Service with an address": (
        service("shop", UNNAMED, cluster_ip="10.96.0.9"),
        (endpoint(ready=False),),
        ["@ A 10.96.0.9", "9.0.96.10.in-addr.arpa PTR @"],
    ),
    "both families": (
        service("shop", UNNAMED, cluster_ip="10.96.0.9", cluster_ips=("10.96.0.9", "fd00::9")),
        (),
        [
            "@ A 10.96.0.9", "9.0.96.10.in-addr.arpa PTR @", "@ AAAA fd00::9",
            "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR @",
        ],
    ),
    "another name": (
        service("shop", type="ExternalName", external_name="WWW.Example.com."), (), ["@ CNAME www.example.com"],
    ),
    "headless: each ready endpoint, by its address": (
        service("shop", HTTP, cluster_ip="None"),
        (endpoint(), endpoint("fd00::1")),
        [
            "@ A 10.0.0.1", "10-0-0-1.@ A 10.0.0.1", "1.0.0.10.in-addr.arpa PTR 10-0-0-1.@",
            "@ AAAA fd00::1", "fd00--1.@ AAAA fd00::1",
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR fd00--1.@",
            "_http._tcp.@ SRV 0 1 8080 10-0-0-1.@", "_http._tcp.@ SRV 0 1 8080 fd00--1.@",
        ],
    ),
    "headless: by hostname, with tier and weight": (
        service("shop", HTTP, cluster_ip="None"),
        (endpoint(hostname="Web-0", tier=2, weight=7),),
        [
            "@ A 10.0.0.1", "web-0.@ A 10.0.0.1", "1.0.0.10.in-addr.arpa PTR web-0.@",
            "_http._tcp.@ SRV 2 7 8080 web-0.@",
        ],
    ),
    "a hostname that is no label is not used": (
        service("shop", UNNAMED, cluster_ip="None"),
        (endpoint(hostname="a.b"),),
        ["@ A 10.0.0.1", "10-0-0-1.@ A 10.0.0.1", "1.0.0.10.in-addr.arpa PTR 10-0-0-1.@"],
    ),
    "neither unready nor terminating ones": (
        service("shop", HTTP, cluster_ip="None"),
        (endpoint(ready=False), endpoint("10.0.0.2", terminating=True)),
        [],
    ),
    "unless all are to be published": (
        service("shop", UNNAMED, cluster_ip="None", publish_not_ready_addresses=True),
        (endpoint(ready=False, terminating=True),),
        ["@ A 10.0.0.1", "10-0-0-1.@ A 10.0.0.1", "1.0.0.10.in-addr.arpa PTR 10-0-0-1.@"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_records(case: str) -> None:
    each, endpoints, expected = TABLE[case]
    assert made(each, *endpoints) == expected


@pytest.mark.parametrize(
    ("pod", "host"),
    [
        ({"hostname": "web", "subdomain": "shop"}, "web"),
        ({"hostname": "web", "subdomain": "other"}, "10-0-0-1"),
        ({"hostname": "web"}, "10-0-0-1"),
        ({"subdomain": "shop"}, "10-0-0-1"),
    ],
)
def test_a_pod_has_its_hostname_only_beneath_its_subdomain(pod: dict[str, str], host: str) -> None:
    headless = service("shop", UNNAMED, cluster_ip="None")
    found = made(headless, endpoint(workload=WORKLOAD, replica_id="app-x"), deployments=deployment(**pod))
    assert f"{host}.@ A 10.0.0.1" in found
    assert not [record for record in found if record.startswith("app-x")]


def test_an_endpoint_of_several_ports_has_its_address_once() -> None:
    each = service("shop", HTTP, ServicePort(port=81, name="admin"), cluster_ip="None")
    found = made(each, endpoint())
    assert [record for record in found if record.startswith("@")] == ["@ A 10.0.0.1"]
    assert len([record for record in found if "SRV" in record]) == 2


def test_one_record_per_address_of_a_hostname() -> None:
    each = service("shop", UNNAMED, cluster_ip="None")
    found = made(each, endpoint(hostname="web"), endpoint("10.0.0.2", hostname="web"))
    assert [record for record in found if record.startswith("web.")] == ["web.@ A 10.0.0.1", "web.@ A 10.0.0.2"]


LACKS: dict[str, tuple[str, tuple[Endpoint, ...], bool, int | None]] = {
    "a ready one": ("None", (endpoint(),), False, None),
    "an address of its own": ("10.96.0.9", (), True, None),
    "none ready": ("None", (endpoint(ready=False),), False, NOT_READY),
    "the last one ends": ("None", (endpoint(terminating=True),), True, NOT_READY),
    "none at all": ("None", (), False, NOT_READY),
    "none wanted": ("None", (), True, SCALED_TO_ZERO),
}


@pytest.mark.parametrize("case", LACKS)
def test_why_there_is_nothing(case: str) -> None:
    cluster_ip, endpoints, asleep, code = LACKS[case]
    shop = Named("default", "shop")
    found = lack(service("shop", HTTP, cluster_ip=cluster_ip), {"http": endpoints})
    reason = lack_now(shop, found, {shop: asleep}.__getitem__)
    assert (reason and reason.code) == code
    assert reason is None or reason.lasts == bool(endpoints), "without endpoints that is asked each time"


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1", "::1", "1::", "::", "::ffff:a00:1"])
def test_dashed_addresses_are_labels_and_can_be_read_again(address: str) -> None:
    label = dashed(address)
    assert label[0] != "-"
    assert label[-1] != "-"
    packed = undashed(label.encode())
    assert packed is not None
    assert packed == undashed(dashed(address).encode())
    assert dashed(Record("", "", address).value) == label


@pytest.mark.parametrize("label", [b"web-0", b"1-2-3", b"1-2-3-400", b"01-2-3-4", b"", b"\xff"])
def test_other_labels_are_no_addresses(label: bytes) -> None:
    assert undashed(label) is None
