"""A client's connection: it reads request heads, one exchange at a time, and watches the clock.

What a pipelining client sends ahead waits here until the response before it is done.  An answer that ends
the connection is followed by a half-close and a short wait, so that the client can read it (RFC 9112
section 9.6).
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from mesh.connector import reset_on_close
from mesh.exchange import Exchange
from mesh.http1.errors import Malformed
from mesh.http1.grammar import MAX_HEAD, still_partial, stray_control
from mesh.http1.recurring import RequestReader
from mesh.http1.request import Plain, read_careful_request
from mesh.peer import Peer, peer_of
from mesh.plan import BackendPlan
from mesh.proxy import Proxy
from mesh.reasons import BAD_REQUEST, HEAD_TOO_LARGE, NOT_SERVED, REQUEST_TIMEOUT, Reason
from mesh.records import NOTHING, Way, refuse_head
from mesh.roles import Duplex
from mesh.table import ListenerKey
from mesh.upload import KEPT

NEVER: Final = float("inf")
LINGER: Final = 2.0
"""Seconds in which a client may read the last answer before its connection is closed."""
MAX_AHEAD: Final = MAX_HEAD
"""Bytes of further requests that are kept while one is in progress."""
BURST: Final = 16
"""Requests sent ahead that end at once before other connections have their turn."""

_EMPTY_LINES: Final = re.compile(rb"(?:\r\n)+").match
_NO_PLAN: Final = BackendPlan(NOTHING, ())

READY, BODY, RESPONSE, TUNNEL, LINGERING, CLOSED = range(6)
RELAYED: Final = frozenset({BODY, TUNNEL})


class HTTPDownstream(asyncio.Protocol):
    """`phase` says what the client's next bytes are: a request head, a body, what must wait, a tunnel's, or nothing."""

    __slots__ = (
        "_advancing", "_ahead", "_duplex", "_exchange", "_head_begun", "_proxy", "_read", "_stuck",
        "_transport", "_unsent", "deadline", "ended", "held", "key", "peer", "phase", "write",
    )  # fmt: skip

    peer: Peer
    _exchange: Exchange
    _duplex: Duplex
    _transport: asyncio.Transport

    def __init__(self, proxy: Proxy, key: ListenerKey) -> None:
        self._proxy = proxy
        self.key = key
        self._read = RequestReader().read
        self._ahead = b""
        """The beginning of a request, or requests that must wait."""
        self._head_begun = False
        """A part of a head has come, and its time is running."""
        self._advancing = False
        """`_next` is at work, further down the stack."""
        self.ended = False
        """The client sends no more."""
        self._stuck = False
        """Bytes wait to be sent, because the client does not read."""
        self._unsent = 0
        """Bytes that waited for a slow reader when that was last looked at."""
        self.held = False
        self.phase = READY
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self._transport = transport
        self.write = transport.write
        # A pause at once: what a slow reader costs is one read.  (TLS takes 0 for a buffer that is full when empty.)
        transport.set_write_buffer_limits(1)
        self.peer = peer_of(transport, self._proxy.trusted_proxies)
        self._duplex = self._exchange = Exchange(self._proxy, self)
        self._proxy.clients.add(self)
        self.deadline = self._proxy.deadlines.now + (self._plan().timeouts.idle or NEVER)
        self._proxy.deadlines.watch(self)

    def _plan(self) -> BackendPlan:
        listener = self._proxy.table.listeners.get(self.key)
        return listener.route.backend.plan if listener is not None else _NO_PLAN

    # -- read

    def data_received(self, data: bytes) -> None:
        if self.phase or self._ahead:
            if self.phase in RELAYED:
                self._duplex.request_data(data)
            else:
                self._receive_other(data)
            return
        request = self._read(data)
        if request is None:
            self._receive_carefully(data)
        elif request[2] + request[3] != len(data):
            self._receive_in_part(request, data)
        else:
            self.phase = RESPONSE
            if not self._exchange.begin(request, data):
                self._reject(NOT_SERVED, "", data)

    def _receive(self, data: bytes) -> bool:
        """Begin the exchange whose request is the first in `data`; False: none was begun."""
        request = self._read(data)
        return self._receive_carefully(data) if request is None else self._receive_in_part(request, data)

    def _receive_in_part(self, request: Plain, data: bytes) -> bool:
        """Begin with a plain request, of which `data` may be more or less than all."""
        end = request[2] + request[3]
        if end > len(data) or request[3] > KEPT:
            return self._receive_carefully(data)
        self.phase = RESPONSE
        data, self._ahead = data[:end], data[end:]
        return self._exchange.begin(request, data) or self._reject(NOT_SERVED, "", data)

    def _receive_carefully(self, data: bytes) -> bool:
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        if end == 3:
            self._wait_for_head(data)
            return False
        try:
            request = read_careful_request(data[:end], str(self.key).encode())
        except Malformed as fault:
            return self._refuse(data, fault)
        rest = data[end:]
        if request.length:
            self.phase = BODY
        else:
            self.phase = RESPONSE
            self._ahead, rest = rest, b""
        return self._exchange.begin_carefully(request, rest) or self._reject(NOT_SERVED, "", data)

    def _receive_other(self, data: bytes) -> None:
        if self.phase == RESPONSE:
            self._ahead += data
            if len(self._ahead) > MAX_AHEAD:
                self.hold()
        elif self.phase == READY:
            known = len(self._ahead)
            self._ahead += data
            if not (self._head_begun and still_partial(self._ahead, known)):
                self._next()

    def _wait_for_head(self, data: bytes) -> None:
        """Only a part of a head has come; what can already be seen to be none is refused."""
        if len(data) > MAX_HEAD:
            self._reject(HEAD_TOO_LARGE, "", data)
        elif stray_control(data):
            self._reject(BAD_REQUEST, "a control character or a bare line feed in the request head", data)
        else:
            self._ahead = data
            if not self._head_begun and data.lstrip(b"\r\n"):
                self._head_begun = True
                self.deadline = self._proxy.deadlines.now + (self._plan().timeouts.client_head or NEVER)

    def _refuse(self, data: bytes, fault: Malformed) -> bool:
        """Empty lines before a request are skipped (RFC 9112 section 2.2); nothing else is forgiven."""
        skipped = _EMPTY_LINES(data)
        if skipped is None:
            return self._reject(fault.reason, fault.details, data)
        data = data[skipped.end() :]
        return bool(data) and self._receive(data)

    def _next(self) -> None:
        """Begin with what waits, for as long as exchanges end at once.  It is a loop: they end by calling this."""
        if self._advancing:
            return
        self._advancing = True
        turns = BURST
        while turns and self._ahead and self.phase == READY:
            turns -= 1
            data, self._ahead = self._ahead, b""
            if not self._receive(data):
                break
            self._head_begun = False
        self._advancing = False
        if not turns and self._ahead and self.phase == READY:
            self.phase = RESPONSE
            self._proxy.loop.call_soon(self._go_on)
        elif self.ended and self.phase == READY:
            self._close()

    def _go_on(self) -> None:
        """Take up what waited for something else than an exchange."""
        if self.phase == RESPONSE and not self._exchange.running:
            self.phase = READY
            self._proceed()

    # -- what the exchange tells

    def request_read(self, rest: bytes) -> None:
        self.phase = RESPONSE
        self._ahead = rest

    def ready(self, deadline: float) -> None:
        self.phase = READY
        self.deadline = deadline
        if self._ahead or self._stuck or self.ended or self.held:
            self._proceed()

    def _proceed(self) -> None:
        """Go on after an exchange where more is to be done than to wait."""
        if self._stuck:
            self.phase = RESPONSE  # not before the client has read the last one
            return
        self.resume()
        self._next()

    def become(self, tunnel: Duplex) -> bytes:
        self.phase = TUNNEL
        self._duplex = tunnel
        early, self._ahead = self._ahead, b""
        self.resume()
        return early

    # -- pausing

    def hold(self) -> None:
        if not self.held and not self._transport.is_closing():
            self.held = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.held:
            self.held = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        self._stuck = True
        self._unsent = self._transport.get_write_buffer_size()
        self._duplex.hold_response()

    def resume_writing(self) -> None:
        self._stuck = False
        self._duplex.resume_response()
        if self.phase in (LINGERING, CLOSED):
            self.deadline = self._proxy.deadlines.now + LINGER
        self._go_on()

    # -- ending

    def _reject(self, reason: Reason, details: str = "", data: bytes = b"") -> bool:
        """Answer what never became an exchange, and end the connection: where its next request begins is unknown."""
        data, self._ahead = data or self._ahead, b""
        listener = self._proxy.table.listeners.get(self.key)
        backend = listener.route.backend if listener is not None else None
        way = Way("http", self.key, self.peer.address, NOTHING if backend is None else backend.key, self._proxy)
        self.write(refuse_head(way, backend, reason, details, data))
        self.close_gently()
        return False

    def close_gently(self) -> None:
        if self.ended or self._transport.is_closing() or not self._transport.can_write_eof():
            self._close()
            return
        self.phase = LINGERING
        self._ahead = b""
        self._transport.write_eof()
        self.resume()
        self.deadline = self._farewell()

    def cut(self, visibly: bool) -> None:
        if visibly:
            self._close()
        else:
            self.phase = CLOSED
            if not self._transport.is_closing():
                reset_on_close(self._transport.get_extra_info("socket"))
                self._transport.abort()

    def write_eof(self) -> None:
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def _close(self) -> None:
        """Close after what was written is sent."""
        self.phase = CLOSED
        self._ahead = b""
        self.deadline = self._farewell()
        self._transport.close()

    def _farewell(self) -> float:
        """Until when the client may take what was written: a slow reader has the time of a body that moves."""
        return self._proxy.deadlines.now + (self._reading_time() if self._stuck else LINGER)

    def _reading_time(self) -> float:
        """Seconds in which a slow reader must take something."""
        timeouts = self._plan().timeouts
        return (timeouts.tunnel_idle if self.phase == TUNNEL else timeouts.idle) or NEVER

    def _is_reading(self) -> bool:
        """Whether a slow reader took something since this was last asked, or since it became slow."""
        before, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        return self._unsent < before

    def let_go(self) -> None:
        """There is another table, and who waits need not keep the one before: with many routes it is large."""
        if self.phase == READY:
            self._exchange.let_go()

    def drain(self) -> None:
        """Close if no request is in progress; the answer to one that is will carry ``Connection: close``."""
        if self.phase == READY and not self._ahead:
            self._close()

    def give_up(self, reason: Reason) -> None:
        """End what is in progress, and say why."""
        if self.phase == TUNNEL or self._exchange.running:
            self._duplex.give_up(reason)
        elif self._ahead.strip(b"\r\n"):
            self._reject(reason)
        elif self.phase == READY:
            self._close()

    def eof_received(self) -> bool:
        """Clients may end their side and still wait for the answer."""
        self.ended = True
        if self.phase in (BODY, RESPONSE, TUNNEL):
            return self._duplex.client_half_closed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.deadline = 0.0
        self.phase = CLOSED
        self._proxy.clients.discard(self)
        self._duplex.abandon()
        del self._duplex, self._exchange  # each holds this: the collector need not find that out

    def on_deadline(self, now: float) -> None:
        self.deadline = now + LINGER  # until something else is said
        if self._stuck and self._is_reading():
            self.deadline = now + self._reading_time()
        elif self.phase in (LINGERING, CLOSED):
            self._transport.abort()
        elif self.phase != READY and (self.phase == TUNNEL or self._exchange.running):
            self._duplex.on_deadline()
        elif self._ahead.strip(b"\r\n"):
            self._reject(REQUEST_TIMEOUT)
        else:
            self._close()
