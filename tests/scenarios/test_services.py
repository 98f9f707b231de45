"""What a Service can say: each of its types and fields, carried out as Kubernetes says it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.meta import ObjectKey
from tests.discovery.probes.servers import serving
from tests.scenarios.dialogue import read_reply
from tests.scenarios.manifests import endpoint_slice, service
from tests.scenarios.test_fairness import naming
from tests.scenarios.weft import PATIENCE, Network, running
from tests.scenarios.world import Inside, inside

pytestmark = pytest.mark.both_loops

REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
HERE = socket.gethostname()
OTHER = "127.0.0.8"
"""Another client than 127.0.0.1."""


@asynccontextmanager
async def servers(count: int) -> AsyncIterator[list[int]]:
    """Ports of so many endpoints that answer with the port that took the request."""
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(serving(naming)) for _ in range(count)]


def web(port: int = 8080, protocol: str = "TCP", **spec: Any) -> dict[str, Any]:
    made = service("web", {"http" if protocol == "TCP" else "dns": port})
    made["spec"]["ports"][0]["protocol"] = protocol
    made["spec"] |= spec
    return made


def behind(port: int, node: str = HERE, **conditions: bool) -> dict[str, Any]:
    """An EndpointSlice of one endpoint of the Service ``web``."""
    made = endpoint_slice("web", {"http": port})
    made["endpoints"] = [{"addresses": ["127.0.0.1"], "nodeName": node, "conditions": conditions}]
    return made


async def asked(address: tuple[str, int], client: str = "127.0.0.1") -> tuple[int, int]:
    """Status and the endpoint's port (0: none answered) of one request of a new connection."""
    reader, writer = await asyncio.open_connection(*address, local_addr=(client, 0))
    try:
        writer.write(REQUEST)
        reply = await read_reply(reader)
        return reply.status, int(reply.body) if reply.status == 200 else 0
    finally:
        writer.close()


async def takers(node: Inside, entry: str, client: str = "127.0.0.1", requests: int = 6) -> set[int]:
    """The endpoints that answer at an entry of ``web``; 0: nobody does."""
    return {(await asked(node.address("web", entry), client))[1] for _ in range(requests)}


async def refused(address: tuple[str, int], client: str = "127.0.0.1") -> bool:
    try:
        await asked(address, client)
    except ConnectionResetError:
        return True
    return False


async def test_a_load_balancer_is_served_at_the_node_with_the_services_port(tmp_path: Path) -> None:
    async with servers(2) as ports, inside(tmp_path, web(8765, type="LoadBalancer"), *map(behind, ports)) as node:
        for entry in ("ClusterIP", "NodePort", "LoadBalancer"):
            assert await takers(node, entry) == set(ports)
        assert node.address("web", "LoadBalancer")[1] == 8765


async def test_source_ranges_hold_at_the_load_balancer_alone(tmp_path: Path) -> None:
    written = web(8765, type="LoadBalancer", loadBalancerSourceRanges=[f"{OTHER}/32"])
    async with servers(1) as ports, inside(tmp_path, written, *map(behind, ports)) as node:
        assert await refused(node.address("web", "LoadBalancer"))
        assert await takers(node, "LoadBalancer", OTHER) == set(ports)
        assert await takers(node, "NodePort") == set(ports)
        assert node.counters("web").reasons == {"http_request_denied": 1}


async def test_external_ips(tmp_path: Path) -> None:
    address = f"{Network.random().prefix}.77"
    async with servers(1) as ports, inside(tmp_path, web(8765, externalIPs=[address]), *map(behind, ports)) as node:
        assert node.address("web", "ExternalIP") == (address, 8765)
        assert await takers(node, "ExternalIP") == set(ports)


@pytest.mark.parametrize("speaks", ["http", "tcp"])
async def test_session_affinity(speaks: str, tmp_path: Path) -> None:
    written = web(sessionAffinity="ClientIP")
    written["spec"]["ports"][0]["appProtocol"] = speaks
    async with servers(3) as ports, inside(tmp_path, written, *map(behind, ports)) as node:
        mine = await takers(node, "ClusterIP")
        other = await takers(node, "ClusterIP", OTHER)
        assert (len(mine), len(other), len(mine | other)) == (1, 1, 2)
        await node.withdraw("web", *mine)
        moved = await takers(node, "ClusterIP")
        assert len(moved) == 1
        assert not moved & mine


async def test_policy_local_counts_the_endpoints_of_this_node_by_the_entry(tmp_path: Path) -> None:
    written = web(type="LoadBalancer", externalTrafficPolicy="Local")
    async with servers(3) as ports:
        near, leaving, far = ports
        slices = [behind(near), behind(leaving, ready=False, serving=True, terminating=True), behind(far, "elsewhere")]
        async with inside(tmp_path, written, *slices) as node:
            assert await takers(node, "ClusterIP") == {near, far}
            assert await takers(node, "NodePort") == {near}
            assert await takers(node, "LoadBalancer") == {near}
            assert await health(node) == (200, 1)
            await node.withdraw("web", near)
            assert await takers(node, "ClusterIP") == {far}
            assert await takers(node, "NodePort") == {leaving}, "no other of this node is left"
            assert await health(node) == (503, 0)
            await node.withdraw("web", leaving)
            assert await asked(node.address("web", "NodePort")) == (503, 0)
            assert await takers(node, "ClusterIP") == {far}


async def health(node: Inside) -> tuple[int, int]:
    """What the healthCheckNodePort says: status, endpoints of this node."""
    reader, writer = await asyncio.open_connection(*node.address("web", "HealthCheck"))
    writer.write(REQUEST)
    reply = await read_reply(reader)
    writer.close()
    return reply.status, json.loads(reply.body)["localEndpoints"]


async def test_internal_policy_local(tmp_path: Path) -> None:
    written = web(type="NodePort", internalTrafficPolicy="Local")
    async with servers(2) as (near, far), inside(tmp_path, written, behind(near), behind(far, "elsewhere")) as node:
        assert await takers(node, "ClusterIP") == {near}
        assert await takers(node, "NodePort") == {near, far}


@pytest.mark.parametrize("distribution", ["PreferSameNode", ""])
async def test_traffic_distribution_is_a_preference(distribution: str, tmp_path: Path) -> None:
    written = web(**({"trafficDistribution": distribution} if distribution else {}))
    async with servers(2) as (near, far), inside(tmp_path, written, behind(near), behind(far, "elsewhere")) as node:
        assert await takers(node, "ClusterIP") == ({near} if distribution else {near, far})
        await node.withdraw("web", near)
        assert await takers(node, "ClusterIP") == {far}


@pytest.mark.parametrize("publish", [True, False])
async def test_publish_not_ready_addresses(publish: bool, tmp_path: Path) -> None:
    written = web(publishNotReadyAddresses=publish)
    async with servers(1) as (port,), inside(tmp_path, written, behind(port, ready=False, serving=False)) as node:
        assert await takers(node, "ClusterIP") == ({port} if publish else {0})


async def test_what_is_only_a_name_has_no_listener_and_is_in_force(tmp_path: Path) -> None:
    headless, external = web(clusterIP="None"), web(type="ExternalName", externalName="example.com")
    external["metadata"] = {"name": "far"}
    async with inside(tmp_path, headless, external) as node:
        assert list(node.node.running.doors()) == []
        for name in ("web", "far"):
            status = node.node.running.status(ObjectKey("Service", "default", name))
            assert (status.state, status.reasons) == ("accepted", ())


class Datagrams(asyncio.DatagramProtocol):
    """An endpoint that answers with its own port and what was said, and a client that keeps what it hears."""

    def __init__(self, answers: bool) -> None:
        self.answers = answers
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.answers:
            self.transport.sendto(b"%d %b" % (self.port, data), addr)
        else:
            self.heard.put_nowait(data)


@asynccontextmanager
async def speakers(count: int, *, answer: bool) -> AsyncIterator[list[Datagrams]]:
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_datagram_endpoint(lambda: Datagrams(answer), local_addr=("127.0.0.1", 0))
        for _ in range(count)
    ]
    try:
        yield [protocol for _, protocol in opened]
    finally:
        for transport, _ in opened:
            transport.close()
        await asyncio.sleep(0)


async def answered(client: Datagrams, where: tuple[str, int], data: bytes = b"hello") -> int:
    """The port of the endpoint that answers."""
    client.transport.sendto(data, where)
    port, _, said = (await asyncio.wait_for(client.heard.get(), PATIENCE)).partition(b" ")
    assert said == data
    return int(port)


async def test_udp_by_every_entry(tmp_path: Path) -> None:
    written = web(5353, "UDP", type="LoadBalancer")
    async with speakers(3, answer=True) as endpoints, speakers(6, answer=False) as clients:
        ports = [each.port for each in endpoints]
        slices = [udp_slice(port) for port in ports]
        async with inside(tmp_path, written, *slices) as node:
            taken: Counter[int] = Counter()
            for entry in ("ClusterIP", "NodePort", "LoadBalancer"):
                for client in clients:
                    first = await answered(client, node.address("web", entry))
                    taken[first] += 1
                    assert await answered(client, node.address("web", entry)) == first
            assert taken == dict.fromkeys(ports, 6)
            counters = node.counters("web")
            assert (counters.udp_total, counters.udp_in, counters.udp_out) == (18, 36, 36)
            await node.withdraw("web", ports[0])
            for client in clients:
                assert await answered(client, node.address("web")) != ports[0]


def udp_slice(port: int) -> dict[str, Any]:
    made = endpoint_slice("web", {"dns": port})
    made["ports"][0]["protocol"] = "UDP"
    return made


def test_ports_of_this_machine_in_place_of_the_service_range(tmp_path: Path) -> None:
    """With ``reach: ports`` nobody needs the range; the port is told, and stays over a restart."""
    network = Network.random()
    folder = tmp_path / "manifests"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        node = network.node_config({}, serviceRange={"cidr": "10.96.0.0/16", "reach": "ports"})
        slices = endpoint_slice("web", {"http": endpoint.getsockname()[1]})
        items = {"apiVersion": "v1", "kind": "List", "items": [web(80), slices, node]}
        (folder / "all.json").write_text(json.dumps(items))
        served = []
        for _ in range(2):
            with running(folder, network) as weft:
                served.append(weft.address("web"))
                assert weft.stop() == 0
        assert served[0] == served[1]
        assert served[0].startswith("127.0.0.1:2")
        with running(folder, network) as weft:
            with socket.create_connection(("127.0.0.1", int(served[0].rpartition(":")[2])), PATIENCE) as client:
                client.sendall(REQUEST)
                accepted, _ = endpoint.accept()
                with accepted:
                    assert accepted.recv(4096).startswith(b"GET / HTTP/1.1")
                    accepted.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    assert client.recv(4096).startswith(b"HTTP/1.1 204")
            assert weft.stop() == 0
