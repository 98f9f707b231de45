"""The greeting: a client's ClientHello, looked at where TLS is spoken, before anybody answers it.

As everywhere, it is only peeked at: whoever gets the connection, OpenSSL or an endpoint to which it is passed,
reads it as if nobody had looked.
"""

from __future__ import annotations

from select import EPOLLRDHUP
from socket import MSG_PEEK, SocketType

from mesh.backend import Backend
from mesh.detect import detect
from mesh.handover import Handover, count
from mesh.http1.answer import answer
from mesh.proxy import Proxy
from mesh.reasons import Reason
from mesh.sniffer import Sniffer
from mesh.switchboard import Switchboard
from mesh.table import Listener
from mesh.tcp import Relay
from mesh.tls_handshake import (
    CLIENT_ENDED,
    NAME_UNKNOWN,
    NO_HELLO,
    NOT_TLS,
    PATIENCE,
    TIMED_OUT,
    Handshakes,
    refuse,
)
from mesh.tls_hello import LARGEST, Hello, NoHello, alert, read_hello

DECODE_ERROR, UNRECOGNIZED_NAME = 50, 112
"""Alerts (RFC 8446 section 6.2)."""


class Greeting(Sniffer):
    __slots__ = ("_handshakes",)

    patience = PATIENCE

    def __init__(
        self,
        proxy: Proxy,
        board: Switchboard,
        listener: Listener,
        line: SocketType,
        handover: Handover,
        handshakes: Handshakes,
    ) -> None:
        super().__init__(proxy, board, listener, line, handover)
        self._handshakes = handshakes

    def start(self) -> None:
        self._handshakes.begun(self)
        super().start()

    def on_event(self, fd: int, events: int) -> None:
        try:
            said = self._line.recv(LARGEST, MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self.give_up(CLIENT_ENDED)
            return
        try:
            hello = read_hello(said)
        except NoHello:
            self._refuse(said)
        else:
            if hello is not None:
                self._lead(hello)
            elif events & EPOLLRDHUP:
                self.give_up(CLIENT_ENDED)

    def on_deadline(self, now: float) -> None:
        self.give_up(TIMED_OUT)

    def _lead(self, hello: Hello) -> None:
        """Have the connection go on where the name leads."""
        listener = self._proxy.table.listeners.get(self._gate.key, self._listener)
        target = listener.tls.match(hello.server_name) if listener.tls else None
        if target is None:
            self.give_up(NAME_UNKNOWN, alert(UNRECOGNIZED_NAME))
            return
        left = self.deadline - self._proxy.deadlines.now
        self._leave()
        if isinstance(target, Backend):
            count(target, "tls")
            Relay(self._proxy, self._board, target, self._line, self._gate).start()
        else:
            self._handshakes.shake(self._line, target.context, left)

    def _refuse(self, said: bytes) -> None:
        """Tell who speaks HTTP what is spoken here, in words that it understands, and others in TLS's."""
        if detect(said) == "http":
            self.give_up(NOT_TLS, answer(NOT_TLS, NOT_TLS.details, b"", head_only=False, close=True))
        elif said[:1] == b"\x16":
            self.give_up(NO_HELLO, alert(DECODE_ERROR))
        else:
            self.give_up(NOT_TLS)

    def give_up(self, reason: Reason, last_words: bytes = b"") -> None:
        self._handshakes.count(reason)
        self._leave()
        refuse(self._line, last_words)
        self._gate.left()

    def _leave(self) -> None:
        self._handshakes.over(self)
        super()._leave()
