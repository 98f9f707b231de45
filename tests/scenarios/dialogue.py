"""One request as bytes, and the reply to it, read by what its head announces."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    fields: dict[str, str]
    """By names in lower case; of repeated ones the last."""
    body: bytes

    @property
    def error(self) -> str:
        """The error type of Proxy-Status (RFC 9209)."""
        found = re.search(r"weft; error=(\w+)", self.fields.get("proxy-status", ""))
        return found[1] if found else ""


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Raises IncompleteReadError for a reply that was cut."""
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = b""
    if fields.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(fields["content-length"]))
    return Reply(int(start.split()[1]), fields, body)


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is gone afterwards, however the test goes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def exchange(host: str, port: int, request: bytes) -> Reply:
    """The reply to `request` on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await read_reply(reader)
    finally:
        writer.close()
        await writer.wait_closed()
