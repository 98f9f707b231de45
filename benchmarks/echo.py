"""A WebSocket echo and its load, for ``benchmarks.questions.websocket``: ``python -m benchmarks.echo serve PORT``, or
``... load URL CONNECTIONS SECONDS``, which prints how many messages came back.

Messages go back and forth as bytes, because what is measured stands between the two (RFC 6455 sections 4 and 5).
"""

from __future__ import annotations

import asyncio
import sys
import time
from urllib.parse import urlsplit

import uvloop

ACCEPT = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
OFFER = (
    b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MESSAGE = b"\x82\xe4\x00\x00\x00\x00" + bytes(100)
"""A masked binary message of 100 bytes."""


class Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self.switched = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        if self.switched:
            self.write(data)
        else:
            self.switched = True
            self.write(ACCEPT)


class Client(asyncio.Protocol):
    """Sends a message as soon as the last one is back."""

    def __init__(self, host: bytes) -> None:
        self.host = host
        self.switched = False
        self.received = 0
        self.messages = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self.write = transport.write
        self.write(OFFER % self.host)

    def data_received(self, data: bytes) -> None:
        if not self.switched:
            if not data.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(data.decode("latin-1"))
            self.switched = True
            self.write(MESSAGE)
            return
        self.received += len(data)
        if self.received >= len(MESSAGE):
            self.received -= len(MESSAGE)
            self.messages += 1
            self.write(MESSAGE)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


async def load(url: str, connections: int, seconds: float) -> None:
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(parts.netloc.encode()), parts.hostname, parts.port)
        clients.append(client)
    until = time.monotonic() + seconds
    await asyncio.sleep(until - time.monotonic())
    if not all(client.messages for client in clients):
        raise SystemExit("a connection carried nothing")
    print(sum(client.messages for client in clients))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(serve(int(sys.argv[2])))
    else:
        uvloop.run(load(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
