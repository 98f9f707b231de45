"""The registry in a process: who is let in, whom it tells, and that its store outlives it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from random import Random
from socket import AF_INET, SOCK_DGRAM, socket
from types import FrameType

import pytest
from msgspec.structs import replace

import sidecar.registry
from config.configset import ConfigSet
from config.meta import Named, ObjectMeta
from config.resources.core import Secret, Service, ServicePort, ServiceSpec
from config.settings import NodeConfigSpec, RegistryKey, RegistrySettings
from discovery.catalog import Catalog
from discovery.registry import messages
from discovery.registry.keys import EVERYTHING, NOTHING, Key
from discovery.registry.registrations import origin, registered
from discovery.registry.resolv_conf import Resolver
from discovery.registry.responder import Responder
from discovery.registry.serials import Serials
from discovery.registry.targets import node_records
from discovery.registry.update import Request, Update
from discovery.registry.wire import IN, NOERROR, NONE, SRV, TXT, A, Record, from_text, to_wire
from discovery.registry.zone import Zone
from sidecar.errors import UserError
from sidecar.registry import Registry, key_in, key_ring
from tests.discovery.registry.servers import Nowhere
from tests.discovery.sources.test_registry import ONE, SERVICES, SHOP, TWO

ZONE = origin("cluster.local")
NODES = to_wire(from_text("nodes.cluster.local"))
SECRET = Secret(
    metadata=ObjectMeta("node-1", "default"), string_data={"name": "n1", "secret": "MDEyMzQ1Njc4OWFiY2RlZg=="}
)
SECRETS = {Named("default", "node-1"): SECRET, Named("keys", "node-1"): SECRET}
KEY = Key(from_text("n1"), "hmac-sha256", b"0123456789abcdef")


def settings(**given: object) -> ConfigSet:
    return ConfigSet(node=NodeConfigSpec(registry=RegistrySettings(**given)), services=SERVICES)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(folder: Path, catalog: Catalog, written: ConfigSet) -> AsyncIterator[Registry]:
    registry = Registry(written, catalog, folder, Random(1))
    await registry.open()
    registry.attach(Responder(Random(1)), Nowhere())
    running = asyncio.create_task(registry.run())
    try:
        yield registry
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await registry.close()


async def write(registry: Registry, zone: str, *records: Record) -> None:
    primary = registry._primaries[zone]
    assert await primary.submit(Request(Update(primary.apex.origin, (), records), EVERYTHING)) == NOERROR
    for _ in range(2):  # others are told first
        await asyncio.sleep(0)


async def test_others_are_told_before_it_is_compiled_here(tmp_path: Path) -> None:
    catalog = Catalog()
    catalog.define(SERVICES)
    with closing(socket(AF_INET, SOCK_DGRAM)) as other:
        other.bind(("127.0.0.1", 0))
        also_notify = (f"127.0.0.1:{other.getsockname()[1]}",)
        async with opened(tmp_path, catalog, settings(also_notify=also_notify)) as registry:
            sent: list[int] = []
            catalog.subscribe(lambda _: sent.append(registry._notifier.sent))
            await write(registry, "endpoints", *registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
            assert catalog.snapshot.services[SHOP] == {"http": (ONE,)}
            assert sent == [1]


async def test_a_serial_is_told_once_the_catalog_has_all_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path, Catalog(), settings()) as registry:
        told: list[int] = []
        registry.copies.append(lambda serial, _: told.append(serial))
        source = registry._source
        assert source is not None
        registry._hand_on([ZONE])
        source.changed(())  # the end of what it was told before
        assert not told
        for _ in range(3):
            await asyncio.sleep(0)
        assert told == [registry.serial()]


async def test_it_says_when_there_is_much_more_than_ever_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidecar.registry, "GROWTH", 3)
    grown: list[int] = []
    async with opened(tmp_path, Catalog(), settings()) as registry:
        registry.grown.append(lambda: grown.append(len(registry._primaries["endpoints"].content.nodes)))
        for number in (1, 2, 3, 4, 1, 5, 6, 7):
            await write(registry, "endpoints", Record(b"\1%d" % number + ZONE, A, IN, 5, bytes(4)))
        for number in (1, 2, 3, 1, 2, 3):
            await write(registry, "endpoints", Record(b"\1%d" % number + ZONE, A, NONE, 0, bytes(4)))
            await write(registry, "endpoints", Record(b"\1%d" % number + ZONE, A, IN, 5, bytes(4)))
    assert grown == [3, 6]


async def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    began = int(time.time())
    catalog = Catalog()
    catalog.define(SERVICES)
    async with opened(tmp_path, catalog, settings()) as registry:
        await write(registry, "endpoints", *registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
        assert catalog.snapshot.services[SHOP] == {"http": (ONE,)}
        first = registry.document()
    assert int(str(first["endpoints"]["serial"])) > began  # type: ignore[call-overload, index]
    again = Catalog()
    again.define(SERVICES)
    async with opened(tmp_path, again, settings()) as registry:
        assert again.snapshot.services[SHOP] == {"http": (ONE,)}
        assert registry.document()["endpoints"] == first["endpoints"]
        names = {family.name for family in registry.families()}
    assert names == {"weft_registry_serial", "weft_registry_leases", "weft_registry_expiry_suspended"}


async def test_whom_it_tells(tmp_path: Path) -> None:
    async with opened(tmp_path, Catalog(), settings(also_notify=("192.0.2.9:53",))) as registry:
        await write(registry, "nodes", *node_records(b"\2n1" + NODES, Resolver("192.0.2.1", 1053)))
        assert registry._targets(()) == {Resolver("192.0.2.9", 53), Resolver("192.0.2.1", 1053)}


async def test_services_that_come_later(tmp_path: Path) -> None:
    catalog, written = Catalog(), settings()
    async with opened(tmp_path, catalog, replace(written, services={})) as registry:
        await write(registry, "endpoints", *registered(SHOP, SERVICES[SHOP], {"http": (ONE,)}, ZONE))
        catalog.define(SERVICES)
        registry.define(written)
        assert catalog.snapshot.services[SHOP] == {"http": (ONE,)}


async def test_a_store_that_cannot_be_used_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"something else " * 100)
    registry = Registry(settings(), Catalog(), tmp_path, Random(1))
    with pytest.raises(UserError, match="not a database"):
        await registry.open()
    await registry.close()


@pytest.mark.parametrize("secret", ["node-1", "default/node-1", "keys/node-1"])
def test_keys_come_from_secrets(secret: str) -> None:
    assert key_in(secret, SECRETS) == KEY


def test_keys_that_cannot_be_had_leave_nobody_in() -> None:
    ring = key_ring([RegistryKey("missing", ("*",))], SECRETS)
    assert (ring.keys, ring.scope(None, loopback=True)) == ({}, NOTHING)


async def test_it_says_that_this_machine_may_write_without_a_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keyed = replace(settings(keys=(RegistryKey("node-1", ("*",)),)), secrets=SECRETS)
    caplog.set_level("INFO")
    others = replace(settings(), node=replace(settings().node, dns="0.0.0.0:53"))
    for written, expected in ((keyed, []), (settings(), ["INFO"]), (others, ["WARNING"])):
        caplog.clear()
        async with opened(tmp_path, Catalog(), written) as registry:
            registry.define(replace(written, services={}))
        said = "without a signature, from this machine only"
        assert [each.levelname for each in caplog.records if said in each.message] == expected


def test_what_keys_may_do(caplog: pytest.LogCaptureFixture) -> None:
    written = [RegistryKey("node-1", ("default.endpoints.cluster.local",)), RegistryKey("missing", ("*",))]
    ring = key_ring(written, SECRETS)
    scope = ring.scope(KEY, loopback=False)
    assert scope.may_write(to_wire(from_text("a.default.endpoints.cluster.local")))
    assert not scope.may_write(to_wire(from_text("a.other.endpoints.cluster.local")))
    assert not scope.transfers
    assert "there is no Secret" in caplog.text
    everything = key_ring([RegistryKey("node-1", ("*",), transfers=True)], SECRETS).scope(KEY, loopback=False)
    assert everything == EVERYTHING


def many(count: int) -> dict[Named, Service]:
    port = ServicePort(port=80, name="http")
    named = (Named("default", f"shop-{number:04}") for number in range(count))
    return {each: Service(metadata=ObjectMeta(each.name), spec=ServiceSpec(ports=(port,))) for each in named}


async def steps_of_a_change(folder: Path, services: dict[Named, Service]) -> int:
    """Calls from what is ours that one change takes, in the loop's thread, to the names that are made of it."""
    catalog, written, zone = Catalog(), replace(settings(), services=services), Zone(Serials(1))
    catalog.define(services)
    async with opened(folder, catalog, written) as registry:
        for named, service in services.items():
            await write(registry, "endpoints", *registered(named, service, {"http": (ONE, TWO)}, ZONE))
        zone.update(written, catalog.snapshot)
        catalog.subscribe(lambda snapshot: zone.update(written, snapshot) and None)
        named = next(iter(services))
        address, text = (
            each for each in registered(named, services[named], {"http": (ONE,)}, ZONE) if each.type != SRV
        )
        count = 0

        def counted(frame: FrameType, event: str, _: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"} and "/discovery/" in frame.f_code.co_filename

        before = sys.getprofile()
        sys.setprofile(counted)
        try:
            data = text.data.replace(b"ready=1", b"ready=0")
            await write(registry, "endpoints", messages.removed_set(text.name, TXT), address, text._replace(data=data))
        finally:
            sys.setprofile(before)
        assert [each.ready for each in catalog.snapshot.services[named]["http"]] == [False, True]
        return count


async def test_a_change_takes_as_many_steps_however_large_the_zone_is(
    tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    """But for a few at random, such as a look at the leases."""
    counts = []
    for number in (size(4, 10), size(100, 2000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        counts.append(await steps_of_a_change(folder, many(number)))
    assert counts[1] <= 1.25 * counts[0], counts
