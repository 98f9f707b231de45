"""The parts of a sidecar, as far as they are decided before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Service, ServicePort, ServiceSpec
from discovery.endpoint import Endpoint
from discovery.registry import secondary
from discovery.registry.registrations import registered
from discovery.registry.resolv_conf import Resolver
from discovery.registry.wire import Message, Record
from sidecar.beside import Beside
from sidecar.enrolment import Registering
from sidecar.errors import UserError
from sidecar.registry import Registry
from sidecar.registry_assembly import RegistryAssembly
from sidecar.sidecar_assembly import SidecarFollower, _check, _endpoints, replica_id, replica_of
from tests.discovery.registry.test_authority import until
from tests.discovery.sources.test_registry import CART, SHOP, TWO, ZONE
from tests.discovery.sources.test_registry import SERVICES as BOTH
from tests.sidecar.test_follower import HERE, following, node, registry, write

APP = Named("default", "app")
PORTS = (ServicePort(port=80, name="http"), ServicePort(port=9090))
SERVICES = {APP: Service(metadata=ObjectMeta("app", "default"), spec=ServiceSpec(ports=PORTS))}


def test_its_endpoints_are_those_ports_that_it_has() -> None:
    beside = Beside(APP, (("http", 8080), ("9090", 8081)))
    replica = replica_of(beside, "app-1", "here", "zone")
    made = _endpoints(beside, (replica,))
    assert {name: each[0].where for name, each in made.items()} == {
        "http": ("127.0.0.1", 8080),
        "9090": ("127.0.0.1", 8081),
    }
    endpoint = made["http"][0]
    assert (endpoint.replica_id, endpoint.node, endpoint.zone, endpoint.workload) == ("app-1", "here", "zone", None)
    assert _endpoints(beside, ()) == {}


def test_its_name_is_the_same_for_good_and_no_other_ones(tmp_path: Path) -> None:
    named = replica_id(APP, "here", tmp_path)
    assert named == replica_id(APP, "here", tmp_path)
    assert len({named, replica_id(APP, "there", tmp_path), replica_id(APP, "here", tmp_path / "other")}) == 3
    assert len(replica_id(Named("default", "a" * 63), "here", tmp_path)) < 63


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        (Beside(Named("default", "other"), (("http", 1),)), "no such Service"),
        (Beside(APP, (("http", 1), ("grpc", 2))), "no such port, but http, 9090"),
    ],
)
def test_what_does_not_fit_is_told(beside: Beside, told: str) -> None:
    with pytest.raises(UserError, match=told):
        _check(beside, ConfigSet(services=SERVICES))


def test_a_sidecar_and_the_node_beneath_it_leave_each_others_endpoints_alone() -> None:
    node, sidecar = Registering("here", "here"), Registering("app-1", "here", "app-1")
    of_node, of_sidecar, of_other = ("here", "shop-1", True), ("here", "app-1", False), ("here", "app-2", False)
    assert [node.owns(*each) for each in (of_node, of_sidecar, of_other)] == [True, False, False]
    assert [sidecar.owns(*each) for each in (of_node, of_sidecar, of_other)] == [False, True, False]


def services(number: int) -> dict[Named, Service]:
    """SHOP and CART, and so many others."""
    others = [Named("default", f"s{each}") for each in range(number)]
    return {**BOTH, **{name: replace(BOTH[SHOP], metadata=ObjectMeta(name.name, "default")) for name in others}}


def others(count: int, each: int, version: int = 0) -> list[Record]:
    """Records of `count` Services, with so many endpoints each."""
    found: list[Record] = []
    for number in range(count):
        name = Named("default", f"s{number}")
        there = tuple(
            Endpoint(f"10.{version}.{number % 250}.{host}", 8080, replica_id=f"{number}-{host}", node="n9")
            for host in range(each)
        )
        found += registered(name, BOTH[SHOP], {"http": there}, ZONE)
    return found


async def taken(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """What a sidecar of SHOP has taken to know SHOP and CART in a mesh with `count` Services of 10 endpoints more.

    Bytes until it knows them, and bytes while the others change 20 times; then the names that it holds.
    """
    received: list[int] = []
    parse = secondary.parse_part

    def counted(message: bytes) -> Message:
        received.append(len(message))
        return parse(message)

    monkeypatch.setattr(secondary, "parse_part", counted)
    folder.mkdir()
    async with registry(folder / "registry") as (there, where):
        zones = there.dns.zones
        assert isinstance(zones, Registry)
        await write(there, *others(count, 10), *registered(CART, BOTH[CART], {"http": (TWO,)}, ZONE))
        config_set = replace(node(where), services=services(count))
        make = partial(SidecarFollower, replica_id="beside", named=[SHOP])
        async with following(folder / "sidecar", config_set, make) as made:
            sidecar = made.follower
            assert isinstance(sidecar, SidecarFollower)
            sidecar.served_at(HERE)
            await sidecar.known()
            made.catalog.subscribe(lambda snapshot: sidecar.in_force(snapshot.generation))
            assert (made.names(), made.endpoints(CART)) == ({"one"}, [])
            assert sidecar.lacks(CART)
            sidecar.use(CART)
            await until(lambda: not sidecar.lacks(CART))
            assert [each.replica_id for each in made.endpoints(CART)] == ["two"]
            begin = sum(received)
            received.clear()
            told = [resolver for turn in range(20) for resolver in await changed(there, zones, count, turn)]
            assert told == []
            assert zones.last_for("beside") != zones.serial()
            await until(lambda: sidecar._copy.content.serial == zones.serial())
            return begin, sum(received), len(sidecar._copy.content.nodes)


async def changed(there: RegistryAssembly, zones: Registry, count: int, turn: int) -> set[Resolver]:
    """Who is told that something changed that is neither SHOP nor CART."""
    records = others(1, 1, turn + 1)
    await write(there, *records)
    return zones._targets([record.name for record in records])


async def test_what_it_takes_and_holds_does_not_grow_with_the_mesh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: Callable[[int, int], int]
) -> None:
    begun, meanwhile, names = zip(
        *[await taken(tmp_path / f"mesh-{count}", count, monkeypatch) for count in (2, size(50, 500))], strict=True
    )
    assert names == (4, 4)
    assert begun[1] < begun[0] * 1.5
    assert max(meanwhile) < 4000, "one question a second"
