"""One node's connection: what ends it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sidecar.channel import connection as module
from sidecar.channel.messages import (
    LARGEST_MESSAGE,
    PATH,
    Autoscaled,
    Await,
    Hello,
    InForce,
    Message,
    decode_downward,
    encoded,
)
from tests.sidecar.channel.channels import Registry, manifest, registry, until


@asynccontextmanager
async def raw(there: Registry, name: str = "a") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket of its own making."""
    token = there.token(name)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"https://{there.address}{PATH}",
            ssl=aiohttp.Fingerprint(bytes.fromhex(token.fingerprint)),
            headers={"Authorization": token.authorization},
        ) as opened,
    ):
        yield opened


HELLO = encoded(Hello(1, "0.1"))
ENDS: dict[str, tuple[list[str | bytes], int]] = {
    "no JSON": (["hello"], 1008),
    "something else first": ([encoded(InForce(1))], 1008),
    "another version": ([encoded(Hello(2, "0.1"))], 1008),
    "garbage later": ([HELLO, '{"is":'], 1008),
    "a message for nodes": ([HELLO, '{"is":"welcome","version":1,"weft":""}'], 1008),
    "a second hello": ([HELLO, HELLO], 1008),
    "bytes": ([HELLO, b"{}"], 1008),
    "too long, which nobody reads to its end": ([HELLO, " " * (LARGEST_MESSAGE + 1)], 1006),
    "too many questions": ([HELLO, *(encoded(Await(n, 60.0, 9)) for n in range(module.MOST_QUESTIONS + 1))], 1008),
}


@pytest.mark.parametrize(("texts", "code"), ENDS.values(), ids=ENDS)
async def test_what_is_no_message_ends_the_connection(tmp_path: Path, texts: list[str | bytes], code: int) -> None:
    async with registry(tmp_path) as there, raw(there) as opened:
        there.leases = {"absent"}
        for text in texts:
            await (opened.send_bytes(text) if isinstance(text, bytes) else opened.send_str(text))
        async with asyncio.timeout(5):
            while (await opened.receive()).type == aiohttp.WSMsgType.TEXT:
                pass
        assert opened.close_code in {code, 1009 if code == 1006 else code}
        await until(lambda: not (known := there.nodes.get("a")) or not known.connected)


async def test_that_nothing_is_autoscaled_is_said_too(tmp_path: Path) -> None:
    async with registry(tmp_path) as there, raw(there) as opened, asyncio.timeout(5):
        await opened.send_str(HELLO)
        said: list[Autoscaled] = []
        while len(said) < 2:
            message = decode_downward((await opened.receive()).data)
            if isinstance(message, Autoscaled):
                said.append(message)
                there.nodes.define(Autoscaled())
    assert said == [Autoscaled(incomplete=True), Autoscaled()]


async def test_who_says_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELLO_SECONDS", 0.05)
    async with registry(tmp_path) as there, raw(there) as opened:
        async with asyncio.timeout(5):
            await opened.receive()
        assert opened.close_code == 1008


async def test_who_stops_reading_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.2)
    async with registry(tmp_path) as there:
        token = there.token("a")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, there.address)
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname="x", limit=1024)
        writer.write(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Authorization: {token.authorization}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_masked(Hello(1, "0.1")))
        await until(lambda: there.nodes.get("a"))
        there.shelf.change(manifest("ConfigMap", f"c{n}", {"data": {"a": "x" * 200_000}}) for n in range(50))
        known = there.nodes.get("a")
        assert known
        await until(lambda: not known.connected)
        writer.transport.abort()


def _masked(message: Message) -> bytes:
    text = encoded(message).encode()
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text
