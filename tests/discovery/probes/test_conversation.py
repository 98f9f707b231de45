from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from discovery.probes.conversation import converse
from tests.discovery.probes.servers import refused_port, serving, silent

pytestmark = pytest.mark.both_loops


class Echo:
    """Says hello, and is content with six bytes."""

    def __init__(self) -> None:
        self.heard = b""

    def opening(self) -> bytes:
        return b"hello\n"

    def received(self, data: bytes, reply: Callable[[bytes], None]) -> bytes | None:
        self.heard += data
        if len(self.heard) == 3:
            reply(b"go on\n")
        return self.heard if len(self.heard) >= 6 else None

    def ended(self) -> bytes:
        return b"ended after " + self.heard


async def test_the_exchange_ends_with_the_outcome_and_the_connection_with_it() -> None:
    gone = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"hello\n"
        writer.write(b"one")
        assert await reader.readline() == b"go on\n"
        writer.write(b"two and more")
        await reader.read()
        gone.set()

    async with serving(handle) as port:
        assert (await converse(Echo(), "127.0.0.1", port)).startswith(b"onetwo")
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_peer_that_closes_ends_it() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"ab")

    async with serving(handle) as port:
        assert await converse(Echo(), "127.0.0.1", port) == b"ended after ab"


async def test_a_refused_connection_raises() -> None:
    with pytest.raises(ConnectionRefusedError):
        await converse(Echo(), "127.0.0.1", refused_port())


async def test_giving_up_leaves_nothing_open() -> None:
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent(reader, writer)
        ended.set()

    async with serving(handle) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await converse(Echo(), "127.0.0.1", port)
        async with asyncio.timeout(5):
            await ended.wait()
