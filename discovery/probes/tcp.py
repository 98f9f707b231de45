"""tcpSocket: a port is fine when it accepts a connection.  Nothing is read, and nothing is sent but
what every connection there has to begin with.
"""

from __future__ import annotations

import asyncio

from discovery.health import Finding, Outcome
from discovery.probes.conversation import preceded


async def accepts(host: str, port: int, preface: bytes = b"") -> Finding:
    """Success once connected, and once `preface` was sent; raises OSError otherwise.  The caller bounds the time."""
    if preface:
        (await preceded(host, port, preface)).close()
        return Finding(Outcome.SUCCESS)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)
    transport.abort()
    return Finding(Outcome.SUCCESS)
