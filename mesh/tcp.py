"""TCP relay: a client's connection joined with one to an endpoint, half-closes and back-pressure included.

The way of a connection: *pick* an endpoint, *connect*, *hand on* in both directions, *end*.  Until it is
connected nothing was sent, so another endpoint may be tried whatever the protocol is.  From then on it belongs
to its endpoint for as long as both ends like, also when the endpoint turns unready: only they know what they
are in the midst of.  Bytes pass through the switchboard without coming here; what comes here is the beginning,
the end, large transfers and slow readers.  A direction whose reader is slow holds one read, and reads no more.
"""

from __future__ import annotations

import errno
from os import read
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from socket import MSG_MORE, SHUT_WR, SocketType
from typing import Final

from config.policies import RetryCondition
from mesh.backend import Backend, EndpointState
from mesh.connector import dial, keep_alive, ours, outcome, peer_address, reset_on_close
from mesh.gate import Gate
from mesh.proxy import Proxy
from mesh.reasons import CONNECTION_REFUSED, CONNECTION_TIMEOUT, NO_ENDPOINTS, OUT_OF_RESOURCES, UNREACHABLE, Reason
from mesh.retry import decide
from mesh.switchboard import BROKEN, CHUNK, Switchboard

NEVER: Final = float("inf")
TURN: Final = 8
"""Reads of one direction before others have their turn."""
LOOK: Final = 2.0
"""Seconds after which a connection is looked at: what moved is counted, and whether anything did."""

CONNECTING, OPEN, CLOSED = range(3)
CLIENT, ENDPOINT = range(2)


class Relay:
    """One connection of a client and the one to its endpoint.

    What is kept for each side is a pair, of the client's and the endpoint's: their sockets, the bytes that a
    side sent and the other did not take, and whether it has ended its stream.
    """

    __slots__ = (
        "_backend", "_board", "_ended", "_fds", "_gate", "_lines", "_long_lived", "_pending", "_phase", "_proxy",
        "_quiet_since", "_state", "_tried", "deadline",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, board: Switchboard, backend: Backend, client: SocketType, gate: Gate) -> None:
        self._proxy = proxy
        self._board = board
        self._backend = backend
        self._gate = gate
        self._state: EndpointState | None = None
        self._tried: tuple[EndpointState, ...] = ()
        self._phase = CONNECTING
        self._lines = [client]
        self._fds = (client.fileno(), -1)
        self._pending = [b"", b""]
        self._ended = [False, False]
        self._quiet_since = 0.0
        self._long_lived = False
        self.deadline = 0.0
        backend.stats.tcp_total += 1
        backend.stats.tcp_open += 1
        proxy.clients.add(self)

    # -- pick and connect

    def start(self) -> None:
        self._connect(NO_ENDPOINTS)
        if self.deadline:
            self._proxy.deadlines.expect(self)

    def _connect(self, otherwise: Reason) -> None:
        """Begin to connect to an endpoint that was not tried; if there is none, refuse the client."""
        state = self._pick()
        if state is None or state in self._tried:
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

    def _connected(self, state: EndpointState, events: int) -> None:
        self._phase = OPEN
        self._tried = ()
        self._backend.connect_succeeded(state)
        state.requests += 1
        state.connections.add(self)
        self._quiet_since = self._proxy.deadlines.now
        self.deadline = self._quiet_since + min(LOOK, self._backend.plan.timeouts.tunnel_idle or NEVER)
        client, endpoint = self._fds
        self._board.watch(client, self)
        self._board.join(client, endpoint)
        self._board.join(endpoint, client)
        if events & (EPOLLIN | EPOLLRDHUP):
            self._pump(ENDPOINT, events)

    # -- hand on

    def on_event(self, fd: int, events: int) -> None:
        if self._phase == CONNECTING and self._state is not None:
            self._connecting(self._state, events)
            return
        side = ENDPOINT if fd == self._fds[ENDPOINT] else CLIENT
        if events & EPOLLOUT and self._pending[1 - side]:
            self._flush(1 - side)
        if self._phase == CLOSED or not events & ~EPOLLOUT:
            return
        if events == BROKEN or (self._ended[side] and events & EPOLLERR):
            self._reset()
        elif not self._ended[side] and not self._pending[side]:
            self._pump(side, events)

    def on_leftover(self, fd: int, data: bytes) -> None:
        side = ENDPOINT if fd == self._fds[ENDPOINT] else CLIENT
        if not data:
            self._board.part(fd)
            self._pump(side, 0)
        elif self._send(side, data):
            self._pump(side, 0)

    def _pump(self, side: int, events: int) -> None:
        """Hand on what `side` has sent, until it has no more, the other takes no more, or it had its turn."""
        board, source = self._board, self._fds[side]
        move = self._copy if board.joined(source) else self._splice
        moved = 0
        for _ in range(TURN):
            try:
                size = move(side, events)
            except BlockingIOError:
                self._caught_up(side, moved)
                return
            except OSError:
                self._reset()
                return
            if not size:
                self._end(side)
                return
            moved += size
            if self._pending[side] or self._phase == CLOSED:
                return
        board.part(source)
        board.again(source, self)

    def _caught_up(self, side: int, moved: int) -> None:
        """There is no more to read now.  Where much came at a time, more is to be expected."""
        source = self._fds[side]
        if moved < CHUNK:
            self._board.join(source, self._fds[1 - side])
        else:
            self._board.part(source)

    def _copy(self, side: int, events: int) -> int:
        """Hand on one read; returns its size.  Raises OSError if `side` cannot be read."""
        data = read(self._fds[side], CHUNK)
        if data:
            self._board.moved[self._fds[side]] += len(data)
            # The last bytes and the end of the stream travel in one packet.
            self._send(side, data, MSG_MORE if events & EPOLLRDHUP else 0)
        return len(data)

    def _splice(self, side: int, events: int) -> int:
        """The same for much, without looking at it."""
        source, sink = self._fds[side], self._fds[1 - side]
        size, left, error = self._board.conduit.move(source, sink)
        self._board.moved[source] += size
        if error is not None:
            self._deaf(1 - side)
        else:
            self._pending[side] = left
        return size

    def _send(self, side: int, data: bytes, flags: int = 0) -> bool:
        """Send what `side` has sent to the other; False: not all was taken, so nothing more is to be read."""
        try:
            sent = self._lines[1 - side].send(data, flags)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._deaf(1 - side)
            return False
        if sent == len(data):
            return True
        self._board.part(self._fds[side])
        self._pending[side] = data[sent:]
        return False

    def _flush(self, side: int) -> None:
        data, self._pending[side] = self._pending[side], b""
        if self._send(side, data):
            self._pump(side, 0)

    # -- end

    def _end(self, side: int) -> None:
        """`side` sends no more."""
        self._ended[side] = True
        self._board.part(self._fds[side])
        if self._ended[1 - side]:
            self._close()
            return
        try:
            self._lines[1 - side].shutdown(SHUT_WR)
        except OSError:
            self._reset()

    def _deaf(self, side: int) -> None:
        """`side` takes nothing any more; what it sent before, such as the reason, still reaches the other."""
        if not self._ended[side] and not self._pending[side]:
            self._pump(side, 0)
        if self._phase == OPEN and self._ended[side]:
            self._close()
        elif self._phase == OPEN:
            self._reset()

    def _refuse(self, reason: Reason) -> None:
        """Reset a client that no endpoint is connected for."""
        self._backend.failed(reason)
        reset_on_close(self._lines[CLIENT])
        self._lines[CLIENT].close()
        self._leave()

    def _reset(self) -> None:
        """Make both ends see that the stream did not end as it should."""
        for line in self._lines:
            reset_on_close(line)
        self._close()

    def _close(self) -> None:
        self._count()
        for line, fd in zip(self._lines, self._fds, strict=True):
            self._board.hang_up(fd, line)
        state = self._state
        if state is not None:
            state.in_flight -= 1
            state.connections.discard(self)
        self._leave()

    def _hang_up_endpoint(self, state: EndpointState) -> None:
        """Give up connecting."""
        self._board.hang_up(self._fds[ENDPOINT], self._lines.pop())
        self._fds = (self._fds[CLIENT], -1)
        self._state = None
        state.in_flight -= 1

    def _leave(self) -> None:
        self._phase = CLOSED
        self.deadline = 0.0
        self._proxy.deadlines.forget(self)
        self._backend.stats.tcp_open -= 1
        self._proxy.clients.discard(self)
        self._gate.left()

    def abort(self) -> None:
        """End now, visibly."""
        if self._phase == OPEN:
            self._reset()
        elif self._phase == CONNECTING and self._state is not None:
            self._hang_up_endpoint(self._state)
            self._refuse(NO_ENDPOINTS)

    def drain(self) -> None:
        """A stream of unknown contents cannot be asked to end: it ends when its ends like, or at the last."""

    def endpoint_withdrawn(self) -> None:
        """As in Kubernetes, what is established stays."""

    # -- time

    def on_deadline(self, now: float) -> None:
        if self._phase == OPEN:
            self._look(now)
        elif self._state is not None:
            state = self._state
            self._hang_up_endpoint(state)
            self.deadline = 0.0
            self._try_another(state, "connect-failure", CONNECTION_TIMEOUT)

    def _look(self, now: float) -> None:
        """Count what moved; close if nothing did for long."""
        if not self._long_lived:  # most connections never come here, and need not pay for it
            self._long_lived = True
            for line in self._lines:
                keep_alive(line)
        limit = self._backend.plan.timeouts.tunnel_idle or NEVER
        if self._count():
            self._quiet_since = now
        elif now - self._quiet_since >= limit:
            self._reset()
            return
        self.deadline = min(now + LOOK, self._quiet_since + limit)

    def _count(self) -> int:
        """Add what moved since the last time to the Backend's counters; returns how much."""
        moved = self._board.moved
        client, endpoint = self._fds
        into, out = moved[client], moved[endpoint]
        moved[client] = moved[endpoint] = 0
        stats = self._backend.stats
        stats.bytes_in += into
        stats.bytes_out += out
        return into + out
