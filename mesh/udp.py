"""UDP: datagrams of a client go to one endpoint, and what it answers goes back, for as long as either speaks.

There is no connection (RFC 768), so the first datagram of an address begins a *session*: a socket of its own,
connected to an endpoint that may be picked, which is how answers find their client and how the system tells that
nobody listens there (ICMP).  A session ends after `IDLE` seconds of silence.  It never outlives its endpoint: when
that goes, the next datagram begins a new one elsewhere, while an answer that is under way still has a moment.
A refused session moves at once, with the datagram that was refused if it was the first.  Nothing is held for a Service
that sleeps at zero: the first datagrams wake it and are lost, as datagrams may be, and those sent again arrive.

Kubernetes leaves this to connection tracking, whose entries stay when endpoints go; here they cannot.  There is no
recvmmsg(2) in the standard library: many are read in a turn instead, into one buffer that is never copied.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from select import EPOLLIN

from mesh.gate import Gate, refusal
from mesh.proxy import Proxy
from mesh.reasons import TOO_MANY_SESSIONS
from mesh.session import BURST, IDLE, LINGER, Client, Session, buffer, view
from mesh.switchboard import Switchboard

__all__ = ["IDLE", "LINGER", "DatagramAcceptor", "Session"]


class DatagramAcceptor:
    """Takes the datagrams of one listening socket, which it does not own, and keeps the sessions of its clients."""

    def __init__(self, proxy: Proxy, board: Switchboard, listening: socket.socket, gate: Gate) -> None:
        self.proxy = proxy
        self.board = board
        self.gate = gate
        self._listening = listening
        self._fd = listening.fileno()
        self._own: socket.socket | None = None
        """Instead of the listening socket, once that is to be closed and answers are under way."""
        self.reply: Callable[[memoryview, Client], int] = listening.sendto
        self.sessions: dict[Client, Session] = {}
        """Those that a datagram of their client goes to."""
        self.unanswered: dict[Client, Session] = {}
        """Those of them that no endpoint has answered in yet, the oldest first."""
        self.lingering: set[Session] = set()
        self.accepting = False

    async def resume(self) -> None:
        self.accept()

    def accept(self) -> None:
        """As `resume`, at once."""
        if not self.accepting:
            self.accepting = True
            self.board.watch(self._fd, self, EPOLLIN)

    def pause(self) -> None:
        if self.accepting:
            self.accepting = False
            self.board.forget(self._fd)

    def empty(self) -> None:
        self.on_event(self._fd, EPOLLIN)

    async def close(self) -> None:
        self.finish()

    def finish(self) -> None:
        """Take no more; what was asked may still be answered."""
        self.pause()
        for session in tuple(self.sessions.values()):
            session.retire()
        if self.lingering and self._own is None:
            self._own = self._listening.dup()
            self.reply = self._own.sendto

    def on_event(self, fd: int, events: int) -> None:
        """Datagrams have come: hand each on to the endpoint of its client."""
        sessions, receive = self.sessions, self._listening.recvfrom_into
        deadline = self.proxy.deadlines.now + IDLE
        for _ in range(BURST):
            try:
                size, client = receive(buffer)
            except BlockingIOError:
                return
            session = sessions.get(client)
            if session is not None:
                session.ask(view[:size], deadline)
            else:
                self._begin(client, bytes(view[:size]))

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError("datagrams are not handed on unasked")

    def _begin(self, client: Client, data: bytes) -> None:
        """The first datagram of a client."""
        listener = self.proxy.table.listeners.get(self.gate.key)
        if listener is None:
            return
        backend = listener.route.backend
        refused = refusal(listener, client[0])
        if refused is not None:
            backend.failed(refused)
        elif self.gate.room <= 0 and not self._made_room():
            backend.failed(TOO_MANY_SESSIONS)
        else:
            Session(self, backend, client).begin(data)

    def _made_room(self) -> bool:
        """Give up the session that has waited longest for its first answer: addresses are easily forged."""
        for session in self.unanswered.values():
            session.give_way()
            return True
        return False

    def left(self) -> None:
        """A session is over."""
        self.gate.left()
        if self._own is not None and not self.lingering:
            self._own.close()
