"""Connecting to an endpoint over TLS, and why that failed."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from config.filters import ReencryptPolicy
from mesh.reasons import ENDPOINT_TLS, ENDPOINT_UNTRUSTED, UNREACHABLE, Reason
from mesh.tls.client import Reencryption, connect, reason_of
from mesh.tls.context import client_context
from tests.certificates import authority
from tests.mesh.dialogue import PATIENCE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ssl.SSLCertVerificationError(), ENDPOINT_UNTRUSTED),
        (ssl.SSLError(), ENDPOINT_TLS),
        (OSError(), UNREACHABLE),
        (ConnectionResetError(), UNREACHABLE),
    ],
)
def test_reasons(error: OSError, reason: Reason) -> None:
    assert reason_of(error) is reason


async def test_who_gives_up_leaves_no_connection() -> None:
    gone = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    tls = Reencryption(ReencryptPolicy(), None, client_context(authority().certificate, True), "shop.example")
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connect(loop, asyncio.Protocol(), "127.0.0.1", port, tls), 0.05)
    async with asyncio.timeout(PATIENCE):
        await gone.wait()
    server.close()


async def test_an_endpoint_that_closes() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    tls = Reencryption(ReencryptPolicy(), None, client_context(None, False), "shop.example")
    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectionResetError):
        await connect(asyncio.get_running_loop(), asyncio.Protocol(), "127.0.0.1", port, tls)
    server.close()
