"""A session: the datagrams of one client to one endpoint, and the answers (see `mesh.udp`)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from select import EPOLLIN
from socket import SocketType
from typing import Any, Final, Protocol

from mesh.backend import NO_ANSWER_DUE, Backend, EndpointState
from mesh.connector import associate, ours
from mesh.gate import Gate
from mesh.proxy import Proxy
from mesh.reasons import (
    CONNECTION_REFUSED,
    NO_ENDPOINTS,
    OUT_OF_RESOURCES,
    TOO_MANY_SESSIONS,
    UNREACHABLE,
    Reason,
)
from mesh.records import Way, flow, wanted
from mesh.retry import decide
from mesh.switchboard import Switchboard

IDLE: Final = 30.0
"""Seconds without a datagram after which a session ends."""
LINGER: Final = 2.0
"""Seconds in which an endpoint that goes may still answer what it was asked."""
BURST: Final = 64
"""Datagrams that one socket may take before others have their turn."""
LARGEST: Final = 65535
_GONE: Final = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})
"""What ICMP says of an endpoint."""

Client = tuple[Any, ...]
"""As the system gives it: address, port, and for IPv6 two more."""

buffer = bytearray(LARGEST)
"""Where every datagram is read to, one at a time."""
view = memoryview(buffer)


class Door(Protocol):
    """Where the client's datagrams come in."""

    proxy: Proxy
    board: Switchboard
    gate: Gate
    reply: Callable[[memoryview, Client], int]
    sessions: dict[Client, Session]
    unanswered: dict[Client, Session]
    lingering: set[Session]

    def left(self) -> None:
        """A session is over."""


class Session:
    """One client's datagrams to one endpoint, and the answers."""

    __slots__ = (
        "_backend", "_began", "_board", "_client", "_door", "_fd", "_first", "_heard", "_line", "_receive", "_retired",
        "_send", "_state", "_stats", "_tried", "_waiting", "bytes_in", "bytes_out", "deadline",
    )  # fmt: skip

    _line: SocketType
    _state: EndpointState | None
    _send: Callable[[memoryview | bytes], int]
    _receive: Callable[[bytearray], int]

    def __init__(self, door: Door, backend: Backend, client: Client) -> None:
        self._door = door
        self._board = door.board
        self._backend = backend
        self._stats = backend.stats
        self._client = client
        self._fd = -1
        self._state = None
        self._first: bytes | None = None
        """What was said first to this endpoint, until it answers or more follows."""
        self._tried: tuple[EndpointState, ...] = ()
        self._waiting = False
        """The client spoke last."""
        self._heard = False
        """The endpoint has answered."""
        self._retired = False
        self._began = door.proxy.clock()
        self.bytes_in = self.bytes_out = 0
        self.deadline = 0.0
        door.gate.entered()
        door.sessions[client] = door.unanswered[client] = self
        door.proxy.clients.add(self)
        self._stats.udp_total += 1
        self._stats.udp_open += 1

    def begin(self, data: bytes) -> None:
        """Find an endpoint for the first datagram."""
        now = self._door.proxy.deadlines.now
        self.deadline = now + IDLE
        self._try(data, NO_ENDPOINTS)
        if self.deadline:
            self._door.proxy.deadlines.watch(self)

    def _try(self, data: bytes | None, otherwise: Reason) -> None:
        """Find an endpoint, and be ready to give `data` to the next if it has none."""
        if self._connect(otherwise) and data is not None:
            self.ask(data, self.deadline)
            self._first = data

    def _connect(self, otherwise: Reason) -> bool:
        """Take an endpoint that was not tried; if there is none, end, and say so."""
        backend = self._backend
        while (state := self._pick()) is not None and state not in self._tried:
            try:
                self._line = line = associate(state.host, state.port)
            except OSError as error:
                if ours(error) or isinstance(error, BlockingIOError):  # the latter: no port is left
                    otherwise = OUT_OF_RESOURCES
                    break
                self._blame(state)
                continue
            self._state, self._fd = state, line.fileno()
            self._send, self._receive = line.send, line.recv_into
            state.in_flight += 1
            state.requests += 1
            state.connections.add(self)
            self._board.watch(self._fd, self, EPOLLIN)
            return True
        if not backend.eligible:
            backend.call()
        backend.failed(otherwise)
        self._close(otherwise.error)
        return False

    def _pick(self) -> EndpointState | None:
        backend = self._backend
        if backend.key_of is None:
            return backend.pick(self._tried)
        return backend.pick_for(backend.key_of(b"", self._client[0]), self._tried)

    # -- hand on

    def ask(self, data: memoryview | bytes, deadline: float) -> None:
        """Send a datagram of the client to the endpoint."""
        try:
            self._send(data)
        except OSError as error:
            self._not_sent(error, bytes(data))
            return
        self.deadline = deadline
        self._waiting = True
        self._first = None
        stats = self._stats
        stats.udp_in += 1
        size = len(data)
        self.bytes_in += size
        stats.bytes_in += size

    def on_event(self, fd: int, events: int) -> None:
        """The endpoint has answered, or the system has something to say about it."""
        door, client, receive, stats = self._door, self._client, self._receive, self._stats
        if not self._retired:
            self.deadline = door.proxy.deadlines.now + IDLE
        for _ in range(BURST):
            try:
                size = receive(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self._not_sent(error, None)
                return
            if not self._heard:
                self._answered()
            self._waiting = False
            try:
                door.reply(view[:size], client)
            except OSError:
                stats.udp_lost += 1
                continue
            stats.udp_out += 1
            stats.bytes_out += size
            self.bytes_out += size

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError("datagrams are not handed on unasked")

    def _answered(self) -> None:
        """For the first time by this endpoint."""
        assert self._state is not None
        self._heard = True
        self._first = None
        self._tried = ()
        self._backend.connect_succeeded(self._state)
        if not self._retired:
            self._door.unanswered.pop(self._client, None)

    # -- what may go wrong

    def _not_sent(self, error: OSError, data: bytes | None) -> None:
        """The system refused to send `data`, or (if there is none) reports what became of an earlier datagram."""
        state = self._state
        assert state is not None
        if error.errno not in _GONE:
            self._stats.udp_lost += 1
            return
        self._blame(state)
        self._leave_endpoint()
        self._heard = False
        again, self._first = self._first if data is None else data, None
        reason = CONNECTION_REFUSED if error.errno == errno.ECONNREFUSED else UNREACHABLE
        outcome = decide(self._backend.plan.retries, "refused", replayable=True, retries=len(self._tried) - 1)
        if outcome is not None:
            retries = self._stats.retries
            retries[outcome] = retries.get(outcome, 0) + 1
        if outcome != "tried" or self._retired:
            self._backend.failed(reason)
            self._close(reason.error)
        else:
            self._try(again, reason)

    def _blame(self, state: EndpointState) -> None:
        self._tried += (state,)
        self._backend.connect_failed(state)

    # -- end

    def endpoint_withdrawn(self) -> None:
        self.retire()

    def drain(self) -> None:
        self.retire()

    def retire(self) -> None:
        """Take no more from the client; what it has asked may still be answered."""
        if not self._waiting:
            self._close()
        elif not self._retired:
            self._retired = True
            self._leave_client()
            self._door.lingering.add(self)
            self.deadline = self._door.proxy.deadlines.now + LINGER

    def on_deadline(self, now: float) -> None:
        self._close()

    def give_way(self) -> None:
        """End for want of room."""
        self._close(TOO_MANY_SESSIONS.error)

    def give_up(self, reason: Reason) -> None:
        """End now."""
        self._backend.failed(reason)
        self._close(reason.error)

    def _close(self, reason: str = "") -> None:
        """`reason` is why, as in records; empty: it was silent for long enough, or its endpoint goes."""
        door = self._door
        log = wanted(door.proxy, reason)
        if log is not None:
            way = Way("udp", door.gate.key, self._client[0], self._backend.key, door.proxy)
            state, moved = self._state or (self._tried[-1] if self._tried else None), (self.bytes_in, self.bytes_out)
            tries = len(self._tried) + (self._state is not None)
            log(flow(way, door.proxy.clock() - self._began, state, tries=tries, moved=moved, reason=reason))
        self.deadline = 0.0
        self._leave_endpoint()
        self._leave_client()
        door.lingering.discard(self)
        door.proxy.clients.discard(self)
        self._stats.udp_open -= 1
        door.left()

    def _leave_client(self) -> None:
        """The next datagram of the client is not for this session."""
        for sessions in (self._door.sessions, self._door.unanswered):
            if sessions.get(self._client) is self:
                del sessions[self._client]

    def _leave_endpoint(self) -> None:
        state, self._state = self._state, None
        if state is None:
            return
        self._board.hang_up(self._fd, self._line)
        state.in_flight -= 1
        state.connections.discard(self)
        self._backend.left(state, 0.0, NO_ANSWER_DUE)
