"""Handshakes: those of one listener that are in progress, from a client's first byte to an established connection.

A client has `PATIENCE` seconds for all of it.  So many may be under way at once; one more, and the one that has
taken longest gives way, so that slow clients are each other's trouble and not that of honest ones, who are done
in milliseconds.  What fails is counted by its reason, and logged at no place: any client can make it happen.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from socket import SocketType
from typing import Final, Protocol

from mesh.connector import close_with_reset
from mesh.downstream import LINGER
from mesh.handover import Handover
from mesh.proxy import Proxy
from mesh.reasons import Reason
from mesh.tls_downstream import SecureHTTP

PATIENCE: Final = 10.0
MOST: Final = 1024
FAREWELL: Final = 1.0
"""Seconds in which handshakes may end when their listener closes."""

TIMED_OUT: Final = Reason(408, "tls_handshake_timeout", "the TLS handshake took too long")
CROWDED_OUT: Final = Reason(503, "tls_handshakes_exceeded", "too many TLS handshakes at once, and this one was slow")
CLIENT_ENDED: Final = Reason(400, "tls_client_closed", "the client closed in the midst of the TLS handshake")
NOT_TLS: Final = Reason(400, "tls_not_spoken", "this port speaks TLS: use https")
NO_HELLO: Final = Reason(400, "tls_protocol_error", "the client's TLS handshake is malformed")
NAME_UNKNOWN: Final = Reason(421, "tls_name_unknown", "no certificate for the name that the client asked for")
NO_COMMON_GROUND: Final = Reason(400, "tls_no_common_ground", "no TLS version, cipher or group in common with the client")
ALERTED: Final = Reason(400, "tls_alert_received", "the client broke the TLS handshake off, as when it does not trust us")

_REASONS: Final = {
    "UNSUPPORTED_PROTOCOL": NO_COMMON_GROUND,
    "NO_SHARED_CIPHER": NO_COMMON_GROUND,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": NO_COMMON_GROUND,
    "NO_SUITABLE_KEY_SHARE": NO_COMMON_GROUND,
    "NO_SUITABLE_GROUPS": NO_COMMON_GROUND,
    "UNEXPECTED_EOF_WHILE_READING": CLIENT_ENDED,
}


class Pending(Protocol):
    """A handshake, in whichever of its stages."""

    def give_up(self, reason: Reason) -> None:
        """End it and the connection; it counts `reason`."""


class Handshakes:
    """Of one listener; owns those that OpenSSL is at."""

    __slots__ = ("_handover", "_most", "_pending", "_proxy")

    def __init__(self, proxy: Proxy, handover: Handover, most: int = MOST) -> None:
        self._proxy = proxy
        self._handover = handover
        self._most = most
        self._pending: dict[Pending, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def begun(self, pending: Pending) -> None:
        if len(self._pending) >= self._most:
            next(iter(self._pending)).give_up(CROWDED_OUT)
        self._pending[pending] = None

    def over(self, pending: Pending) -> None:
        self._pending.pop(pending, None)

    def shake(self, line: SocketType, context: ssl.SSLContext, seconds: float) -> None:
        """Shake hands on `line`, which has entered the gate, of which nothing was read, and nobody watches."""
        plain = socket.socket(line.family, line.type, line.proto, fileno=line.detach())
        self.begun(_Shaking(self._proxy, self._handover, self, plain, context, seconds))

    def count(self, reason: Reason) -> None:
        listener = self._proxy.table.listeners.get(self._handover.gate.key)
        if listener is not None:
            listener.route.backend.failed(reason)

    def established(self, tls: ssl.SSLObject) -> None:
        listener = self._proxy.table.listeners.get(self._handover.gate.key)
        if listener is not None:
            counts = listener.route.backend.stats.handshakes
            what = f"{tls.version()} {'resumed' if tls.session_reused else 'full'}"
            counts[what] = counts.get(what, 0) + 1

    async def close(self) -> None:
        """Let those end that are about to; end the others."""
        tasks = [pending.task for pending in self._pending if isinstance(pending, _Shaking)]
        if tasks:
            await asyncio.wait(tasks, timeout=FAREWELL)
        for pending in tuple(self._pending):
            pending.give_up(CROWDED_OUT)
        await asyncio.gather(*tasks, return_exceptions=True)


class _Shaking:
    """OpenSSL's part of a handshake."""

    __slots__ = ("_handover", "_handshakes", "_plain", "_proxy", "_reason", "task")

    def __init__(
        self,
        proxy: Proxy,
        handover: Handover,
        handshakes: Handshakes,
        plain: socket.socket,
        context: ssl.SSLContext,
        seconds: float,
    ) -> None:
        self._proxy = proxy
        self._handover = handover
        self._handshakes = handshakes
        self._plain = plain
        self._reason: Reason | None = None
        self.task = proxy.loop.create_task(self._shake(context, seconds))

    async def _shake(self, context: ssl.SSLContext, seconds: float) -> None:
        protocol = SecureHTTP(self._proxy, self._handover)
        try:
            transport, _ = await self._proxy.loop.connect_accepted_socket(
                lambda: protocol,
                self._plain,
                ssl=context,
                ssl_handshake_timeout=max(seconds, 0.1),
                ssl_shutdown_timeout=LINGER,
            )
        except (OSError, asyncio.CancelledError) as error:
            self._handshakes.count(self._reason or reason_of(error))
        else:
            self._handshakes.established(transport.get_extra_info("ssl_object"))
        finally:
            self._handshakes.over(self)
            if not protocol.established:
                self._plain.close()
                self._handover.gate.left()

    def give_up(self, reason: Reason) -> None:
        self._reason = reason
        self._handshakes.over(self)
        self.task.cancel()


def reason_of(error: BaseException) -> Reason:
    """Why a handshake failed, told from what the loop raised."""
    if isinstance(error, ssl.SSLError):
        words = error.reason or ""
        return ALERTED if "ALERT" in words else _REASONS.get(words, NO_HELLO)
    if isinstance(error, ConnectionAbortedError) and "longer than" in str(error):
        return TIMED_OUT
    return CLIENT_ENDED


def refuse(line: SocketType, last_words: bytes) -> None:
    """Close `line` after `last_words`; what the client has sent is not read, so without them it sees a reset."""
    if not last_words:
        close_with_reset(line)
        return
    try:
        line.send(last_words)
        line.recv(64 * 1024)  # unread bytes would make the kernel reset the connection, and the words be lost
    except OSError:
        pass  # the client is gone
    line.close()
