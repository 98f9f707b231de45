"""TLS to an endpoint, as the connection to it needs it: a context, a name, and a handshake that can be awaited."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from config.filters import ReencryptPolicy
from config.resources.core import ConfigMap, Secret
from mesh.reasons import ENDPOINT_TLS, ENDPOINT_UNTRUSTED, UNREACHABLE, Reason
from mesh.tls.stream import TLSStream


@dataclass(frozen=True, slots=True, eq=False)
class Reencryption:
    policy: ReencryptPolicy
    signer: Secret | ConfigMap | None = field(repr=False)
    """Which holds the authorities."""
    context: ssl.SSLContext = field(repr=False)
    server_name: str
    """Asked for by SNI, and what the endpoint's certificate must be good for."""
    problem: str = ""
    """What is wrong with `signer`."""


class _Shaking:
    """Tells who awaits `done` how the handshake went."""

    __slots__ = ("done", "stream")

    stream: TLSStream

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()

    def stirred(self) -> None:
        self.stream.shake()

    def shaken(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionResetError("the endpoint closed in the midst of the handshake"))


async def connect(
    loop: asyncio.AbstractEventLoop, app: asyncio.Protocol, host: str, port: int, tls: Reencryption
) -> None:
    """Connect, and have `app` told of the connection once hands are shaken.  Raises OSError."""
    shaking = _Shaking(loop)
    stream = shaking.stream = TLSStream(app, tls.context, shaking, tls.server_name)
    transport, _ = await loop.create_connection(lambda: stream, host, port)
    try:
        await shaking.done
    except BaseException:
        transport.abort()
        raise


def reason_of(error: OSError) -> Reason:
    """Why an endpoint could not be connected to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ENDPOINT_UNTRUSTED
    return ENDPOINT_TLS if isinstance(error, ssl.SSLError) else UNREACHABLE
