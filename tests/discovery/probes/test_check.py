"""Active checks against real little servers: what is asked, and what counts as a success."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from msgspec import structs

from config.balancing import HealthCheckPolicy
from discovery.health import Outcome
from discovery.probes.action import check
from discovery.probes.check import expected
from discovery.probes.target import ProbeTarget
from mesh.proxy_protocol import Conveyed, read_header
from mesh.tls.context import server_context
from tests.certificates import pair
from tests.discovery.probes.servers import answering, refused_port, serving, silent

GRPC = HealthCheckPolicy(type="grpc", timeout=2)

pytestmark = pytest.mark.both_loops


def target(port: int) -> ProbeTarget:
    return ProbeTarget("10.0.0.1 port 80", "check 1", "127.0.0.1", accept_ports=(port,))


def http(**fields: object) -> HealthCheckPolicy:
    return HealthCheckPolicy(type="http", timeout=2, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "written", "outcome"),
    [
        (200, ("200-399",), Outcome.SUCCESS),
        (302, ("200-399",), Outcome.SUCCESS),
        (404, ("200-399",), Outcome.FAILURE),
        (404, (404,), Outcome.SUCCESS),
        (200, ("204", "301-308"), Outcome.FAILURE),
        (307, ("204", "301-308"), Outcome.SUCCESS),
    ],
)
async def test_status(status: int, written: tuple[int | str, ...], outcome: Outcome) -> None:
    answer = b"HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" % status
    async with serving(answering(answer)) as port:
        finding = await check(http(expected_status=written), target(port))
    assert finding.outcome is outcome
    assert outcome is Outcome.SUCCESS or finding.reason == f"HTTP {status}"


@pytest.mark.parametrize(("host", "said"), [("", b"127.0.0.1:%d"), ("shop.example", b"shop.example")])
async def test_what_is_asked(host: str, said: bytes) -> None:
    seen: list[bytes] = []
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen)) as port:
        await check(http(path="/health?full", host=host), target(port))
    (head,) = seen
    assert head.startswith(b"GET /health?full HTTP/1.1\r\n")
    assert b"Host: %s\r\n" % (said.replace(b"%d", b"%d" % port)) in head


async def test_another_port() -> None:
    async with serving(silent) as port:
        assert (await check(HealthCheckPolicy(port=port), target(refused_port()))).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (HealthCheckPolicy(), "connection refused"),
        (HealthCheckPolicy(type="http"), "connection refused"),
        (HealthCheckPolicy(type="grpc"), "connection refused"),
    ],
)
async def test_nobody_there(policy: HealthCheckPolicy, reason: str) -> None:
    finding = await check(policy, target(refused_port()))
    assert (finding.outcome, finding.reason) == (Outcome.FAILURE, reason)


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_no_answer_in_time(kind: str) -> None:
    async with serving(silent) as port:
        finding = await check(HealthCheckPolicy(type=kind, timeout=0.1), target(port))  # type: ignore[arg-type]
    assert (finding.outcome, finding.reason) == (Outcome.FAILURE, "timeout after 0.1 s")


async def test_what_is_no_http() -> None:
    async with serving(answering(b"SSH-2.0-x\r\n\r\n")) as port:
        assert (await check(http(), target(port))).outcome is Outcome.FAILURE


def test_codes() -> None:
    assert expected((200, "204", "301-303")) == {200, 204, 301, 302, 303}


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("host", ["", "shop.example", "shop.example:8443"])
async def test_https_believes_any_certificate_and_asks_for_the_host(host: str) -> None:
    names: list[str | None] = []
    made = pair("other.example")
    context = server_context(made.certificate, made.key)
    context.sni_callback = lambda tls, name, _: names.append(name)
    async with serving(answering(OK), context) as port:
        assert (await check(http(scheme="https", host=host), target(port))).outcome is Outcome.SUCCESS
        assert (await check(http(host=host), target(port))).outcome is Outcome.FAILURE
    assert names == [host.partition(":")[0] or None]


V1, V2 = b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


@pytest.mark.parametrize(("version", "header"), [("v1", V1), ("v2", V2)])
@pytest.mark.parametrize("kind", ["tcp", "http", "https", "grpc"])
async def test_a_proxy_says_that_it_speaks_for_itself(kind: str, version: Literal["v1", "v2"], header: bytes) -> None:
    assert read_header(header) == Conveyed(len(header)), "the mesh reads it as that"
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readexactly(len(header))
        heard.set_result(said + (await reader.read(2) if kind != "tcp" else b""))

    policy = HealthCheckPolicy(type="tcp") if kind == "tcp" else http(scheme=kind) if kind != "grpc" else GRPC
    async with serving(handle) as port:
        there = structs.replace(target(port), send_proxy=version)
        finding = await check(policy, there)
        said = await asyncio.wait_for(heard, 5)
    assert said == header + {"tcp": b"", "http": b"GE", "https": b"\x16\x03", "grpc": b"PR"}[kind]
    assert (finding.outcome is Outcome.SUCCESS) is (kind == "tcp")


async def test_nobody_there_to_be_told() -> None:
    there = structs.replace(target(refused_port()), send_proxy="v1")
    for policy in (HealthCheckPolicy(), http(), GRPC):
        assert (await check(policy, there)).reason == "connection refused"
