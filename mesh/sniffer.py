"""The sniffer: looks at the first bytes of a connection whose port does not say what it speaks.

It only peeks: the bytes stay in the kernel, and whoever gets the connection reads them as if nobody had looked.
A client that says nothing for a while may wait for the server to speak first, so it is relayed as TCP
(`mesh.unspoken`), unless the port is known to need HTTP.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from select import EPOLLRDHUP
from socket import MSG_PEEK, SocketType
from typing import Final

from mesh.connector import close_with_reset, peer_address
from mesh.detect import ENOUGH, detect
from mesh.gate import turn_away, way
from mesh.handover import Handover, count
from mesh.peeking import Peeking
from mesh.proxy import Proxy
from mesh.reasons import DENIED, REQUEST_TIMEOUT
from mesh.records import Way, refuse_head
from mesh.switchboard import Switchboard
from mesh.table import Listener
from mesh.tcp import Relay
from mesh.unspoken import Unspoken

PATIENCE: Final = 0.1
"""Seconds in which a client may say something."""

log = logging.getLogger(__name__)


class Sniffer(Peeking):
    __slots__ = ("_handover",)

    def __init__(
        self, proxy: Proxy, board: Switchboard, listener: Listener, line: SocketType, handover: Handover
    ) -> None:
        super().__init__(proxy, board, listener, line, handover.gate)
        self._handover = handover

    def start(self) -> None:
        self._watch(PATIENCE)

    def on_event(self, fd: int, events: int) -> None:
        self._look(over=bool(events & EPOLLRDHUP))

    def on_deadline(self, now: float) -> None:
        self._look(over=True)  # a loop that was held up may not have told yet of what came in time

    def _look(self, *, over: bool) -> None:
        """Decide by what has come; `over`: no more is waited for."""
        try:
            prefix = self._line.recv(ENOUGH, MSG_PEEK)
        except BlockingIOError:
            prefix = b""
        except OSError:
            self.abort()
            return
        verdict = detect(prefix) if prefix else "more"
        if verdict != "more":
            self._decide(verdict)
        elif over:
            self._conclude(silent=not prefix)

    def _conclude(self, silent: bool) -> None:
        """It cannot be told by what has come."""
        if not self._listener.http_required:
            self._decide("silent" if silent else "tcp")
        elif silent:
            self._count("silent")
            self._time_out()
        else:
            self._decide("http")

    def abort(self) -> None:
        """End now, visibly."""
        self._leave()
        close_with_reset(self._line)
        self._gate.left()

    def _decide(self, protocol: str) -> None:
        self._count(protocol)
        self._leave()
        listener = self._listener
        if protocol == "http" or (listener.http_required and listener.route.filters is not None):
            self._handover.serve(self._line)  # where all else is refused, for nobody is to get around the filters
            return
        backend = way(listener.route, self._line)
        if backend is None:
            turn_away(self._proxy, self._gate, self._line, listener, DENIED)
        elif protocol == "silent":
            Unspoken(self._proxy, self._board, backend, self._line, self._handover).start()
        else:
            Relay(self._proxy, self._board, backend, self._line, self._gate).start()

    def _time_out(self) -> None:
        self._leave()
        backend = self._listener.route.backend
        came = Way("http", self._gate.key, peer_address(self._line), backend.key, self._proxy)
        message = refuse_head(came, backend, REQUEST_TIMEOUT)
        with suppress(OSError):  # the client is gone
            self._line.send(message)
        self._line.close()
        self._gate.left()

    def _leave(self) -> None:
        self._forget()
        self._board.forget(self._fd)

    def _count(self, protocol: str) -> None:
        backend = self._listener.route.backend
        count(backend, protocol)
        if not self._gate.advised:
            self._gate.advised = True
            log.info(
                "port %s of Service %s/%s does not say what it speaks, so every connection is judged by its first "
                "bytes (this one: %s) or as TCP after %d ms of silence; set the port's appProtocol to http or tcp",
                backend.key.port, backend.key.namespace, backend.key.service, protocol, PATIENCE * 1000,
            )  # fmt: skip
