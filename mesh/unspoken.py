"""A connection on which neither side has said anything: relayed as TCP, and still HTTP/1 if a client begins so.

Most who are silent at first are HTTP clients that connect before they have a request (browsers, pools of
connections), and few wait for a server to speak first.  So an endpoint is connected to, and whoever speaks first
decides.  A client that then begins HTTP/1 is served by the HTTP path, where the end of an endpoint costs no request
that can be sent again.  Everything else is relayed from its first byte.
"""

from __future__ import annotations

from select import EPOLLOUT
from socket import MSG_PEEK, SocketType

from mesh.backend import Backend, EndpointState
from mesh.detect import ENOUGH, detect
from mesh.dialling import CLIENT, CONNECTING, ENDPOINT, OPEN
from mesh.handover import Handover
from mesh.proxy import Proxy
from mesh.switchboard import Switchboard
from mesh.tcp import LOOK, Relay


class Unspoken(Relay):
    """A relay that is not joined before somebody speaks."""

    __slots__ = ("_handover", "_spoken")

    def __init__(
        self, proxy: Proxy, board: Switchboard, backend: Backend, client: SocketType, handover: Handover
    ) -> None:
        super().__init__(proxy, board, backend, client, handover.gate)
        self._handover = handover
        self._spoken = False

    def _connected(self, state: EndpointState, events: int) -> None:
        super()._connected(state, EPOLLOUT)
        if self._phase == OPEN:
            for fd in self._fds:
                self._board.part(fd)
            self.on_event(self._fds[ENDPOINT], events)

    def on_event(self, fd: int, events: int) -> None:
        if self._spoken or self._phase != OPEN:
            super().on_event(fd, events)
        elif events & ~EPOLLOUT:
            self._stirred(fd, events)

    def _stirred(self, fd: int, events: int) -> None:
        """One side has spoken, or is gone."""
        endpoint_gone = fd == self._fds[ENDPOINT] and not self._said(ENDPOINT)
        said = self._said(CLIENT)
        if said and detect(said) == "http" and (endpoint_gone or fd == self._fds[CLIENT]):
            self._serve()
        elif endpoint_gone and self._elsewhere():
            self._move()
        else:
            self._spoken = True
            client, endpoint = self._fds
            self._board.join(client, endpoint)
            self._board.join(endpoint, client)
            super().on_event(fd, events)

    def _said(self, side: int) -> bytes:
        """How `side` begins, which stays unread; empty: it is silent, or gone."""
        try:
            return self._lines[side].recv(ENOUGH, MSG_PEEK)
        except OSError:
            return b""

    def _serve(self) -> None:
        """Let the HTTP path have the client; it has not left the gate."""
        line, fd = self._lines[CLIENT], self._fds[CLIENT]
        self._let_endpoint_go()
        self._board.forget(fd)
        self._leave()
        self._gate.entered()
        self._handover.serve(line)

    def _elsewhere(self) -> bool:
        """Whether there is an endpoint that has not hung up on this client, those of long ago aside."""
        if self._proxy.deadlines.now - self._quiet_since >= LOOK:
            self._tried = ()
        assert self._state is not None
        self._tried += (self._state,)
        return any(state not in self._tried for state in self._backend.eligible)

    def _move(self) -> None:
        """As nothing was said, another endpoint will do."""
        self._let_endpoint_go()
        self._board.forget(self._fds[CLIENT])
        self._phase = CONNECTING
        self._connect(self._backend.vacancy)

    def _let_endpoint_go(self) -> None:
        state = self._state
        assert state is not None
        state.connections.discard(self)
        self._hang_up_endpoint(state)
