"""Introductions: whom a trusted proxy speaks for, whatever is spoken, and that nobody else is believed."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from ipaddress import ip_network
from select import EPOLLIN
from typing import Any, Literal

import pytest

from config.balancing import BalancerPolicy, HashKey, HealthCheckPolicy
from config.filters import AccessPolicy
from discovery.health import Finding, Outcome
from discovery.probes.check import ask
from mesh import introduction
from mesh.access_log import Ended, record_of
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.introduction import Introduction
from mesh.proxy_protocol import SIGNATURE, header
from mesh.table import AppProtocol
from mesh.tls.names import Passage
from tests.certificates import authority
from tests.mesh.dialogue import GET, OK, Script, Wire, answering
from tests.mesh.relaying import World, echo, gone, relaying, until
from tests.mesh.tls.test_handshake import NAMES

pytestmark = pytest.mark.both_loops

CLIENT, DIALLED = ("192.0.2.7", 40_000), ("198.51.100.1", 443)
V1, V2 = header("v1", CLIENT, DIALLED), header("v2", CLIENT, DIALLED)
V2_TLVS = V2[:14] + (12 + 3 + 5 + 300).to_bytes(2, "big") + V2[16:] + b"\x04\0\0\x05\0\x02ab\xea" + bytes(299)
LOCAL = SIGNATURE + b"\x20\0\0\0"
MAPPED = header("v2", (f"::ffff:{CLIENT[0]}", CLIENT[1]), ("2001:db8::1", 443))
TRUSTED = (ip_network("127.0.0.0/8"),)
OTHERS = (ip_network("192.0.2.0/24"),)
NAMED = {"v1": V1, "v2": V2, "v2 with TLVs": V2_TLVS, "v2, IPv4 within IPv6": MAPPED}
UNNAMED = {"v1 unknown": b"PROXY UNKNOWN\r\n", "v2 local": LOCAL, "v2 unspecified": SIGNATURE + b"\x21\0\0\0"}


def http_script(heads: list[bytes]) -> Script:
    async def script(wire: Wire) -> None:
        while True:
            heads.append((await wire.message())[0])
            await wire.send(OK)

    return script


def introducing(*scripts: Script, protocol: AppProtocol = "tcp", **limits: Any) -> Any:
    return relaying(*scripts, protocol=protocol, **{"introduced_by": TRUSTED} | limits)


async def visited(world: World, data: bytes) -> Wire:
    wire = await world.connect()
    await wire.send(data)
    return wire


# -- who is believed


@pytest.mark.parametrize("protocol", ["http", "detect"])
@pytest.mark.parametrize("case", [*NAMED, *UNNAMED])
async def test_http(case: str, protocol: AppProtocol) -> None:
    heads: list[bytes] = []
    records: list[Ended] = []
    client = CLIENT[0] if case in NAMED else "127.0.0.1"
    async with introducing(http_script(heads), protocol=protocol) as world:
        world.proxy.access_log = records.append
        wire = await visited(world, (NAMED | UNNAMED)[case] + GET)
        for _ in range(2):
            assert (await wire.message())[1] == b"ok"
            await wire.send(GET)
        await wire.message()
        assert all(f"\r\nX-Forwarded-For: {client}\r\n".encode() in head for head in heads)
        await until(lambda: len(records) == 3)
        assert {record_of(ended, 0.0).client for ended in records} == {client}
        (peer,) = (each.peer for each in world.proxy.clients)  # type: ignore[attr-defined]
        assert peer.learned == ("proxy-protocol" if case in NAMED else "socket")
        assert world.open == 1
        wire.writer.close()
        await until(lambda: world.open == 0)


@pytest.mark.parametrize("protocol", ["tcp", "detect"])
@pytest.mark.parametrize("case", [*NAMED, *UNNAMED])
async def test_streams_and_their_early_bytes(case: str, protocol: AppProtocol) -> None:
    async with introducing(echo, protocol=protocol) as world:
        early = b"\x00binary" * 5000
        wire = await visited(world, (NAMED | UNNAMED)[case] + early)
        assert await wire.exactly(len(early)) == early
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await until(lambda: world.open == 0)
        assert world.stats.bytes_in == len(early)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_endpoint_is_told_in_turn(version: str) -> None:
    async with introducing(echo, plan={"send_proxy": version}) as world:
        wire = await visited(world, NAMED["v2 with TLVs"] + b"hello")
        expected = header(version, CLIENT, DIALLED) + b"hello"  # type: ignore[arg-type]
        assert await wire.exactly(len(expected)) == expected


@pytest.mark.parametrize("protocol", ["http", "tcp", "detect"])
async def test_nobody_else_is_believed(protocol: AppProtocol) -> None:
    heads: list[bytes] = []
    async with introducing(
        echo if protocol != "http" else http_script(heads), protocol=protocol, introduced_by=OTHERS
    ) as world:
        wire = await visited(world, V1 + GET)
        if protocol == "http":
            assert (await wire.message())[0].startswith(b"HTTP/1.1 400")
            assert not heads
        else:
            assert await wire.exactly(len(V1 + GET)) == V1 + GET, "bytes like others"
        assert "proxy_protocol_error" not in world.stats.reasons


async def test_who_speaks_for_itself_needs_no_header() -> None:
    async with introducing(answering(OK), protocol="http", introduced_by=OTHERS) as world:
        assert (await (await visited(world, GET)).message())[1] == b"ok"


async def test_http_2_at_a_port_of_http_is_relayed_for_the_client_named() -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    async with introducing(echo, protocol="http", plan={"send_proxy": "v1"}) as world:
        wire = await visited(world, V2 + preface)
        assert await wire.exactly(len(V1 + preface)) == V1 + preface


# -- what goes by the address


@pytest.mark.parametrize(("sources", "served"), [(OTHERS, True), (TRUSTED, False)])
async def test_source_ranges(sources: Any, served: bool) -> None:
    async with introducing(echo, sources=sources) as world:
        wire = await visited(world, V1 + b"hello")
        if served:
            assert await wire.exactly(5) == b"hello"
        else:
            assert await gone(wire) == "reset"
            assert world.stats.reasons == {"http_request_denied": 1}
            await until(lambda: world.open == 0)


@pytest.mark.parametrize(("denied", "served"), [("192.0.2.0/24", False), ("127.0.0.0/8", True)])
@pytest.mark.parametrize("protocol", ["tcp", "http"])
async def test_access_lists(protocol: AppProtocol, denied: str, served: bool) -> None:
    access = Access(AccessPolicy(deny=(denied,)))
    filters = Filters(lambda: 0.0, access=access, checks=(access,))
    script = echo if protocol == "tcp" else answering(OK)
    async with introducing(script, protocol=protocol, filters=filters) as world:
        wire = await visited(world, V1 + GET)
        said = (await wire.rest() if not served and protocol == "tcp" else await wire.until(b"\r\n\r\n"))[:12]
        expected = {("tcp", True): GET[:12], ("tcp", False): b"<reset>", ("http", True): b"HTTP/1.1 200"}
        assert said == expected.get((protocol, served), b"HTTP/1.1 403")


@pytest.mark.parametrize("protocol", ["tcp", "http"])
async def test_affinity_by_source(protocol: AppProtocol) -> None:
    """Many clients of one proxy are spread, and each of them stays where it is."""

    def naming(number: int) -> Script:
        async def script(wire: Wire) -> None:
            await wire.message()
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

        return script

    plan = {"balancer": BalancerPolicy(type="RingHash", hash=HashKey(source_address=True))}
    async with introducing(*map(naming, range(4)), protocol=protocol, plan=plan) as world:
        homes = [[await home(world, number) for _ in range(2)] for number in range(24)]
        assert all(first == second for first, second in homes)
        assert len({first for first, _ in homes}) > 1


async def home(world: World, number: int) -> bytes:
    wire = await visited(world, header("v2", (f"192.0.2.{number}", 1), DIALLED) + GET)
    return (await wire.message())[1]


# -- TLS


@pytest.mark.parametrize("case", [*NAMED, *UNNAMED])
async def test_tls_after_the_header(case: str) -> None:
    heads: list[bytes] = []
    async with introducing(http_script(heads), protocol="https", tls=NAMES) as world:
        answer = await asyncio.to_thread(visit_within_tls, world.port, (NAMED | UNNAMED)[case])
        assert answer.startswith(b"HTTP/1.1 200 OK")
        client = CLIENT[0] if case in NAMED else "127.0.0.1"
        assert f"X-Forwarded-For: {client}\r\nX-Forwarded-Proto: https\r\n".encode() in heads[0]
        await until(lambda: world.open == 0)


def visit_within_tls(port: int, said: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.sendall(said)
        with authority().client().wrap_socket(plain, server_hostname="shop.example") as line:
            line.sendall(GET)
            return line.recv(4096)


async def test_tls_without_a_header_is_refused() -> None:
    async with introducing(answering(OK), protocol="https", tls=NAMES) as world:
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.to_thread(visit_within_tls, world.port, b"")
        assert world.stats.reasons == {"proxy_protocol_error": 1}


async def test_tls_of_others_needs_none() -> None:
    async with introducing(answering(OK), protocol="https", tls=NAMES, introduced_by=OTHERS) as world:
        assert (await asyncio.to_thread(visit_within_tls, world.port, b"")).startswith(b"HTTP/1.1 200 OK")


async def test_tls_that_is_passed_through_is_for_the_client_named() -> None:
    async with introducing(echo, protocol="https", plan={"send_proxy": "v1"}) as world:
        names = type(NAMES)({"shop.example": Passage(world.backend)}, {})
        await world.serve("https", tls=names)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = authority().client().wrap_bio(incoming, outgoing, server_hostname="shop.example")
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        hello = outgoing.read()
        wire = await visited(world, V2 + hello)
        assert await wire.exactly(len(V1 + hello)) == V1 + hello


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_checks_of_another_weft_pass(scheme: Literal["http", "https"], version: str) -> None:
    how = HealthCheckPolicy(type="http", scheme=scheme, host="shop.example")
    async with introducing(answering(OK), protocol=scheme, tls=NAMES if scheme == "https" else None) as world:
        assert await ask(how, "127.0.0.1", world.port, version) == Finding(Outcome.SUCCESS)
        await until(lambda: world.open == 0)
        assert world.stats.reasons == {}


# -- what is no header


@pytest.mark.parametrize(
    "data",
    [GET, b"PROXY TCP4 192.0.2.1\r\n", b"PROXY " + b"x" * 200, SIGNATURE + b"\x21\x11\x00\x04abcd", b"\x16\x03\x01"],
)
@pytest.mark.parametrize("protocol", ["tcp", "http", "detect"])
async def test_refused(data: bytes, protocol: AppProtocol, caplog: pytest.LogCaptureFixture) -> None:
    records: list[Ended] = []
    with caplog.at_level(logging.WARNING):
        async with introducing(echo, protocol=protocol) as world:
            world.proxy.failure_log = records.append
            for count in range(1, 6):
                assert await gone(await visited(world, data)) == "reset"
                assert world.stats.reasons == {"proxy_protocol_error": count}
            await until(lambda: world.open == 0)
            assert world.endpoints[0].connections == 0
    told = {(each.client, each.reason) for each in (record_of(ended, 0.0) for ended in records)}
    assert (told, len(records)) == ({("127.0.0.1", "proxy_protocol_error")}, 5)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1, "it is counted each time, and logged now and then"
    assert "127.0.0.1" in said[0]


async def test_who_closes_without_a_byte_only_looks() -> None:
    async with introducing(echo) as world:
        for end in (lambda wire: wire.writer.close(), lambda wire: wire.writer.transport.abort()):
            wire = await world.connect()
            await until(lambda: world.open == 1)
            end(wire)
            await until(lambda: world.open == 0)
        assert world.stats.reasons == {}


async def test_an_end_in_the_midst_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introduction, "PATIENCE", 1000.0)
    async with introducing(echo) as world:
        wire = await visited(world, V1[:20])
        wire.writer.write_eof()
        assert await gone(wire) in ("reset", "end")
        assert world.stats.reasons == {"proxy_protocol_error": 1}
        await until(lambda: world.open == 0)


@pytest.mark.parametrize("said", [b"", V1[:-1], V2[:-1]])
async def test_it_has_a_deadline(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introduction, "PATIENCE", 0.1)
    async with introducing(echo) as world:
        wire = await visited(world, said)
        assert await gone(wire) == "reset"
        assert world.stats.reasons == {"proxy_protocol_error": 1}
        await until(lambda: world.open == 0)


async def test_those_that_wait_end_with_the_listener() -> None:
    async with introducing(echo) as world:
        wire = await world.connect()
        await until(lambda: any(isinstance(each, Introduction) for each in world.proxy.clients))
        await world.listeners.close()
        world.listeners.abort()
        assert await gone(wire) == "reset"
        assert not world.proxy.clients


async def test_a_listener_may_come_to_want_it() -> None:
    async with relaying(answering(OK), protocol="http") as world:
        assert (await (await visited(world, GET)).message())[1] == b"ok"
        await world.serve("http", introduced_by=TRUSTED)
        assert await gone(await visited(world, GET)) == "reset"
        assert (await (await visited(world, V1 + GET)).message())[1] == b"ok"
        await world.serve("http", introduced_by=())
        assert (await (await visited(world, GET)).message())[1] == b"ok"


# -- bytes


@pytest.mark.parametrize("case", [*NAMED, *UNNAMED])
async def test_split_everywhere(case: str) -> None:
    said = (NAMED | UNNAMED)[case]
    async with introducing(echo) as world:
        for cut in range(1, len(said) + 1):
            given: list[tuple[Any, Any]] = []
            one, line = socket.socketpair()
            with one:
                fd = line.detach()
                stage = Introduction(
                    world.proxy,
                    world.listeners._board,
                    listener_of(world),
                    raw(fd),
                    gate=world.listeners._served[world.key].gate,
                    go_on=lambda *parts, into=given: into.append(parts),  # type: ignore[misc]
                )
                world.listeners._board.watch(fd, stage)
                one.send(said[:cut])
                stage.on_event(fd, EPOLLIN)
                assert bool(given) == (cut == len(said))
                one.send(said[cut:] + b"rest")
                if not given:
                    stage.on_event(fd, EPOLLIN)
                ((left, _),) = given
                assert left.recv(100) == b"rest"
                if case in NAMED:
                    assert left.getpeername() == CLIENT
                left.close()


def raw(fd: int) -> Any:
    line = introduction.SocketType(fileno=fd)
    line.setblocking(False)
    return line


def listener_of(world: World) -> Any:
    return world.proxy.table.listeners[world.key]
