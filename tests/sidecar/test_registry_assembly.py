"""A registry alone in this process: its zones by DNS, and its own documents."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rcode
import dns.update
import pytest
from dns.edns import EDEOption
from msgspec.structs import replace

from config.configset import ConfigSet
from config.settings import DockerSettings, NodeConfigSpec
from discovery.registry.names import NOT_READY, SCALED_TO_ZERO
from sidecar.errors import UserError
from sidecar.registry import Registry
from sidecar.registry_assembly import RegistryAssembly
from sidecar.state import FOUND, StateFolder
from sidecar.written import Written
from tests.discovery.objects import named, service
from tests.discovery.platforms.swarm.fake import fake_swarm
from tests.discovery.sources.test_registry import ONE, SERVICES, SHOP
from tests.scenarios.weft import Network
from tests.sidecar.making import taken_port

PATIENCE = 5


@pytest.fixture(autouse=True)
def collector_as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def config(dns_at: str) -> ConfigSet:
    return ConfigSet(services=SERVICES, node=NodeConfigSpec(dns=dns_at))


@asynccontextmanager
async def assembled(folder: Path, config_set: ConfigSet) -> AsyncIterator[RegistryAssembly]:
    with closing(StateFolder.open(folder)) as state:
        made = RegistryAssembly(Written(config_set, ()), state)
        beside = None
        try:
            await made.start()
            beside = asyncio.create_task(made.run_beside())
            yield made
        finally:
            await made.stop()
            if beside is not None:
                beside.cancel()
                with suppress(asyncio.CancelledError):
                    await beside


async def ask(made: RegistryAssembly, message: dns.message.Message) -> dns.message.Message:
    served = made.dns.served
    assert served is not None
    return await dns.asyncquery.udp(message, served.address, PATIENCE, served.port)


async def test_what_is_registered_is_answered(tmp_path: Path) -> None:
    gc.disable()  # as it is while a role starts
    async with assembled(tmp_path, config(Network.random().dns)) as made:
        assert gc.isenabled()
        update = dns.update.UpdateMessage("endpoints.cluster.local")
        update.add("_http._tcp.shop.default", 5, "SRV", "0 1 8080 one.shop.default.endpoints.cluster.local.")
        update.add("one.shop.default", 5, "A", ONE.address)
        assert (await ask(made, update)).rcode() == dns.rcode.NOERROR
        answer = await ask(made, dns.message.make_query("_http._tcp.shop.default.endpoints.cluster.local", "SRV"))
        assert [item.port for rrset in answer.answer for item in rrset] == [8080]
        answers = made.answers()
        assert answers["/readyz"]()[0] == 200
        (listed,) = answers["/api/v1/endpoints"]()[1]["endpoints"]  # type: ignore[misc]
        assert listed["address"] == ONE.address
        page = b"".join(made.metrics()).decode()
        assert 'weft_registry_serial{zone="endpoints"}' in page
        assert (made.questions(), made.streams()) == ({}, {})


async def test_a_reload_is_put_in_force(tmp_path: Path) -> None:
    config_set = config(Network.random().dns)
    async with assembled(tmp_path, replace(config_set, services={})) as made:
        query = dns.message.make_query("shop.default.svc.cluster.local", "A")
        assert (await ask(made, query)).rcode() == dns.rcode.NXDOMAIN
        await made.reload(Written(config_set, ()))
        async with asyncio.timeout(PATIENCE):
            while (await ask(made, query)).rcode() != dns.rcode.NOERROR:
                await asyncio.sleep(0.01)
        assert SHOP in made.running.snapshot.services


async def test_it_ends_if_others_cannot_find_it(tmp_path: Path) -> None:
    with taken_port() as port, pytest.raises(UserError, match=f"DNS is not served at 127.0.0.1:{port}"):
        async with assembled(tmp_path, config(f"127.0.0.1:{port}")):
            pass


async def test_what_is_written_is_served_while_the_catalog_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = asyncio.Event()

    async def fill(registry: Registry) -> None:
        await going.wait()
        await filled(registry)

    filled = Registry.fill
    monkeypatch.setattr(Registry, "fill", fill)
    with closing(StateFolder.open(tmp_path)) as state:
        made = RegistryAssembly(Written(config(Network.random().dns), ()), state)
        starting = asyncio.create_task(made.start())
        try:
            async with asyncio.timeout(PATIENCE):
                while made.dns.served is None:
                    await asyncio.sleep(0.005)
            update = dns.update.UpdateMessage("endpoints.cluster.local")
            update.add("one.shop.default", 5, "A", ONE.address)
            assert (await ask(made, update)).rcode() == dns.rcode.NOERROR
            written = dns.message.make_query("one.shop.default.endpoints.cluster.local", "A")
            derived = dns.message.make_query("shop.default.svc.cluster.local", "A", use_edns=0)
            assert [str(rrset[0]) for rrset in (await ask(made, written)).answer] == [ONE.address]
            early = await ask(made, derived)
            assert early.rcode() == dns.rcode.SERVFAIL
            assert [int(option.code) for option in early.options if isinstance(option, EDEOption)] == [14]
            assert not starting.done()
            going.set()
            await starting
            assert (await ask(made, derived)).rcode() == dns.rcode.NOERROR
        finally:
            starting.cancel()
            await asyncio.wait([starting])
            await made.stop()


async def why_nothing(made: RegistryAssembly) -> int:
    answer = await ask(made, dns.message.make_query("web.default.svc.cluster.local", "A", use_edns=0))
    (option,) = answer.options
    assert isinstance(option, EDEOption)
    return int(option.code)


async def test_a_swarm_that_its_engine_manages_is_looked_at(tmp_path: Path) -> None:
    async with fake_swarm(tmp_path) as engine:
        engine.put_service(labels={"weft.dev/publish": "8088:8080"}, replicas=0)
        node = NodeConfigSpec(
            dns=f"{Network.random().prefix}.1:1053", platforms=("swarm",), docker=DockerSettings(host=engine.host)
        )
        written = ConfigSet(node=node, services=named(service("web", cluster_ip="None")))
        async with assembled(tmp_path / "state", written) as registry:
            assert await why_nothing(registry) == NOT_READY
            await registry.start_platform()
            async with asyncio.timeout(PATIENCE):
                while not (tmp_path / "state" / FOUND).exists():
                    await asyncio.sleep(0.01)
            assert await why_nothing(registry) == SCALED_TO_ZERO
            ((_, told),) = [registry.answers()["/api/v1/platforms"]()]
            assert [each["name"] for each in told["platforms"]] == ["swarm"]
            assert b"weft_platform_connected" in b"".join(registry.metrics())
    async with assembled(tmp_path / "state", config(f"{Network.random().prefix}.1:1053")) as registry:
        assert not (tmp_path / "state" / FOUND).exists()
        assert "/api/v1/platforms" not in registry.answers()
