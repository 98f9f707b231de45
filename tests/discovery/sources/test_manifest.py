from __future__ import annotations

import time
from typing import Any

import pytest

from config.configset import ConfigSet
from config.meta import LabelSelector, Named, ObjectMeta
from config.resources.core import (
    SERVICE_NAME_LABEL,
    EndpointAddress,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    HintedPlace,
    ObjectReference,
    Service,
    ServicePort,
    SliceEndpoint,
)
from config.resources.workloads import Deployment, DeploymentSpec, PodMetadata, PodSpec, PodTemplate
from discovery.endpoint import Endpoint, Hints
from discovery.sources.manifest import by_service, endpoints
from tests.discovery.objects import named, service

SHOP = Named("default", "shop")
HTTP = ServicePort(name="http", port=80)


def endpoint_slice(*written: SliceEndpoint, of: str = "shop", name: str = "shop-1", **more: Any) -> EndpointSlice:
    metadata = ObjectMeta(name=name, namespace="default", labels={SERVICE_NAME_LABEL: of})
    given: dict[str, Any] = {"address_type": "IPv4", "ports": (EndpointPort(port=8080),)}
    return EndpointSlice(metadata=metadata, endpoints=written, **(given | more))


def config(*objects: Service | EndpointSlice | Endpoints | Deployment) -> ConfigSet:
    def of(kind: type) -> dict[Named, Any]:
        found = (each for each in objects if isinstance(each, kind))
        return {Named(each.metadata.namespace, each.metadata.name): each for each in found}

    return ConfigSet(
        services=of(Service), endpoints=of(Endpoints), endpoint_slices=of(EndpointSlice), deployments=of(Deployment)
    )


def at(address: str, ready: bool | None = None, **more: Any) -> SliceEndpoint:
    return SliceEndpoint(addresses=(address,), conditions=EndpointConditions(ready=ready), **more)


@pytest.mark.parametrize(
    ("case", "conditions", "expected"),
    [
        ("nothing said", EndpointConditions(), (True, True, False)),
        ("ready", EndpointConditions(ready=True), (True, True, False)),
        ("not ready is not serving", EndpointConditions(ready=False), (False, False, False)),
        ("draining", EndpointConditions(ready=False, serving=True, terminating=True), (False, True, True)),
        ("drained", EndpointConditions(ready=False, serving=False, terminating=True), (False, False, True)),
        (
            "published although not ready: as they say",
            EndpointConditions(ready=True, serving=False, terminating=True),
            (True, False, True),
        ),
    ],
)
def test_conditions(case: str, conditions: EndpointConditions, expected: tuple[bool, bool, bool]) -> None:
    written = SliceEndpoint(addresses=("10.0.0.1",), conditions=conditions)
    (found,) = endpoints(config(service(), endpoint_slice(written)))[SHOP]["80"]
    assert (found.ready, found.serving, found.terminating) == expected, case


def test_what_a_slice_tells_is_kept() -> None:
    pod = ObjectReference(kind="Pod", name="shop-x2x8q")
    written = SliceEndpoint(
        addresses=("10.0.0.1", "10.0.0.99"), hostname="shop-0", node_name="n1", zone="a", target_ref=pod
    )
    assert endpoints(config(service(), endpoint_slice(written))) == {
        SHOP: {"80": (Endpoint("10.0.0.1", 8080, replica_id="shop-x2x8q", node="n1", zone="a", hostname="shop-0"),)}
    }


@pytest.mark.parametrize(
    ("case", "port", "offered", "number"),
    [
        ("unnamed and unnamed", ServicePort(port=80), EndpointPort(port=8080), 8080),
        ("by name, whatever the number", HTTP, EndpointPort(port=9999, name="http"), 9999),
        ("another name", HTTP, EndpointPort(port=80, name="web"), None),
        ("unnamed is no name", HTTP, EndpointPort(port=80), None),
        ("named is not unnamed", ServicePort(port=80), EndpointPort(port=80, name="http"), None),
        ("another protocol", HTTP, EndpointPort(port=80, name="http", protocol="UDP"), None),
        ("no number", HTTP, EndpointPort(name="http"), None),
    ],
)
def test_ports_belong_together_by_name(case: str, port: ServicePort, offered: EndpointPort, number: int | None) -> None:
    shop = service("shop", port)
    expected = {port.key: () if number is None else (Endpoint("10.0.0.1", number),)}
    assert endpoints(config(shop, endpoint_slice(at("10.0.0.1"), ports=(offered,))))[SHOP] == expected, case
    if offered.port is None:
        return
    subset = EndpointSubset(addresses=(EndpointAddress(ip="10.0.0.1"),), ports=(offered,))
    assert endpoints(config(shop, Endpoints(metadata=shop.metadata, subsets=(subset,))))[SHOP] == expected, case


def test_hints_are_kept() -> None:
    hints = EndpointHints((HintedPlace("east"), HintedPlace("west")), (HintedPlace("n1"),))
    written = endpoint_slice(at("10.0.0.1", hints=hints), at("10.0.0.2"))
    [first, second] = endpoints(config(service(), written))[SHOP]["80"]
    assert (first.hints, second.hints) == (Hints(("east", "west"), ("n1",)), None)


def test_slices_are_merged_without_duplicates() -> None:
    found = endpoints(
        config(
            service(),
            endpoint_slice(at("10.0.0.2"), at("10.0.0.1", ready=False), name="a"),
            endpoint_slice(at("10.0.0.1"), at("10.0.0.3"), name="b"),
            endpoint_slice(at("10.0.0.4"), name="c", of="other"),
        )
    )
    assert found == {SHOP: {"80": tuple(Endpoint(f"10.0.0.{number}", 8080) for number in (2, 1, 3))}}


@pytest.mark.parametrize(
    ("case", "spec", "expected"),
    [
        ("IPv4 unless told otherwise", {}, ["10.0.0.1"]),
        ("the first family", {"ip_families": ("IPv6", "IPv4")}, ["fd00::1"]),
        ("the family of the ClusterIP", {"cluster_ip": "fd00::80"}, ["fd00::1"]),
        (
            "headless: all that it names",
            {"cluster_ip": "None", "ip_families": ("IPv4", "IPv6")},
            ["fd00::1", "10.0.0.1"],
        ),
        ("headless, of one family", {"cluster_ip": "None", "ip_families": ("IPv4",)}, ["10.0.0.1"]),
    ],
)
def test_which_families_count(case: str, spec: dict[str, Any], expected: list[str]) -> None:
    both = (
        endpoint_slice(at("fd00::1"), name="six", address_type="IPv6"),
        endpoint_slice(at("10.0.0.1"), name="four"),
    )
    found = endpoints(config(service(**spec), *both))[SHOP]["80"]
    assert [each.address for each in found] == expected, case


@pytest.mark.parametrize(("family", "count"), [("IPv6", 1), ("FQDN", 0)])
def test_a_family_that_is_alone(family: Any, count: int) -> None:
    found = endpoints(config(service(), endpoint_slice(at("x"), address_type=family)))
    assert len(found[SHOP]["80"]) == count


def test_endpoints_objects() -> None:
    subset = EndpointSubset(
        addresses=(EndpointAddress(ip="10.0.0.1", hostname="h", node_name="n"),),
        not_ready_addresses=(EndpointAddress(ip="10.0.0.2"), EndpointAddress(ip="10.0.0.1")),
        ports=(EndpointPort(port=9376),),
    )
    metadata = service().metadata
    written = Endpoints(metadata=metadata, subsets=(subset, EndpointSubset(ports=(EndpointPort(port=1),))))
    found = endpoints(config(service(), written))
    assert found[SHOP]["80"] == (
        Endpoint("10.0.0.1", 9376, node="n", hostname="h"),
        Endpoint("10.0.0.2", 9376, ready=False, serving=False),
    )
    with_slice = endpoints(config(service(), written, endpoint_slice(at("10.0.0.7"))))
    assert [each.address for each in with_slice[SHOP]["80"]] == ["10.0.0.7"]


def deployment(labels: dict[str, str], namespace: str = "default") -> Deployment:
    template = PodTemplate(spec=PodSpec(containers=()), metadata=PodMetadata(labels=labels))
    metadata = ObjectMeta(name="shop", namespace=namespace)
    return Deployment(metadata=metadata, spec=DeploymentSpec(selector=LabelSelector(), template=template))


@pytest.mark.parametrize(
    ("case", "selector", "others", "counts"),
    [
        ("no selector", {}, [deployment({"app": "shop"})], True),
        ("a selector whose Deployment is elsewhere", {"app": "shop"}, [], True),
        ("its Deployment is here", {"app": "shop"}, [deployment({"app": "shop", "v": "1"})], False),
        ("another Deployment is here", {"app": "shop"}, [deployment({"app": "other"})], True),
        ("its Deployment is in another namespace", {"app": "shop"}, [deployment({"app": "shop"}, "other")], True),
    ],
)
def test_which_services(case: str, selector: dict[str, str], others: list[Deployment], counts: bool) -> None:
    found = endpoints(config(service(selector=selector), endpoint_slice(at("10.0.0.1")), *others))
    assert (SHOP in found) is counts, case


def test_an_external_name_has_no_endpoints() -> None:
    assert not endpoints(config(service(type="ExternalName"), endpoint_slice(at("10.0.0.1"))))


def test_what_belongs_to_no_service_is_left_out() -> None:
    lone = EndpointSlice(metadata=ObjectMeta(name="lone", namespace="default"), address_type="IPv4")
    assert not endpoints(config(lone, endpoint_slice(at("10.0.0.1"), of="unknown")))


def test_thousands_of_slices_are_converted_in_little_time_and_in_pieces() -> None:
    services = [service(f"s{number}", HTTP) for number in range(2000)]
    slices = {
        Named("default", f"s{number}-x"): endpoint_slice(
            *(at(f"10.{number // 250}.{number % 250}.{host}") for host in range(10)),
            of=f"s{number}",
            name=f"s{number}-x",
            ports=(EndpointPort(port=8080, name="http"),),
        )
        for number in range(2000)
    }
    written = ConfigSet(services=named(*services), endpoint_slices=slices)
    rounds = [pieces(written) for _ in range(5)]
    assert all(len(each) == 2000 for each in rounds)
    assert min(map(sum, rounds)) < 0.15
    assert max(map(min, zip(*rounds, strict=True))) < 0.005


def pieces(written: ConfigSet) -> list[float]:
    """Seconds of this thread's own time for each Service: what else the machine does is not counted."""
    found = []
    last = time.thread_time()
    for _ in by_service(written):
        now = time.thread_time()
        found.append(now - last)
        last = now
    return found
