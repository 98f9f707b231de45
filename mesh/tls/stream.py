"""TLS between a transport of the loop and a protocol that need not know: bytes in, bytes out, OpenSSL in between.

To the protocol within it is a transport, to the transport without a protocol.  OpenSSL works in memory and is asked
only when there is something for it: an error that says "nothing yet" costs as much as a short request, and asyncio
provokes one after every read.  Unlike asyncio's, its ends can be half-closed (RFC 8446 section 6.1), a handshake
that fails says why with an alert, and a stream that ends without close_notify is broken, not finished.

A stream lets go of OpenSSL's part, some 16 KiB, as soon as its connection is lost: who is within may live on until
the garbage collector finds it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

CHUNK: Final = 16 * 1024
"""What a record holds at most."""
AHEAD: Final = 64 * 1024
"""Bytes that may come before a handshake is done."""
PART: Final = 2 * CHUNK
"""Bytes that OpenSSL is given at once: its memory grows with them, and never shrinks while the stream lives."""

SHAKING, OPEN, CLOSED = range(3)
_NOBODY: Final = asyncio.Protocol()


class Shaking(Protocol):
    """Who minds the handshake of a stream."""

    def stirred(self) -> None:
        """There is something for `TLSStream.shake` to do."""

    def shaken(self) -> None:
        """The handshake is done; the protocol within is told next."""

    def failed(self, error: Exception | None) -> None:
        """There will be no handshake: a `ssl.SSLError`, or whatever ended the connection."""


class TLSStream(asyncio.Protocol, asyncio.Transport):
    __slots__ = (
        "_app", "_cut", "_decrypt", "_encrypt", "_encrypted", "_feed", "_half_open", "_held", "_incoming", "_mute",
        "_outgoing", "_phase", "_raw", "_raw_write", "_shaking", "_tls",
    )  # fmt: skip

    _raw: asyncio.Transport
    _raw_write: Callable[[bytes], object]

    def __init__(self, app: asyncio.Protocol, context: ssl.SSLContext, shaking: Shaking, server_name: str = "") -> None:
        """`server_name`: whose client this is; empty: it is the server."""
        self._app = app
        self._shaking = shaking
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=not server_name, server_hostname=server_name or None
        )
        # Without the methods of the standard library around them, which cost as much again.
        bare = self._tls._sslobj  # type: ignore[attr-defined]
        self._decrypt, self._encrypt = bare.read, bare.write
        self._feed, self._encrypted = self._incoming.write, self._outgoing.read
        self._phase = SHAKING
        self._cut = False
        """OpenSSL has the beginning of a record, whose rest is to come."""
        self._held = False
        """The protocol within does not want to read."""
        self._mute = False
        """It was said that nothing more is sent."""
        self._half_open = False
        """The other end sends no more, and may be sent to."""

    # -- what the transport without tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as all stream loops call it
        self._raw = transport
        self._raw_write = transport.write
        if not self._tls.server_side:
            self.shake()

    def data_received(self, data: bytes) -> None:
        size = len(data)
        if size > PART:
            whole = memoryview(data)
            for start in range(0, size, PART):
                self.data_received(whole[start : start + PART])  # type: ignore[arg-type]  # as good to OpenSSL
        elif self._phase == OPEN:
            self._feed(data)
            self._read(CHUNK if self._cut else size)
        elif self._phase == SHAKING:
            self._feed(data)
            if self._incoming.pending > AHEAD:
                self._fail(ssl.SSLError(1, "too much before the handshake is done"))
            else:
                self._shaking.stirred()

    def eof_received(self) -> bool:
        return self._half_open

    def connection_lost(self, exc: Exception | None) -> None:
        phase, ended_well = self._phase, self._half_open or self._mute
        if phase != CLOSED:
            self._end()
        if phase == SHAKING:
            self._shaking.failed(exc)
        elif phase == OPEN:
            app, self._app = self._app, _NOBODY  # each holds the other: the collector need not find that out
            app.connection_lost(exc or (None if ended_well else ssl.SSLEOFError(8, "TLS was cut off")))

    def pause_writing(self) -> None:
        if self._phase == OPEN:
            self._app.pause_writing()

    def resume_writing(self) -> None:
        if self._phase == OPEN:
            self._app.resume_writing()

    # -- the handshake

    def shake(self) -> None:
        """Go on with the handshake as far as it goes."""
        if self._phase != SHAKING:
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        self._phase = OPEN
        self._shaking.shaken()
        self._app.connection_made(self)
        if self._incoming.pending:
            self._read(CHUNK)

    def _fail(self, error: ssl.SSLError) -> None:
        self._flush()  # the alert
        self._end()
        self._raw.close()
        self._shaking.failed(error)

    def _end(self) -> None:
        """Let go of what is OpenSSL's."""
        self._phase, self._mute = CLOSED, True
        del self._tls, self._decrypt, self._encrypt, self._feed, self._encrypted, self._incoming, self._outgoing

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw_write(self._encrypted())

    # -- reading

    def _read(self, size: int) -> None:
        """Hand on all that can be read, unless the protocol within has enough; `size` bytes of it first."""
        incoming, app = self._incoming, self._app
        self._cut = False
        try:
            while not self._held and self._phase == OPEN:
                data = self._decrypt(size)
                if not data:
                    self._finished()
                    break
                app.data_received(data)
                if len(data) < size and not incoming.pending:
                    break
                size = CHUNK
        except ssl.SSLWantReadError:
            self._cut = True
        except ssl.SSLZeroReturnError:  # said so in this way where this end has said its own goodbye
            self._finished()
        except ssl.SSLError:
            self._flush()
            self._raw.abort()
        if self._outgoing.pending:
            self._flush()

    def _finished(self) -> None:
        """The other end has said that it sends no more."""
        if not self._half_open:
            self._half_open = True
            if not self._app.eof_received():
                self._half_open = False
                self.close()

    def pause_reading(self) -> None:
        self._held = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._held = False
        self._raw.resume_reading()
        if self._phase == OPEN and (self._incoming.pending or self._tls.pending()):
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._phase == OPEN:
            self._read(CHUNK)

    # -- writing

    def write(self, data: bytes) -> None:  # type: ignore[override]  # nobody here has anything but bytes
        if self._mute or not data:
            return
        sent = self._encrypt(data)
        self._raw_write(self._encrypted())
        if sent < len(data):  # record by record: OpenSSL's memory would grow, and never shrink
            rest = memoryview(data)
            while sent < len(data):
                sent += self._encrypt(rest[sent:])
                self._raw_write(self._encrypted())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._say_goodbye()
        if not self._raw.is_closing():
            self._raw.write_eof()

    def _say_goodbye(self) -> None:
        """Send close_notify."""
        if not self._mute and self._phase == OPEN:
            self._mute = True
            with suppress(ssl.SSLError):  # the other end has not said it yet, or says something else first
                self._tls.unwrap()
            self._flush()

    # -- ending

    def close(self) -> None:
        self._say_goodbye()
        self._raw.close()

    def abort(self) -> None:
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    # -- the rest of a transport

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name in ("ssl_object", "sslcontext") and self._phase != CLOSED:
            return self._tls if name == "ssl_object" else self._tls.context
        return self._raw.get_extra_info(name, default)
