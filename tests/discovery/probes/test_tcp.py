from __future__ import annotations

import asyncio

import pytest

from discovery.health import Finding, Outcome
from discovery.probes.tcp import accepts
from tests.discovery.probes.servers import refused_port, serving

pytestmark = pytest.mark.both_loops


async def test_accepting_is_enough_and_nothing_is_sent() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())

    async with serving(handle) as port:
        assert await accepts("127.0.0.1", port) == Finding(Outcome.SUCCESS)
        assert await asyncio.wait_for(heard, 5) == b""


async def test_a_refused_connection_raises() -> None:
    with pytest.raises(ConnectionRefusedError):
        await accepts("127.0.0.1", refused_port())
