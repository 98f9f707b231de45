"""A follower in this process, and the registry that it follows: what one has the other gets, and each keeps its own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec, RegistrySettings
from discovery.catalog import Catalog
from discovery.endpoint import Endpoint, Replica, ReplicaPort, WorkloadRef
from discovery.registry.content import Content, later
from discovery.registry.keys import EVERYTHING
from discovery.registry.messages import notify
from discovery.registry.primary import Primary
from discovery.registry.registrations import origin, registered
from discovery.registry.responder import Responder
from discovery.registry.transfer import Apex
from discovery.registry.update import Request, Update
from discovery.registry.wire import NS, Record
from mesh.table import ListenerKey
from sidecar.errors import UserError
from sidecar.follower import STALE, Follower
from sidecar.registry import Registry
from sidecar.registry_assembly import RegistryAssembly
from tests.discovery.registry.servers import Nowhere
from tests.discovery.registry.test_authority import until
from tests.discovery.registry.test_registrant import nobody
from tests.discovery.sources.test_registry import ONE, SERVICES, SHOP, TWO
from tests.scenarios.weft import Network
from tests.sidecar.test_registry_assembly import assembled, config

ZONE = origin("cluster.local")
SELECTING = {
    name: replace(service, spec=replace(service.spec, selector={"app": name.name}))
    for name, service in SERVICES.items()
}
HERE = ListenerKey("127.0.0.1", 1053)
MakeFollower = Callable[[ConfigSet, Catalog, Path, Random], Follower]


def replica(number: int, ready: bool = True, node: str = "here") -> Replica:
    return Replica(
        f"shop-{number}", WorkloadRef("Deployment", "default", "shop"), {"app": "shop"}, node, f"127.97.0.{number}",
        (ReplicaPort(80, 8080),), ready=ready, serving=ready,
    )  # fmt: skip


def node(*servers: str, **registry: object) -> ConfigSet:
    settings = RegistrySettings(servers=servers, **registry)  # type: ignore[arg-type]
    return ConfigSet(services=SELECTING, node=NodeConfigSpec(node_name="here", registry=settings))


class Node:
    """A follower with a catalog of its own."""

    def __init__(self, folder: Path, config_set: ConfigSet, make: MakeFollower) -> None:
        folder.mkdir(exist_ok=True)
        self.catalog = Catalog()
        self.catalog.define(config_set.services)
        self.follower = make(config_set, self.catalog, folder, Random(1))
        self.responder = Responder(Random(1))
        self.authority = self.follower.attach(self.responder, Nowhere())

    def endpoints(self, service: Named = SHOP) -> list[Endpoint]:
        return [each for there in self.catalog.snapshot.services.get(service, {}).values() for each in there]

    def names(self) -> set[str]:
        return {each.replica_id for each in self.endpoints()}


@asynccontextmanager
async def following(folder: Path, config_set: ConfigSet, make: MakeFollower = Follower) -> AsyncIterator[Node]:
    made = Node(folder, config_set, make)
    await made.follower.open()
    await made.follower.fill()
    running = asyncio.create_task(made.follower.run())
    try:
        yield made
    finally:
        await made.follower.close()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def registry(folder: Path, dns: str = "") -> AsyncIterator[tuple[RegistryAssembly, str]]:
    """A registry in this process that has ONE, which another node registered, and where it is."""
    where = dns or Network.random().dns
    async with assembled(folder, config(where)) as made:
        await write(made, *registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
        yield made, where


async def write(made: RegistryAssembly, *records: object) -> None:
    zones = made.dns._zones
    assert isinstance(zones, Registry)
    primary = zones._primaries["endpoints"]
    assert await primary.submit(Request(Update(ZONE, (), records), EVERYTHING)) == 0  # type: ignore[arg-type]


async def test_endpoints_of_others_and_of_this_node(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where), following(tmp_path / "node", node(where)) as made:
        assert "not there yet" in made.follower.lack
        made.follower.replicas.put_replicas("process", [replica(1)])
        assert made.names() == {"shop-1"}, "what is here needs no registry"
        await made.follower.known()
        assert made.follower.lack == ""
        await until(lambda: made.names() == {"one", "shop-1"})
        assert len(made.endpoints()) == 2
        registrys = there.running.catalog
        await until(lambda: len(registrys.snapshot.services[SHOP]["http"]) == 2)
        made.follower.replicas.put_replicas("process", [replica(1, ready=False)])
        await made.follower.told(5)
        assert [each.ready for each in registrys.snapshot.services[SHOP]["http"] if each.node == "here"] == [False]
    assert {each.node for each in registrys.snapshot.services[SHOP]["http"]} == {"n1"}, "it is taken back at the end"


async def test_it_is_told_where_its_dns_server_is(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where), following(tmp_path / "node", node(where)) as made:
        zones = there.dns._zones
        assert isinstance(zones, Registry)
        made.follower.served_at(HERE)
        await until(lambda: {(each.address, each.port) for each in zones._targets(())} == {(HERE.address, HERE.port)})


async def test_what_an_earlier_run_left_is_taken_back(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where):
        left = Endpoint("127.97.0.9", 8080, replica_id="old", node="here", workload=replica(1).workload)
        sidecars = Endpoint("127.0.0.1", 8081, replica_id="beside", node="here")
        await write(there, *registered(SHOP, SERVICES[SHOP], {"http": (left, sidecars)}, ZONE))
        async with following(tmp_path / "node", node(where)) as made:
            await until(lambda: made.names() == {"one", "beside"})
            catalog = there.running.catalog
            await until(lambda: {e.replica_id for e in catalog.snapshot.services[SHOP]["http"]} == {"one", "beside"})


async def test_what_the_registry_loses_is_registered_again(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where), following(tmp_path / "node", node(where)) as made:
        await made.follower.known()
        made.follower.replicas.put_replicas("process", [replica(1)])
        await made.follower.told(5)
        zones = there.dns._zones
        assert isinstance(zones, Registry)
        content = zones._primaries["endpoints"].content
        copy = made.follower._copy.content
        await until(lambda: copy.serial == content.serial)
        ours = [each for each in content.records() if b"shop-1" in each.data or b"shop-1" in each.name]
        before = content.serial
        await write(there, *(each._replace(klass=254, ttl=0) for each in ours))
        await until(lambda: content.serial >= before + 2)
        assert set(ours) <= set(content.records())
        assert made.names() == {"one", "shop-1"}, "it did not lose it itself"


def primary_of(made: RegistryAssembly) -> Primary:
    zones = made.dns._zones
    assert isinstance(zones, Registry)
    return zones._primaries["endpoints"]


def said(content: Content) -> set[Record]:
    """What registrants wrote."""
    return {record for record in content.records() if record.type != NS}


LOST = ["deleted", "deleted, with serials ahead of the clock", "an older copy", "an older copy, after a jump"]


@pytest.mark.parametrize("case", LOST)
async def test_a_registry_that_lost_its_store_is_filled_again_and_no_endpoint_is_missed(
    tmp_path: Path, case: str
) -> None:
    where, folder, backup = Network.random().dns, tmp_path / "registry", tmp_path / "backup"
    missed: list[tuple[str, set[str]]] = []
    nodes: dict[str, Node] = {}
    expected = {"shop-1", "shop-2"}

    async def watch() -> None:
        while True:
            missed.extend((name, made.names()) for name, made in nodes.items() if made.names() != expected)
            await asyncio.sleep(0.001)

    async with AsyncExitStack() as stack:
        async with assembled(folder, config(where)) as there:
            nodes["a"] = await stack.enter_async_context(following(tmp_path / "a", named_node("a", where)))
            nodes["a"].follower.replicas.put_replicas("process", [replica(1, node="a")])
            await until(lambda: len(primary_of(there).content.nodes) > 1)
        shutil.copytree(folder, backup)
        async with assembled(folder, config(where)) as there:
            nodes["b"] = await stack.enter_async_context(following(tmp_path / "b", named_node("b", where)))
            nodes["b"].follower.replicas.put_replicas("process", [replica(2, node="b")])
            if case.endswith(("clock", "jump")):
                primary_of(there).overtaken(primary_of(there).content.serial + 1_000_000)
                await until(lambda: primary_of(there).content.serial > time.time() + 100_000)
            await until(lambda: all(each.names() == expected for each in nodes.values()))
            copies = [each.follower._copy.content for each in nodes.values()]
            await until(lambda: all(copy.serial == primary_of(there).content.serial for copy in copies))
            before, everything = copies[0].serial, said(copies[0])
        shutil.rmtree(folder)
        if case.startswith("an older"):
            shutil.copytree(backup, folder)
        watching = asyncio.create_task(watch())
        async with assembled(folder, config(where)) as there:
            content = primary_of(there).content
            await until(lambda: all(said(each) == everything for each in (content, *copies)), 20)
            await until(lambda: all(copy.serial == content.serial for copy in copies))
            assert later(content.serial, before)
            watching.cancel()
            assert missed == []


def named_node(name: str, where: str) -> ConfigSet:
    made = node(where)
    return replace(made, node=replace(made.node, node_name=name))


async def test_a_notify_starts_the_clock(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where), following(tmp_path / "node", node(where)) as made:
        await made.follower.known()
        copy, sent = made.follower._copy.content, []
        apex = Apex(ZONE, b"\0", b"\0")
        await write(there, *registered(SHOP, SERVICES[SHOP], {"http": (TWO,)}, ZONE))
        client = where.rpartition(":")[0]
        made.authority.take(notify(1, apex.soa(copy.serial + 1)), client, sent.append)
        made.authority.take(notify(2, apex.soa(copy.serial + 1)), "192.0.2.77", sent.append)
        assert [answer[3] & 0xF for answer in sent] == [0, 5]
        await until(lambda: made.names() == {"one", "two"})
        made.follower.in_force(made.catalog.snapshot.generation)
        page = {sample.name: sample.value for family in made.follower.families() for sample in family.samples}
        assert page["weft_propagation_seconds_count"] == 1
        assert page["weft_registry_serial"] == copy.serial


async def test_it_begins_with_its_copy_and_says_that_it_is_stale(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (_, where), following(tmp_path / "node", node(where)) as made:
        await until(lambda: made.names() == {"one"})
    gone = str(nobody())
    async with following(tmp_path / "node", node(gone)) as again:
        assert again.names() == {"one"}
        assert again.follower.lack == ""
        document = again.follower.document()["endpoints"]
        assert (document["stale"], document["registry"]) == (True, gone)
        await until(lambda: again.responder._date == STALE)


async def test_services_that_come_and_go(tmp_path: Path) -> None:
    async with registry(tmp_path / "registry") as (there, where):
        without = replace(node(where), services={})
        async with following(tmp_path / "node", without) as made:
            await made.follower.known()
            made.follower.replicas.put_replicas("process", [replica(1)])
            made.catalog.define(SELECTING)
            made.follower.define(node(where))
            assert made.names() == {"one", "shop-1"}
            await made.follower.told(5)
            catalog = there.running.catalog
            assert len(catalog.snapshot.services[SHOP]["http"]) == 2
            made.follower.define(without)
            await made.follower.told(5)
            assert len(catalog.snapshot.services[SHOP]["http"]) == 1


@pytest.mark.parametrize(
    ("config_set", "said"),
    [
        (node(), "spec.registry.servers"),
        (node("192.0.2.1:53", key="missing"), "spec.registry.key in a NodeConfig: there is"),
    ],
    ids=["no registry", "no key"],
)
async def test_settings_that_cannot_be_followed(tmp_path: Path, config_set: ConfigSet, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Follower(config_set, Catalog(), tmp_path, Random(1))
