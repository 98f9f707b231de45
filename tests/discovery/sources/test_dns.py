from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import dns.message
import dns.rrset
import pytest
from msgspec.structs import replace

from config.configset import ConfigSet
from config.loader import load_text
from config.meta import Named
from discovery.catalog import Catalog
from discovery.registry import exchange
from discovery.sources import refresh
from discovery.sources.dns import DNSSources
from discovery.sources.hosts import Hosts
from tests.discovery.registry.servers import Upstream, response, upstream

WEB = Named("default", "web")
PATIENCE = 10.0


class Zone:
    """A server whose answers can be changed."""

    def __init__(self) -> None:
        self.addresses = ["10.0.0.1", "10.0.0.2"]
        self.rcode = 0

    def say(self, asked: bytes, tcp: bool) -> list[bytes]:
        question = dns.message.from_wire(asked).question[0]
        if self.rcode:
            return [response(asked, rcode=self.rcode)]
        there = self.addresses if question.rdtype.name == "A" else []
        return [response(asked, *(f"{question.name} 1 A {address}" for address in there))]


def manifests(server: Upstream | None, *, ports: str = "{port: 80, targetPort: 8080}", more: str = "") -> ConfigSet:
    servers = f"weft.dev/dns-servers: '{server.address}'" if server else "kind: plain"
    text = f"""
apiVersion: v1
kind: Service
metadata: {{name: web, annotations: {{weft.dev/dns: web.example.com, {servers}{more}}}}}
spec: {{clusterIP: 127.96.0.9, ports: [{ports}]}}
"""
    loaded = load_text(text, "test.yaml")
    assert not loaded.faults, loaded.faults
    return loaded.config_set


class World:
    def __init__(self, servers: list[tuple[str, int]], hosts: Path) -> None:
        self.catalog = Catalog()
        self.sources = DNSSources(self.catalog, Random(1), lambda name: servers, Hosts(hosts))

    def apply(self, config_set: ConfigSet) -> None:
        self.catalog.define(config_set.services)
        self.sources.apply(config_set)

    def endpoints(self, port: str = "80") -> list[str]:
        return [f"{each.address}:{each.port}" for each in self.catalog.snapshot.services.get(WEB, {}).get(port, ())]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def world(
    servers: list[tuple[str, int]] | None = None, hosts: Path = Path("/nowhere/at/all")
) -> AsyncIterator[World]:
    made = World(servers or [], hosts)
    try:
        yield made
    finally:
        await made.sources.close()


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "SHORTEST_SECONDS", 0.01)
    monkeypatch.setattr(refresh, "LONGEST_SECONDS", 0.05)
    monkeypatch.setattr(exchange, "UDP_SECONDS", 0.5)


async def test_a_service_follows_dns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    zone = Zone()
    async with upstream(zone.say) as server, world() as made:
        made.apply(manifests(server))
        await made.until(lambda: made.endpoints() == ["10.0.0.1:8080", "10.0.0.2:8080"])
        zone.addresses = ["10.0.0.2", "10.0.0.3"]
        await made.until(lambda: made.endpoints() == ["10.0.0.2:8080", "10.0.0.3:8080"])
        zone.rcode = 2
        await made.until(lambda: any(each.failure for each in made.sources.asked()))
        await made.until(lambda: all(each.failure for each in made.sources.asked()))
        assert made.endpoints() == ["10.0.0.2:8080", "10.0.0.3:8080"]
        zone.rcode, zone.addresses = 0, []
        await made.until(lambda: made.endpoints() == [])
        await made.until(lambda: not any(each.failure for each in made.sources.asked()))
    assert caplog.text.count("the endpoints stay as they were") == 2  # once per family
    assert caplog.text.count("DNS answers again") == 2


async def test_the_systems_resolvers_are_asked_by_default() -> None:
    async with upstream(Zone().say) as server, world([server.address]) as made:
        made.apply(manifests(None))
        await made.until(lambda: len(made.endpoints()) == 2)


async def test_a_name_for_each_port() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        question = dns.message.from_wire(asked).question[0]
        number = {"_http._tcp.web.": 8001, "_dns._udp.web.": 8002}[question.name.to_text()]
        made = dns.message.make_response(dns.message.from_wire(asked))
        made.answer.append(dns.rrset.from_text(question.name, 1, "IN", "SRV", f"0 1 {number} a."))
        made.additional.append(dns.rrset.from_text("a.", 1, "IN", "A", "10.0.0.1"))
        return [made.to_wire()]

    ports = "{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}"
    async with upstream(say) as server, world() as made:
        text = manifests(server, ports="{port: 80}")
        service = text.services[WEB]
        annotations = {**service.metadata.annotations, "weft.dev/dns": "_{port}._{protocol}.web."}
        loaded = load_text(
            f"apiVersion: v1\nkind: Service\nmetadata: {{name: web, annotations: {annotations}}}\n"
            f"spec: {{clusterIP: 127.96.0.9, ports: [{ports}]}}",
            "test.yaml",
        )
        made.apply(loaded.config_set)
        await made.until(lambda: made.endpoints("http") == ["10.0.0.1:8001"])
        await made.until(lambda: made.endpoints("dns") == ["10.0.0.1:8002"])


async def test_changes_of_the_service_do_not_lose_its_endpoints() -> None:
    async with upstream(Zone().say) as server, upstream(lambda asked, tcp: []) as mute, world() as made:
        made.apply(manifests(server))
        await made.until(lambda: len(made.endpoints()) == 2)
        made.apply(manifests(server, ports="{port: 80, targetPort: 9090}"))
        assert made.endpoints() == ["10.0.0.1:9090", "10.0.0.2:9090"]
        made.apply(manifests(mute))
        assert made.endpoints() == ["10.0.0.1:9090", "10.0.0.2:9090"]


async def test_a_service_that_is_no_longer_from_dns_has_no_endpoints_of_it() -> None:
    async with upstream(Zone().say) as server, world() as made:
        config_set = manifests(server)
        made.apply(config_set)
        await made.until(lambda: len(made.endpoints()) == 2)
        service = config_set.services[WEB]
        plain = replace(service, metadata=replace(service.metadata, annotations={}))
        made.apply(replace(config_set, services={WEB: plain}))
        assert made.endpoints() == []
        assert list(made.sources.asked()) == []


async def test_what_cannot_be_asked_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(Zone().say) as server, world() as made:
        for _ in range(3):
            made.apply(manifests(server, more=", weft.dev/dns-tsig: key"))
        assert caplog.text.count('there is no Secret "key"') == 1
        assert made.endpoints() == []


# -- ExternalName


def external(name: str = "far.example.com", asked: bool = True) -> ConfigSet:
    backend = "{service: {name: web, port: {number: 80}}}"
    text = f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: ExternalName, externalName: {name}, ports: [{{port: 80}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: front}}
spec: {{defaultBackend: {backend if asked else backend.replace("web", "other")}}}
"""
    return load_text(text, "test.yaml").config_set


async def test_an_external_name_is_resolved_for_those_who_lead_there() -> None:
    def say(asked: bytes, tcp: bool) -> list[bytes]:
        question = dns.message.from_wire(asked).question[0]
        address = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}[question.rdtype.name]
        return [response(asked, f"{question.name} 1 {question.rdtype.name} {address}")]

    async with upstream(say) as server, world([server.address]) as made:
        made.apply(external(asked=False))
        assert list(made.sources.asked()) == []
        made.apply(external())
        await made.until(lambda: sorted(made.endpoints()) == ["192.0.2.1:80", "2001:db8::1:80"])
        assert {each.name for each in made.sources.asked()} == {"far.example.com."}
        made.apply(external(asked=False))
        assert made.endpoints() == []


async def test_a_name_that_ceases_to_exist_has_no_addresses_and_one_that_nobody_answers_for_keeps_them() -> None:
    zone = Zone()
    async with upstream(zone.say) as server, world([server.address]) as made:
        made.apply(external())
        await made.until(lambda: len(made.endpoints()) == 2)
        zone.rcode = 2
        await made.until(lambda: all(each.failure for each in made.sources.asked()))
        assert len(made.endpoints()) == 2
        zone.rcode = 3
        await made.until(lambda: made.endpoints() == [])


async def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.77 far.example.com")
    async with upstream(Zone().say) as server, world([server.address], hosts) as made:
        made.apply(external())
        await made.until(lambda: made.endpoints() == ["192.0.2.77:80"])
        assert not server.asked


async def test_an_address_in_place_of_a_name_is_not_asked_for() -> None:
    async with world() as made:
        made.apply(external("192.0.2.1"))
        await made.until(lambda: made.endpoints() == ["192.0.2.1:80"])


async def test_a_name_that_leads_back_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 far.example.com\n192.0.2.1 far.example.com")
    config_set = external()
    node = replace(config_set.node, ingress=replace(config_set.node.ingress, http="127.0.0.1:80"))
    async with world(hosts=hosts) as made:
        made.apply(replace(config_set, node=node))
        await made.until(lambda: made.endpoints() == ["192.0.2.1:80"])
        made.apply(replace(config_set, node=node))
    assert caplog.text.count("leads back to this node's own listeners") == 1
