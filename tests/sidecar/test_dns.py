from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import cast

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.resources.core import ServicePort
from config.settings import NodeConfigSpec, ResolverSettings
from discovery.backoff import BackoffPolicy
from discovery.catalog import Catalog
from mesh.exposition import Sample
from mesh.sockets import BindError
from mesh.table import ListenerKey
from sidecar import dns as dns_module
from sidecar.dns import NodeDNS, bind, resolvers
from tests.discovery.objects import named, service
from tests.discovery.registry.making import values
from tests.discovery.registry.servers import response, sockets, upstream
from tests.sidecar.making import taken_port

PATIENCE = 10.0
SHOP = service("shop", ServicePort(port=80, name="http"), cluster_ip="127.96.0.9")


def config(port: int = 0, **resolver: object) -> ConfigSet:
    settings = ResolverSettings(**resolver)  # type: ignore[arg-type]
    node = NodeConfigSpec(dns=f"127.0.0.1:{port}", resolver=settings)
    return ConfigSet(services=named(SHOP), node=node)


class World:
    def __init__(self, config_set: ConfigSet, folder: Path) -> None:
        self.config_set = config_set
        self.catalog = Catalog()
        self.dns = NodeDNS(config_set, self.catalog, folder, random=Random(1))

    def put_in_force(self, config_set: ConfigSet) -> None:
        self.catalog.define(config_set.services)
        self.dns.put_in_force(config_set, self.catalog.snapshot)

    async def ask(self, name: str, kind: str = "A") -> dns.message.Message:
        await until(lambda: self.dns.served is not None)
        served = self.dns.served
        assert served is not None
        return await dns.asyncquery.udp(dns.message.make_query(name, kind), served.address, PATIENCE, served.port)


@asynccontextmanager
async def world(config_set: ConfigSet, in_force: bool = True, folder: Path | None = None) -> AsyncIterator[World]:
    with TemporaryDirectory() as temporary:
        made = World(config_set, folder or Path(temporary))
        if in_force:
            made.put_in_force(config_set)
        await made.dns.start()
        running = asyncio.create_task(made.dns.run())
        try:
            yield made
        finally:
            await made.dns.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


SHOP_NAME = "shop.default.svc.cluster.local"


async def test_names_follow_the_table_in_force() -> None:
    async with world(config(), in_force=False) as made:
        assert (await made.ask(SHOP_NAME)).rcode() == dns.rcode.SERVFAIL
        made.put_in_force(made.config_set)
        await asyncio.sleep(0.01)
        assert values(await made.ask(SHOP_NAME)) == ["A 127.96.0.9"]
        moved = replace(SHOP, spec=replace(SHOP.spec, cluster_ip="127.96.0.10", cluster_ips=()))
        made.put_in_force(replace(made.config_set, services=named(moved)))
        await asyncio.sleep(0.01)
        assert values(await made.ask(SHOP_NAME)) == ["A 127.96.0.10"]
        [family] = made.dns.families()
        counted = sorted((cast(Sample, sample).labels["rcode"], sample[2]) for sample in family.samples)  # type: ignore[index]
        assert counted == [("NOERROR", 2), ("SERVFAIL", 1)]


async def test_nothing_is_opened_before_it_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sidecar.dns.RETRIES", BackoffPolicy(0.001, 0.001))
    made = World(config(), tmp_path)
    made.put_in_force(made.config_set)
    running = asyncio.create_task(made.dns.run())
    try:
        done, _ = await asyncio.wait([running], timeout=0.05)
        assert not done
        assert made.dns.served is None
        await made.dns.start()
        assert values(await made.ask(SHOP_NAME)) == ["A 127.96.0.9"]
    finally:
        await made.dns.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_names_are_there_when_it_has_started() -> None:
    async with world(config()) as made:
        assert values(await made.ask(SHOP_NAME)) == ["A 127.96.0.9"]
        assert made.dns.document()[1]["note"] == ""  # type: ignore[index]


async def test_other_names_are_refused_or_forwarded() -> None:
    async with world(config()) as made:
        assert (await made.ask("www.example.com")).rcode() == dns.rcode.REFUSED
    async with (
        upstream(lambda asked, tcp: [response(asked, "www.example.com. 60 A 10.0.0.1")]) as server,
        world(config(forward=True, servers=(str(server.address),))) as made,
    ):
        await until(lambda: bool(server.asked))  # it looks for loops first
        assert values(await made.ask("www.example.com")) == ["A 10.0.0.1"]


async def test_an_address_that_is_taken_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dns_module, "RETRIES", BackoffPolicy(first=0.01, ceiling=0.01))
    caplog.set_level(logging.INFO)
    with ExitStack() as stack:
        port = stack.enter_context(taken_port())
        async with world(config(port)) as made:
            assert "taken" in made.dns.note
            assert made.dns.document()[1]["served"] == ""  # type: ignore[index]
            stack.close()
            assert values(await made.ask(SHOP_NAME)) == ["A 127.96.0.9"]
            assert made.dns.note == ""
    assert caplog.text.count("DNS is not served") == 1
    assert "spec.dns" in caplog.text
    assert caplog.text.count("DNS is served at") == 1


async def test_endpoints_come_from_dns() -> None:
    async with upstream(lambda asked, tcp: [response(asked, "web. 60 A 10.0.0.1")]) as server:
        annotations = {"weft.dev/dns": "web.", "weft.dev/dns-servers": str(server.address)}
        shop = replace(SHOP, metadata=replace(SHOP.metadata, annotations=annotations))
        async with world(replace(config(), services=named(shop))) as made:
            await until(lambda: bool(made.catalog.snapshot.services[Named("default", "shop")]["http"]))
            sources = made.dns.document()[1]["sources"]  # type: ignore[index]
            assert {source["type"]: source["targets"] for source in sources}["A"] == 1
            made.put_in_force(config())
            assert not made.catalog.snapshot.services[Named("default", "shop")]["http"]


def test_both_sockets_have_one_port() -> None:
    for address in ("127.0.0.1", "::1"):
        key, reason, udp, tcp = bind(ListenerKey(address, 0))
        with udp, tcp:
            assert udp.getsockname()[1] == tcp.getsockname()[1] == key.port
            assert reason == ""


def test_a_port_that_is_taken_for_udp_alone_is_taken_and_tcp_is_given_back() -> None:
    udp, tcp = sockets()
    port = udp.getsockname()[1]
    tcp.close()
    with udp, pytest.raises(BindError, match="is taken by another program"):
        bind(ListenerKey("127.0.0.1", port))
    for each in bind(ListenerKey("127.0.0.1", port))[2:]:
        each.close()


def test_who_is_asked() -> None:
    own = ListenerKey("127.0.0.1", 1053)
    settings = ResolverSettings(servers=("10.0.0.1:5353", "127.0.0.1:1053"))
    assert list(map(str, resolvers(settings, own))) == ["10.0.0.1:5353"]
    assert isinstance(resolvers(ResolverSettings(), own), tuple)


async def test_serials_of_the_derived_zones_go_on_after_a_restart(tmp_path: Path) -> None:
    serials = []
    for _ in range(2):
        async with world(config(), folder=tmp_path) as made:
            for zone in ("cluster.local", "96.127.in-addr.arpa"):
                [[soa]] = (await made.ask(zone, "SOA")).answer
                serials.append(soa.serial)  # type: ignore[attr-defined]
    assert serials[:2] < serials[2:]
