"""Introductions: a trusted proxy says in a PROXY header for whom it speaks, before the first byte of its client.

Nothing is read but the header: what comes is peeked at until the header is whole, then exactly that is taken, so
whoever gets the connection finds the client's bytes in the kernel as if there had been no header.  A connection that
closes without a byte is a proxy that looks whether somebody is here, and no error.
"""

from __future__ import annotations

from collections.abc import Callable
from select import EPOLLERR, EPOLLRDHUP
from socket import MSG_PEEK, SocketType
from typing import Final

from mesh.connector import reset_on_close
from mesh.gate import Gate, turn_away
from mesh.peeking import Peeking
from mesh.peer import Ends, Introduced, plain
from mesh.proxy import Proxy
from mesh.proxy_protocol import MOST_V2, Conveyed, NoHeader, read_header
from mesh.reasons import NOT_INTRODUCED
from mesh.switchboard import Switchboard
from mesh.table import Listener

PATIENCE: Final = 5.0
"""Seconds in which the header must have come."""

GoOn = Callable[[SocketType, Listener], None]


class Introduction(Peeking):
    __slots__ = ("_go_on",)

    def __init__(
        self, proxy: Proxy, board: Switchboard, listener: Listener, line: SocketType, *, gate: Gate, go_on: GoOn
    ) -> None:
        """`go_on` is given the connection once the header is read; it is `Introduced` if that names a client."""
        super().__init__(proxy, board, listener, line, gate)
        self._go_on = go_on

    def start(self) -> None:
        self._watch(PATIENCE)

    def on_event(self, fd: int, events: int) -> None:
        try:
            data = self._line.recv(MOST_V2, MSG_PEEK)
        except BlockingIOError:
            data = b""
            if not events & EPOLLERR:
                return
        except OSError:  # the proxy has gone
            data = b""
        if not data:
            self._end()
            return
        try:
            said = read_header(data)
        except NoHeader as fault:
            self._refuse(str(fault))
            return
        if said is not None:
            self._take(said)
        elif events & EPOLLRDHUP:
            self._refuse("the connection ended in the midst of the PROXY header")

    def on_deadline(self, now: float) -> None:
        self._refuse(f"no PROXY header in {PATIENCE:.0f} s")

    def abort(self) -> None:
        """End now, visibly."""
        reset_on_close(self._line)
        self._end()

    def _take(self, said: Conveyed) -> None:
        """The header is whole; where it names nobody, the proxy speaks for itself."""
        self._line.recv(said.end)
        self._forget()
        self._board.forget(self._fd)
        line = self._line
        if said.source is not None and said.destination is not None:
            client, dialled = ((plain(address), port) for address, port in (said.source, said.destination))
            line = Introduced(line, Ends(client, dialled))
        self._go_on(line, self._listener)

    def _refuse(self, why: str) -> None:
        try:
            address = self._line.getpeername()[0]
        except OSError:
            address = "a proxy that is gone"
        self._listener.route.backend.failed(NOT_INTRODUCED, f"{self._gate.key}: {address}: {why}")
        self._forget()
        self._board.forget(self._fd)
        turn_away(self._proxy, self._gate, self._line, self._listener, NOT_INTRODUCED)

    def _end(self) -> None:
        self._forget()
        self._board.hang_up(self._fd, self._line)
        self._gate.left()
