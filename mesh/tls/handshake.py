"""Handshakes: those of one listener that are in progress, from a client's first byte to an established connection.

The ClientHello is read first, and the name in it leads on: to a certificate, which OpenSSL then shakes hands with,
or to a Backend, which is relayed to.  A client has `PATIENCE` seconds for all of it.  So many may be under way at
once; one more, and the one that has taken longest gives way, so that slow clients are each other's trouble and not
that of honest ones, who are done in milliseconds.  OpenSSL is at work for a slice of time in each turn of the loop,
since a handshake takes as long as many requests.  What fails is counted by its reason; any client can make it
happen, so it is logged nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from time import perf_counter
from typing import Final

from mesh.detect import detect
from mesh.gate import turn_away, way
from mesh.handover import CountedHTTP, Handover, IntroducedHTTP, count
from mesh.http1.answer import answer
from mesh.peer import Ends, Introduced
from mesh.proxy import Proxy
from mesh.reasons import DENIED, Reason
from mesh.tls.hello import Hello, NoHello, alert, read_hello
from mesh.tls.names import Certificate, Passage
from mesh.tls.stream import TLSStream

PATIENCE: Final = 10.0
MOST: Final = 1024
FAREWELL: Final = 1.0
"""Seconds in which handshakes may end when their listener closes."""
SLICE: Final = 0.002
"""Seconds of handshakes before the loop has its turn."""
DECODE_ERROR, UNRECOGNIZED_NAME = 50, 112
"""Alerts (RFC 8446 section 6.2)."""

TIMED_OUT: Final = Reason(408, "tls_handshake_timeout", "the TLS handshake took too long")
CROWDED_OUT: Final = Reason(503, "tls_handshakes_exceeded", "too many TLS handshakes at once, and this one was slow")
NOT_SERVED: Final = Reason(503, "tls_listener_closed", "the listener closed in the midst of the TLS handshake")
CLIENT_ENDED: Final = Reason(400, "tls_client_closed", "the client closed in the midst of the TLS handshake")
NOT_TLS: Final = Reason(400, "tls_not_spoken", "this port speaks TLS: use https")
NO_HELLO: Final = Reason(400, "tls_protocol_error", "the client's TLS handshake is malformed")
NAME_UNKNOWN: Final = Reason(421, "tls_name_unknown", "no certificate for the name that the client asked for")
NO_COMMON_GROUND: Final = Reason(400, "tls_no_common_ground", "no TLS version, cipher or group in common")
ALERTED: Final = Reason(400, "tls_alert_received", "the client broke the TLS handshake off")

_REASONS: Final = {
    "UNSUPPORTED_PROTOCOL": NO_COMMON_GROUND,
    "NO_SHARED_CIPHER": NO_COMMON_GROUND,
    "NO_SHARED_SIGNATURE_ALGORITHMS": NO_COMMON_GROUND,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": NO_COMMON_GROUND,
    "NO_SUITABLE_KEY_SHARE": NO_COMMON_GROUND,
    "NO_SUITABLE_GROUPS": NO_COMMON_GROUND,
}


def reason_of(error: Exception | None) -> Reason:
    """Why a handshake failed; `error` is what ended it."""
    if not isinstance(error, ssl.SSLError):
        return CLIENT_ENDED
    words = error.reason or ""
    return ALERTED if "ALERT" in words else _REASONS.get(words, NO_HELLO)


class SecureHTTP(CountedHTTP):
    """A client's HTTP connection within TLS, which speaks nothing else."""

    __slots__ = ()

    def _give_back(self, said: bytes) -> bool:
        return False


class IntroducedSecureHTTP(SecureHTTP, IntroducedHTTP):
    """The same where a trusted proxy has said for whom it speaks."""

    __slots__ = ()


class Handshakes:
    """Of one listener."""

    __slots__ = ("_emptied", "_most", "_pending", "_proxy", "_turns", "handover")

    def __init__(self, proxy: Proxy, handover: Handover, most: int = MOST) -> None:
        self._proxy = proxy
        self.handover = handover
        self._most = most
        self._pending: dict[Handshake, None] = {}
        self._turns: deque[Handshake] = deque()
        self._emptied: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def protocol(self, ends: Ends | None = None) -> Handshake:
        """For a connection that has entered the gate; `ends` are those of the one that it stands for."""
        return Handshake(self._proxy, self, ends)

    def begun(self, pending: Handshake) -> None:
        if len(self._pending) >= self._most:
            next(iter(self._pending)).give_up(CROWDED_OUT)
        self._pending[pending] = None

    def over(self, pending: Handshake) -> None:
        self._pending.pop(pending, None)
        if self._emptied is not None and not self._pending and not self._emptied.done():
            self._emptied.set_result(None)

    def queue(self, pending: Handshake) -> None:
        """Let it have its turn."""
        if not self._turns:
            self._proxy.loop.call_soon(self._take_turns)
        self._turns.append(pending)

    def _take_turns(self) -> None:
        began = perf_counter()
        while self._turns:
            self._turns.popleft().proceed()
            if self._turns and perf_counter() - began > SLICE:
                self._proxy.loop.call_soon(self._take_turns)
                return

    def lead(self, hello: Hello) -> ssl.SSLContext | Passage | None:
        """What the name in `hello` leads to, by the table in force."""
        listener = self._proxy.table.listeners.get(self.handover.gate.key)
        target = listener.tls.match(hello.server_name) if listener is not None and listener.tls else None
        return target.context if isinstance(target, Certificate) else target

    def failed(self, reason: Reason) -> None:
        listener = self._proxy.table.listeners.get(self.handover.gate.key)
        if listener is not None:
            listener.route.backend.failed(reason)

    def established(self, tls: ssl.SSLObject) -> None:
        listener = self._proxy.table.listeners.get(self.handover.gate.key)
        if listener is not None:
            counts = listener.route.backend.stats.handshakes
            kind = f"{tls.version()} {'resumed' if tls.session_reused else 'full'}"
            counts[kind] = counts.get(kind, 0) + 1

    async def close(self) -> None:
        """Let those end that are about to; end the others."""
        if self._pending:
            self._emptied = self._proxy.loop.create_future()
            await asyncio.wait([self._emptied], timeout=FAREWELL)
        for pending in tuple(self._pending):
            pending.give_up(NOT_SERVED)


class Handshake(asyncio.Protocol):
    """One of them: the protocol of the connection until the hello is read, then the one who minds its stream."""

    __slots__ = ("_ends", "_handshakes", "_proxy", "_queued", "_raw", "_said", "_stream", "deadline")

    _raw: asyncio.Transport

    def __init__(self, proxy: Proxy, handshakes: Handshakes, ends: Ends | None = None) -> None:
        self._ends = ends
        self._proxy = proxy
        self._handshakes = handshakes
        self._said = b""
        self._stream: TLSStream | None = None
        self._queued = False
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self._raw = transport
        self.deadline = self._proxy.deadlines.now + PATIENCE
        self._proxy.deadlines.expect(self)
        self._handshakes.begun(self)

    def data_received(self, data: bytes) -> None:
        self._said += data
        try:
            hello = read_hello(self._said)
        except NoHello:
            self._refuse()
            return
        if hello is not None:
            self._lead(self._handshakes.lead(hello))

    def eof_received(self) -> None:
        self.give_up(CLIENT_ENDED)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.deadline:
            self._handshakes.failed(CLIENT_ENDED)
            self._leave()
        self._handshakes.handover.gate.left()

    # -- after the hello

    def _lead(self, target: ssl.SSLContext | Passage | None) -> None:
        said, self._said = self._said, b""
        if target is None:
            self.give_up(NAME_UNKNOWN, alert(UNRECOGNIZED_NAME))
        elif isinstance(target, Passage):
            self._pass_on(target, said)
        else:
            app = self._secured()
            self._stream = stream = TLSStream(app, target, self)
            self._raw.set_protocol(stream)
            stream.connection_made(self._raw)
            stream.data_received(said)

    def _secured(self) -> SecureHTTP:
        proxy, handover, ends = self._proxy, self._handshakes.handover, self._ends
        return SecureHTTP(proxy, handover) if ends is None else IntroducedSecureHTTP(proxy, handover, ends)

    def _pass_on(self, passage: Passage, said: bytes) -> None:
        """Have it relayed as it is, from its first byte."""
        handover = self._handshakes.handover
        line = self._raw.get_extra_info("socket").dup()  # the transport closes its own
        self._leave()
        self._raw.abort()
        if self._ends is not None:
            line = Introduced(line, self._ends)
        backend = way(passage, line)
        if backend is None:
            handover.gate.entered()
            turn_away(self._proxy, handover.gate, line, self._proxy.table.listeners.get(handover.gate.key), DENIED)
        else:
            count(backend, "tls")
            handover.resume(line, backend, said)

    def _refuse(self) -> None:
        """Tell who speaks HTTP what is spoken here, in words that it understands, and others in TLS's."""
        if detect(self._said) == "http":
            self.give_up(NOT_TLS, answer(NOT_TLS, NOT_TLS.details, b"", head_only=False, close=True))
        elif self._said[:1] == b"\x16":
            self.give_up(NO_HELLO, alert(DECODE_ERROR))
        else:
            self.give_up(NOT_TLS)

    def stirred(self) -> None:
        if not self._queued:
            self._queued = True
            self._handshakes.queue(self)

    def proceed(self) -> None:
        """It is its turn."""
        self._queued = False
        if self._stream is not None:
            self._stream.shake()

    # -- the end

    def shaken(self) -> None:
        assert self._stream is not None
        self._handshakes.established(self._stream.get_extra_info("ssl_object"))
        self._leave()

    def failed(self, error: Exception | None) -> None:
        if self.deadline:
            self._handshakes.failed(reason_of(error))
            self._leave()
        self._handshakes.handover.gate.left()

    def on_deadline(self, now: float) -> None:
        self.give_up(TIMED_OUT)

    def give_up(self, reason: Reason, last_words: bytes = b"") -> None:
        """End it, with the connection; what the client has sent was read, so that it sees the last words."""
        self._handshakes.failed(reason)
        self._leave()
        if last_words:
            self._raw.write(last_words)
            self._raw.close()
        else:
            self._raw.abort()

    def _leave(self) -> None:
        self.deadline = 0.0
        self._stream = None
        self._proxy.deadlines.forget(self)
        self._handshakes.over(self)
