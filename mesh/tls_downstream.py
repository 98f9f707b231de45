"""A client's HTTP connection within TLS.

It differs from a plain one at its end: TLS as Python speaks it has no half-closed connections, so what would end
one side ends both once all is sent.
"""

from __future__ import annotations

import asyncio

from mesh.handover import CountedHTTP, Handover
from mesh.proxy import Proxy


class SecureHTTP(CountedHTTP):
    __slots__ = ("established",)

    def __init__(self, proxy: Proxy, handover: Handover) -> None:
        super().__init__(proxy, handover)
        self.established = False
        """The handshake is done; from then on the connection leaves the gate by itself."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self.established = True
        super().connection_made(transport)

    def write_eof(self) -> None:
        self._close()

    def eof_received(self) -> bool:
        super().eof_received()
        return False

    def _give_back(self, said: bytes) -> bool:
        return False
