"""What a node registers, and which registered endpoints are its own; the rest is in the follower's tests."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec, RegistrySettings
from discovery.catalog import Catalog, PortEndpoints
from discovery.registry.resolv_conf import Resolver
from discovery.registry.targets import node_records
from discovery.registry.wire import SRV, Record, from_text, to_wire
from mesh.table import ListenerKey
from sidecar.enrolment import Enrolment, Registering, node_name, registries
from tests.discovery.sources.test_registry import SHOP
from tests.sidecar.test_follower import SELECTING, replica

NODE = Registering("here", "here")
SIDECAR = Registering("beside", "here", "only-one")
OWN = {
    "a replica of the node": (NODE, ("here", "r", True), True),
    "one of another node": (NODE, ("there", "r", True), False),
    "a sidecar's on the same machine": (NODE, ("here", "only-one", False), False),
    "the sidecar's own": (SIDECAR, ("here", "only-one", False), True),
    "the node's beside the sidecar": (SIDECAR, ("here", "r", True), False),
}


@pytest.mark.parametrize(("who", "said", "own"), OWN.values(), ids=OWN)
def test_which_endpoints_are_its_own(who: Registering, said: tuple[str, str, bool], own: bool) -> None:
    assert who.owns(*said) is own


def enrolment(**node: object) -> tuple[Enrolment, list[Record]]:
    """One whose registrants only note what they are to keep registered."""
    settings = RegistrySettings(servers=("192.0.2.1:53", "[2001:db8::1]:53"))
    spec = NodeConfigSpec(node_name="Here", registry=settings, **node)  # type: ignore[arg-type]
    catalog = Catalog()
    catalog.define(SELECTING)
    made = Enrolment(ConfigSet(services=SELECTING, node=spec), catalog, None, Random(1))
    wanted: list[Record] = []

    def want(records: Sequence[Record]) -> None:
        wanted[:] = records

    made.endpoints.want = made.itself.want = want  # type: ignore[assignment, method-assign]
    return made, wanted


WHERE = {
    "where it is served": (ListenerKey("192.0.2.7", 53), (), Resolver("192.0.2.7", 53)),
    "at an address of the node": (ListenerKey("0.0.0.0", 53), ("192.0.2.8",), Resolver("192.0.2.8", 53)),
}


@pytest.mark.parametrize(("served", "addresses", "told"), WHERE.values(), ids=WHERE)
async def test_where_it_is_told(served: ListenerKey, addresses: tuple[str, ...], told: Resolver) -> None:
    made, wanted = enrolment(node_addresses=addresses)
    made.reachable_at(served)
    assert wanted == list(node_records(to_wire(from_text("here.nodes.cluster.local")), told))


async def test_where_others_reach_an_endpoint_is_published() -> None:
    told: list[tuple[Named, PortEndpoints]] = []

    def published(name: Named, ports: Sequence[ServicePort], endpoints: PortEndpoints) -> PortEndpoints:
        told.append((name, endpoints))
        moved = {key: tuple(replace(each, port=9999) for each in there) for key, there in endpoints.items()}
        return moved if ports else {}

    made, wanted = enrolment()
    made.publish_by(published)
    made.replicas.put_replicas("process", [replica(1)])
    assert [int.from_bytes(each.data[4:6], "big") for each in wanted if each.type == SRV] == [9999]
    assert [each.port for each in made._catalog.snapshot.services[SHOP]["http"]] == [8080], "here it is dialled itself"
    made.define(ConfigSet())
    assert wanted == []
    assert told[-1][1] == {}, "the last change is told too"


async def test_a_name_that_is_too_long_is_told_of_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    made, _ = enrolment()
    named = Named("n" * 63, "s" * 63)
    service = replace(SELECTING[SHOP], spec=replace(SELECTING[SHOP].spec, selector={"app": "shop"}))
    domain = ".".join(["d" * 60] * 2)
    made = Enrolment(
        ConfigSet(services={named: service}, node=replace(made._node, cluster_domain=domain)),
        Catalog(),
        None,
        Random(1),
    )
    far = replica(1)
    made.replicas.put_replicas("process", [replace(far, workload=far.workload._replace(namespace="n" * 63))])
    assert "cannot be registered" in caplog.text
    assert made.document()["registered"] == 0


def test_whom_it_asks_and_who_it_is() -> None:
    node = NodeConfigSpec(registry=RegistrySettings(servers=("192.0.2.1:53", "[2001:db8::1]:53")))
    assert registries(node) == (Resolver("192.0.2.1", 53), Resolver("2001:db8::1", 53))
    assert node_name(node)
    assert node_name(replace(node, node_name="n1")) == "n1"
