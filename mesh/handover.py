"""Handing an accepted socket over to the HTTP path, which wants a transport of the loop."""

from __future__ import annotations

import asyncio
import socket
from socket import SocketType

from mesh.downstream import HTTPDownstream
from mesh.gate import Gate
from mesh.proxy import Proxy


class CountedHTTP(HTTPDownstream):
    """A client's HTTP connection that leaves the gate by which it entered."""

    __slots__ = ("_gate",)

    def __init__(self, proxy: Proxy, gate: Gate) -> None:
        super().__init__(proxy, gate.key)
        self._gate = gate

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.left()
        super().connection_lost(exc)


class Handover:
    """Makes transports of sockets that were accepted elsewhere."""

    __slots__ = ("_proxy", "_tasks", "gate")

    def __init__(self, proxy: Proxy, gate: Gate) -> None:
        self._proxy = proxy
        self.gate = gate
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, line: SocketType) -> None:
        """Speak HTTP on `line`, which has entered the gate and is not watched by anyone."""
        plain = socket.socket(line.family, line.type, line.proto, fileno=line.detach())
        task = self._proxy.loop.create_task(self._adopt(plain))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for those that are under way; each takes a turn of the loop or two."""
        await asyncio.gather(*self._tasks)

    async def _adopt(self, plain: socket.socket) -> None:
        protocol = CountedHTTP(self._proxy, self.gate)
        try:
            await self._proxy.loop.connect_accepted_socket(lambda: protocol, plain)
        except OSError:  # the client is gone
            plain.close()
            self.gate.left()
