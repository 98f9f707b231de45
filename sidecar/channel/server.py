"""The registry's end of the channel: WebSockets over TLS (RFC 6455, RFC 8446) on an address of its own.

A connection is admitted by the credential in its first request, or gets nothing but a 401; whoever is wrong too often
is not heard for a while.  Bounds: connections, the time until one is admitted, messages and what waits to be sent.  A
peer that does not take what it is sent, does not answer pings, or says what is no message, is cut off, and begins anew.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from socket import socket
from typing import Any, Final

from aiohttp import web

from sidecar.channel.attempts import Attempts
from sidecar.channel.connection import Connection
from sidecar.channel.credentials import Credentials
from sidecar.channel.messages import HEARTBEAT_SECONDS, HELLO_SECONDS, LARGEST_MESSAGE, PATH, VERSION
from sidecar.channel.nodes import Nodes
from sidecar.channel.shelf import Feed, Shelf

MOST_CONNECTIONS: Final = 4096
CHECK_SECONDS: Final = 1.0
"""How often it is looked whether credentials were revoked."""
CLOSE_SECONDS: Final = 1.0

log = logging.getLogger("weft.channel")


class _Server(web.Server):
    """Takes no more connections than are allowed, and none for long that is not admitted."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any]) -> None:
        super().__init__(
            handler, access_log=None, keepalive_timeout=HELLO_SECONDS, max_line_size=4096, max_field_size=4096
        )
        self.waiting: dict[object, asyncio.TimerHandle] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self.waiting[handler] = asyncio.get_running_loop().call_later(HELLO_SECONDS, transport.abort)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.admitted(handler)
        super().connection_lost(handler, exc)

    def admitted(self, handler: object) -> None:
        """This connection may stay."""
        if waiting := self.waiting.pop(handler, None):
            waiting.cancel()


class ChannelServer:
    """Serves the channel from `start` to `close`.  `serial`: the registry's own, of endpoints.Z."""

    def __init__(self, credentials: Credentials, shelf: Shelf, nodes: Nodes, serial: Callable[[], int]) -> None:
        self._credentials = credentials
        self._shelf = shelf
        self._nodes = nodes
        self._serial = serial
        self._attempts = Attempts()
        self._server = _Server(self._handle)
        self._listening: asyncio.Server | None = None
        self._connections: dict[str, Connection] = {}
        self._revoking: asyncio.Task[None] | None = None
        self._shelf.followers.append(self._tell)
        self._nodes.followers.append(self._tell)

    async def start(self, sock: socket, context: ssl.SSLContext) -> None:
        """Serve on `sock`, which is bound already."""
        self._listening = await asyncio.get_running_loop().create_server(
            self._server, sock=sock, ssl=context, ssl_handshake_timeout=HELLO_SECONDS, backlog=1024
        )
        self._revoking = asyncio.create_task(self._revoke())

    async def close(self) -> None:
        """End all connections; the nodes come again when there is somebody."""
        if self._listening is None or self._revoking is None:
            return
        self._revoking.cancel()
        await asyncio.gather(self._revoking, return_exceptions=True)
        self._listening.close()
        self._server.pre_shutdown()
        for connection in tuple(self._connections.values()):
            connection.cut()
        await self._server.shutdown(CLOSE_SECONDS)

    def _tell(self) -> None:
        for connection in self._connections.values():
            connection.wake()

    async def _revoke(self) -> None:
        """Cut off whose credential is no longer there."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                known = self._credentials.nodes()
            except (OSError, ValueError) as error:
                log.error("credentials of nodes cannot be read: %s", error)
                continue
            for name, connection in tuple(self._connections.items()):
                if name not in known:
                    log.warning("the credential of node %s was revoked", name)
                    connection.cut()
            self._nodes.forget(known)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != PATH or request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=404)
        name = self._admitted(request)
        if isinstance(name, web.Response):
            return name
        response = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST_MESSAGE, compress=False, timeout=CLOSE_SECONDS
        )
        await response.prepare(request)
        self._server.admitted(request.protocol)
        await self._converse(name, request, response)
        return response

    def _admitted(self, request: web.BaseRequest) -> str | web.Response:
        """Who it is, or the refusal."""
        address, now = request.remote or "", asyncio.get_running_loop().time()
        try:
            name = self._credentials.admitted(request.headers.get("Authorization", ""))
        except (OSError, ValueError) as error:
            log.error("credentials of nodes cannot be read: %s", error)
            return web.Response(status=503, headers={"Connection": "close"})
        if name is not None:  # also from an address with many failures: it may be that of all nodes of a machine
            return name
        if self._attempts.exhausted(address, now):
            return web.Response(status=429, headers={"Connection": "close"})
        if self._attempts.failed(address, now):
            log.warning("refused a connection from %s: it has no credential of a node", address)
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer", "Connection": "close"})

    async def _converse(self, name: str, request: web.BaseRequest, response: web.WebSocketResponse) -> None:
        connection = Connection(response, request.transport, self._nodes, self._serial)
        hello = await connection.hello()
        if hello is None:
            return
        if hello.version != VERSION:
            await connection.refuse(f"this registry speaks version {VERSION} of the channel, not {hello.version}")
            return
        try:
            runs, refused = self._credentials.divided(name, hello.runs)
        except (OSError, ValueError) as error:
            await connection.refuse(f"credentials cannot be read: {error}")
            return
        if refused:
            log.warning("node %s asks for what its token is not for: %s", name, ", ".join(refused))
        if before := self._connections.pop(name, None):
            before.cut()
        self._connections[name] = connection
        node = self._nodes.came(name, hello, request.remote or "")
        node.runs = frozenset(runs)
        try:
            await connection.run(Feed(self._shelf, runs, partial=hello.partial), node, refused)
        finally:
            self._nodes.left(node)
            if self._connections.get(name) is connection:
                del self._connections[name]
