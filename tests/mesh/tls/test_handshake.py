"""Handshakes at a listener: who is let in, who is turned away and why, and that nobody holds anybody up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from config.filters import AccessPolicy
from config.meta import Named
from mesh.descriptors import Descriptors
from mesh.filters.access import Access
from mesh.filters.chain import Filters
from mesh.gate import Gate
from mesh.handover import Handover
from mesh.tls import handshake
from mesh.tls.handshake import CLIENT_ENDED, NO_COMMON_GROUND, Handshakes, reason_of
from mesh.tls.keyring import certificate
from mesh.tls.names import Certificate, Passage, ServerNames
from tests.certificates import Authority, authority, pair
from tests.mesh.dialogue import GET, OK, Wire, answering
from tests.mesh.relaying import World, gone, relaying, until

pytestmark = pytest.mark.both_loops


def shown(*names: str) -> Certificate:
    return certificate(Named("default", "shop-tls"), pair(*names).secret())


SHOP = shown("shop.example")
NAMES = ServerNames({"shop.example": SHOP}, {"wild.example": shown("*.wild.example")})


@asynccontextmanager
async def serving(names: ServerNames = NAMES, *answers: bytes, **limits: Any) -> AsyncIterator[World]:
    async with relaying(answering(*answers or (OK,)), protocol="https", tls=names, **limits) as world:
        yield world


async def shaken(world: World, name: str = "shop.example", client: ssl.SSLContext | None = None) -> Wire:
    return await world.connect(ssl=client or authority().client(), server_hostname=name)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["shop.example", "SHOP.example", "any.wild.example"])
async def test_requests_within_tls(version: ssl.TLSVersion, name: str) -> None:
    async with serving() as world:
        client = authority().client(minimum_version=version, maximum_version=version)
        client.set_alpn_protocols(["h2", "http/1.1"])
        wire = await shaken(world, name, client)
        assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            await wire.send(GET)
            head, body = await wire.message()
            assert (head[:15], body) == (b"HTTP/1.1 200 OK", b"ok")
        assert world.stats.handshakes == {f"{version.name.replace('_', '.')} full": 1}
        assert world.open == 1
        wire.writer.close()
        await until(lambda: world.open == 0)


async def test_the_endpoint_is_told_that_it_was_https() -> None:
    heads: list[bytes] = []

    async def script(wire: Wire) -> None:
        heads.append((await wire.message())[0])
        await wire.send(OK)

    async with relaying(script, protocol="https", tls=NAMES) as world:
        wire = await shaken(world)
        await wire.send(GET)
        await wire.message()
        assert b"\r\nX-Forwarded-Proto: https\r\n" in heads[0]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_again_and_again(version: ssl.TLSVersion) -> None:
    async with serving() as world:
        client = authority().client(maximum_version=version)
        session = None
        for _ in range(4):
            session = await asyncio.to_thread(_visit, world.port, client, session)
            assert session is not None
        name = version.name.replace("_", ".")
        assert world.stats.handshakes == {f"{name} full": 1, f"{name} resumed": 3}


def _visit(port: int, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        client.wrap_socket(plain, server_hostname="shop.example", session=session) as line,
    ):
        line.sendall(GET)
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
        return line.session


OLD = authority().client(maximum_version=ssl.TLSVersion.TLSv1_2)
OLD.set_ciphers("AES128-SHA")

REFUSED = {
    "an unknown name": ("other.example", authority().client(verify=False), "tls_name_unknown"),
    "no name": ("", authority().client(verify=False), "tls_name_unknown"),
    "a name too deep": ("a.b.wild.example", authority().client(verify=False), "tls_name_unknown"),
    "no common cipher": ("shop.example", OLD, "tls_no_common_ground"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(case: str) -> None:
    name, client, reason = REFUSED[case]
    async with serving() as world:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shaken(world, name, client)
        await until(lambda: world.stats.reasons)
        assert set(world.stats.reasons) == {reason}
        await until(lambda: not world.open)
        assert world.stats.handshakes == {}


async def test_a_client_that_does_not_trust_us_says_so() -> None:
    async with serving() as world:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(_visit, world.port, Authority().client())
        await until(lambda: world.stats.reasons == {"tls_alert_received": 1})


HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

GARBAGE = {
    "http": (GET, b"HTTP/1.1 400 Bad Request", "tls_not_spoken"),
    "text": (b"hello there\n", b"", "tls_not_spoken"),
    "zeros": (bytes(100), b"", "tls_not_spoken"),
    "a hello of nonsense": (HELLO + b"\x55" * 506, b"\x15\x03\x01\x00\x02\x02\x32", "tls_protocol_error"),
    "another message": (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", b"\x15\x03\x01\x00\x02\x02\x32", "tls_protocol_error"),
}


@pytest.mark.parametrize("case", GARBAGE)
async def test_garbage(case: str) -> None:
    said, answered, reason = GARBAGE[case]
    async with serving() as world:
        wire = await world.connect()
        await wire.send(said)
        told = await wire.rest()
        assert told.startswith(answered) if answered else not told
        assert world.stats.reasons == {reason: 1}
        await until(lambda: not world.open)


async def test_garbage_after_a_good_hello() -> None:
    async with serving() as world:
        wire = await world.connect()
        await wire.send(hello())
        await wire.exactly(100)
        await wire.send(b"garbage that is no record\r\n\r\n")
        await wire.rest()
        await until(lambda: world.stats.reasons == {"tls_protocol_error": 1})
        await until(lambda: not world.open)


def hello(name: str = "shop.example") -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        authority().client().wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


async def test_a_hello_in_pieces() -> None:
    async with serving() as world:
        wire = await world.connect()
        for byte in hello():
            await wire.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await wire.exactly(1)) == b"\x16", "a ServerHello"


async def test_what_is_passed_through_must_be_let_in() -> None:
    async with serving() as world:
        nobody = Filters(lambda: 0.0, access=Access(AccessPolicy(deny=("127.0.0.0/8",))))
        await world.serve("https", tls=ServerNames({"shop.example": Passage(world.backend, nobody)}))
        wire = await world.connect()
        await wire.send(hello())
        assert await gone(wire) == "reset"
        await until(lambda: not world.open)
        assert world.stats.reasons == {"http_request_denied": 1}
        assert not world.endpoints[0].connections


@pytest.mark.parametrize("said", [0, 1, 100], ids=["nothing", "a byte", "a part"])
async def test_a_client_that_ends_early(said: int) -> None:
    async with serving() as world:
        wire = await world.connect()
        await wire.send(hello()[:said])
        wire.writer.write_eof()
        await wire.rest()
        await until(lambda: not world.open)
        assert world.stats.reasons == {CLIENT_ENDED.error: 1}


@pytest.mark.parametrize("said", [0, 100, 10_000], ids=["silent", "in the midst of a hello", "after a hello"])
async def test_a_slow_client_is_left(said: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PATIENCE", 0.3)
    async with serving() as world:
        wire = await world.connect()
        await wire.send(hello()[:said])
        await wire.rest()
        await until(lambda: not world.open)
        assert world.stats.reasons == {"tls_handshake_timeout": 1}


async def test_slow_clients_crowd_out_each_other_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake.Handshakes.__init__, "__defaults__", (8,))
    async with serving() as world:
        slow = [await world.connect() for _ in range(8)]
        for wire in slow[:4]:
            await wire.send(hello())
        for _ in range(12):
            wire = await shaken(world)
            await wire.send(GET)
            assert (await wire.message())[1] == b"ok"
            wire.writer.close()
        more = [await world.connect() for _ in range(20)]
        await until(lambda: world.stats.reasons.get("tls_handshakes_exceeded", 0) >= 20)
        assert world.open <= 8 + 12
        for wire in more + slow:
            wire.writer.transport.abort()
        await until(lambda: not world.open)


async def test_closing_ends_those_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "FAREWELL", 0.05)
    async with serving() as world:
        wires = [await world.connect() for _ in range(2)]
        await wires[0].send(hello())
        await wires[0].exactly(1)
        gate = world.listeners.states[world.key].gate
        assert gate is not None
        await until(lambda: gate.open == 2)
        await world.publish({})
        for wire in wires:
            await wire.rest()
        assert gate.open == 0


async def test_nothing_is_in_progress_at_first() -> None:
    async with serving() as world:
        gate = Gate(Descriptors(10), world.key, limit=1)
        handshakes = Handshakes(world.proxy, Handover(world.proxy, world.listeners._board, gate))
        assert len(handshakes) == 0
        await handshakes.close()


def test_reasons() -> None:
    assert reason_of(ConnectionResetError()) is CLIENT_ENDED
    error = ssl.SSLError(1, "x")
    error.reason = "NO_SHARED_CIPHER"
    assert reason_of(error) is NO_COMMON_GROUND
