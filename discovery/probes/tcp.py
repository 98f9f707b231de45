"""tcpSocket: a port is fine when it accepts a connection.  Nothing is sent, nothing is read."""

from __future__ import annotations

import asyncio

from discovery.health import Finding, Outcome


async def accepts(host: str, port: int) -> Finding:
    """Success once connected; raises OSError otherwise.  The caller bounds the time."""
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    transport.abort()
    return Finding(Outcome.SUCCESS)
