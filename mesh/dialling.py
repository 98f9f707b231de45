"""The beginning of a relayed TCP connection: an endpoint is picked and connected to, or another, or none.

Nothing was sent yet, so every failure may be tried elsewhere.  Where a policy sets limits, a client waits for
room; it is not read from meanwhile.
"""

from __future__ import annotations

import errno
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLOUT
from socket import SocketType
from typing import Final

from config.policies import RetryCondition
from mesh.backend import NO_ANSWER_DUE, Backend, EndpointState
from mesh.connector import dial, ours, outcome, peer_address, reset_on_close
from mesh.gate import Gate
from mesh.proxy import Proxy
from mesh.reasons import (
    CONNECTION_REFUSED,
    CONNECTION_TIMEOUT,
    NO_ENDPOINTS,
    OUT_OF_RESOURCES,
    UNREACHABLE,
    Reason,
)
from mesh.records import Way, flow, wanted
from mesh.retry import decide
from mesh.switchboard import Switchboard

NEVER: Final = float("inf")

CONNECTING, OPEN, CLOSED = range(3)
CLIENT, ENDPOINT = range(2)


class Dialling:
    """State that both halves share, of which this one is over with `_connected`.

    `_lines` and `_fds` are the client's socket and the endpoint's; `_address` is the client's, `_began` in the time of
    the proxy's clock.
    """

    __slots__ = (
        "_address", "_backend", "_began", "_board", "_fds", "_gate", "_lines", "_phase", "_proxy", "_state", "_tried",
        "_watched", "deadline",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, board: Switchboard, backend: Backend, client: SocketType, gate: Gate) -> None:
        self._proxy = proxy
        self._began = proxy.deadlines.now
        self._address = ""
        if proxy.access_log is not None:  # else a coarse time will do, and an address if it can still be had
            self._began = proxy.clock()
            self._address = peer_address(client)
        self._board = board
        self._backend = backend
        self._gate = gate
        self._state: EndpointState | None = None
        self._tried: tuple[EndpointState, ...] = ()
        self._phase = CONNECTING
        self._watched = False
        """It waits, and whether the client is still there is watched."""
        self._lines = [client]
        self._fds = (client.fileno(), -1)
        self.deadline = 0.0
        backend.stats.tcp_total += 1
        backend.stats.tcp_open += 1
        proxy.clients.add(self)

    # -- the other half

    def on_event(self, fd: int, events: int) -> None:
        raise AssertionError

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError

    def on_deadline(self, now: float) -> None:
        raise AssertionError

    def drain(self) -> None:
        raise AssertionError

    def _connected(self, state: EndpointState, events: int) -> None:
        """The endpoint is there; `events` is what else was heard of it."""
        raise AssertionError

    # -- pick

    def start(self) -> None:
        self._connect(self._backend.vacancy)
        if self.deadline:
            self._proxy.deadlines.expect(self)

    def _connect(self, otherwise: Reason) -> None:
        """Begin to connect to an endpoint that was not tried; if there is none, refuse the client."""
        state = self._pick()
        if state is None:
            self._wait_for_room(otherwise)
            return
        if state in self._tried:
            self._refuse(otherwise)
            return
        try:
            line = dial(state.host, state.port)
        except OSError as error:
            self._connect_failed(state, error)
            return
        state.in_flight += 1
        self._state = state
        fd = line.fileno()
        self._lines[ENDPOINT:] = [line]
        self._fds = (self._fds[CLIENT], fd)
        self.deadline = self._proxy.deadlines.now + (self._backend.plan.timeouts.connect or NEVER)
        self._board.watch(fd, self)

    def _pick(self) -> EndpointState | None:
        backend = self._backend
        if backend.key_of is None:
            return backend.pick(self._tried)
        return backend.pick_for(backend.key_of(b"", peer_address(self._lines[CLIENT])), self._tried)

    # -- wait for room

    def _wait_for_room(self, otherwise: Reason) -> None:
        backend = self._backend
        refusal, limits = backend.wait(self), backend.limits
        if refusal is not None:
            to_blame = backend.eligible or (limits is not None and limits.lasting)
            self._refuse(refusal if to_blame else otherwise)
        elif limits is not None:
            self.deadline = self._proxy.deadlines.now + limits.patience
            if limits.lasting:
                self._watched = True
                self._board.watch(self._fds[CLIENT], self, EPOLLET)  # for nothing but that it is broken

    def _watch_no_more(self) -> None:
        if self._watched:
            self._watched = False
            self._board.forget(self._fds[CLIENT])

    def room_now(self) -> None:
        self._watch_no_more()
        until = self.deadline
        self._connect(self._backend.vacancy)
        if self._phase == CONNECTING and self._state is None:
            self.deadline = until

    def _give_up_waiting(self) -> None:
        limits = self._backend.limits
        self.turn_away(limits.overdue if limits is not None else NO_ENDPOINTS)

    def turn_away(self, reason: Reason) -> None:
        """There is nothing to wait for any more."""
        self._watch_no_more()
        if self._backend.limits is not None:
            self._backend.limits.leave(self)
        self._refuse(reason)

    def cost(self) -> tuple[str, int]:
        """The client; what it sends stays with the kernel."""
        return self._address or peer_address(self._lines[CLIENT]), 0

    # -- connect

    def _connecting(self, state: EndpointState, events: int) -> None:
        """The socket stirred: it is connected, or has failed to."""
        error = outcome(self._lines[ENDPOINT]) if events & (EPOLLERR | EPOLLHUP) else None
        if error is not None:
            self._hang_up_endpoint(state)
            self._connect_failed(state, error)
        elif events & EPOLLOUT:
            self._connected(state, events)

    def _connect_failed(self, state: EndpointState, error: OSError) -> None:
        if ours(error):
            self._refuse(OUT_OF_RESOURCES)
        elif error.errno == errno.ECONNREFUSED:
            self._try_another(state, "refused", CONNECTION_REFUSED)
        else:
            self._try_another(state, "connect-failure", UNREACHABLE)

    def _try_another(self, state: EndpointState, cause: RetryCondition, reason: Reason) -> None:
        backend = self._backend
        backend.connect_failed(state)
        outcome = decide(backend.plan.retries, cause, replayable=True, retries=len(self._tried))
        self._tried += (state,)
        if outcome is not None:
            backend.stats.retries[outcome] = backend.stats.retries.get(outcome, 0) + 1
        if outcome == "tried":
            self._connect(reason)
        else:
            self._refuse(reason)

    def _connecting_too_long(self) -> None:
        """The deadline has passed."""
        state = self._state
        if state is None:
            self._give_up_waiting()
            return
        self._hang_up_endpoint(state)
        self.deadline = 0.0
        self._try_another(state, "connect-failure", CONNECTION_TIMEOUT)

    def _abandon(self, reason: Reason) -> None:
        """End while connecting or waiting."""
        if self._state is None:
            self.turn_away(reason)
        else:
            self._hang_up_endpoint(self._state)
            self._refuse(reason)

    # -- end

    def _refuse(self, reason: Reason) -> None:
        """Reset a client that no endpoint is connected for."""
        self._backend.failed(reason)
        self._tell(reason.error, self._tried[-1] if self._tried else None, len(self._tried), (0, 0))
        reset_on_close(self._lines[CLIENT])
        self._lines[CLIENT].close()
        self._leave()
        if self._backend.limits is not None:  # what the endpoint's end told came too early for the Backend's own limit
            self._backend.limits.room_made()

    def _tell(self, reason: str, state: EndpointState | None, tries: int, moved: tuple[int, int]) -> None:
        """Tell whoever wants to know that the connection is over."""
        log = wanted(self._proxy, reason)
        if log is not None:
            seconds = self._proxy.clock() - self._began
            address = self._address or peer_address(self._lines[CLIENT])
            way = Way("tcp", self._gate.key, address, self._backend.key, self._proxy)
            log(flow(way, seconds, state, tries=tries, moved=moved, reason=reason))

    def _hang_up_endpoint(self, state: EndpointState) -> None:
        """Give up connecting."""
        self._board.hang_up(self._fds[ENDPOINT], self._lines.pop())
        self._fds = (self._fds[CLIENT], -1)
        self._state = None
        state.in_flight -= 1
        self._backend.left(state, 0.0, NO_ANSWER_DUE)

    def _leave(self) -> None:
        self._phase = CLOSED
        self.deadline = 0.0
        self._proxy.deadlines.forget(self)
        self._backend.stats.tcp_open -= 1
        self._proxy.clients.discard(self)
        self._gate.left()
