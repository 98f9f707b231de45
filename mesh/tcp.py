"""TCP relay: a client's connection joined with one to an endpoint, half-closes and back-pressure included.

The way of a connection: *pick* an endpoint, *connect*, *hand on* in both directions, *end*.  Until it is
connected nothing was sent, so another endpoint may be tried whatever the protocol is.  From then on it belongs
to its endpoint for as long as both ends like, also when the endpoint turns unready: only they know what they
are in the midst of.  Bytes pass through the switchboard without coming here; what comes here is the beginning,
the end, large transfers and slow readers.  A direction whose reader is slow holds one read, and reads no more.
"""

from __future__ import annotations

from os import read
from select import EPOLLERR, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from socket import MSG_MORE, SHUT_WR, SocketType
from typing import Final

from mesh.backend import NO_ANSWER_DUE, Backend, EndpointState
from mesh.connector import keep_alive, reset_on_close
from mesh.dialling import CLIENT, CLOSED, CONNECTING, ENDPOINT, NEVER, OPEN, Dialling
from mesh.farewell import Farewell
from mesh.gate import Gate
from mesh.proxy import Proxy
from mesh.proxy_protocol import Version, header
from mesh.reasons import CLIENT_GONE, NO_ENDPOINTS, RESPONSE_STALLED, Reason
from mesh.records import BROKEN_BY
from mesh.switchboard import BROKEN, CHUNK, Switchboard

TURN: Final = 8
"""Reads of one direction before others have their turn."""
LOOK: Final = 2.0
"""Seconds after which a connection is looked at: what moved is counted, and whether anything did."""


class Relay(Dialling):
    """One connection of a client and the one to its endpoint.

    What is kept for each side is a pair, of the client's and the endpoint's: their sockets, the bytes that a
    side sent and the other did not take, and whether it has ended its stream.
    """

    __slots__ = ("_bytes", "_ended", "_long_lived", "_pending", "_quiet_since")

    def __init__(self, proxy: Proxy, board: Switchboard, backend: Backend, client: SocketType, gate: Gate) -> None:
        super().__init__(proxy, board, backend, client, gate)
        self._bytes = (0, 0)
        """What each side had sent when it was last counted."""
        self._pending = [b"", b""]
        self._ended = [False, False]
        self._quiet_since = 0.0
        self._long_lived = False

    def _connected(self, state: EndpointState, events: int) -> None:
        self._phase = OPEN
        self._backend.connect_succeeded(state)
        state.requests += 1
        state.connections.add(self)
        version = self._backend.plan.send_proxy
        if version is not None:
            try:
                self._announce(version)
            except OSError:  # one of them is gone; no byte may come where the header is due
                self._reset(BROKEN_BY[ENDPOINT])
                return
        self._quiet_since = self._proxy.deadlines.now
        self.deadline = self._quiet_since + min(LOOK, self._backend.plan.timeouts.tunnel_idle or NEVER)
        client, endpoint = self._fds
        self._board.watch(client, self)
        self._board.join(client, endpoint)
        self._board.join(endpoint, client)
        if events & (EPOLLIN | EPOLLRDHUP):
            self._pump(ENDPOINT, events)

    def _announce(self, version: Version) -> None:
        """Tell the endpoint who the client is.  Raises OSError."""
        client, endpoint = self._lines
        endpoint.send(header(version, client.getpeername()[:2], client.getsockname()[:2]))

    # -- hand on

    def on_event(self, fd: int, events: int) -> None:
        if self._phase == CONNECTING:
            if self._state is not None:
                self._connecting(self._state, events)
            elif self._watched:
                self.turn_away(CLIENT_GONE)
            return
        side = ENDPOINT if fd == self._fds[ENDPOINT] else CLIENT
        if events & EPOLLOUT and self._pending[1 - side]:
            self._flush(1 - side)
        if self._phase == CLOSED or not events & ~EPOLLOUT:
            return
        if events == BROKEN or (self._ended[side] and events & EPOLLERR):
            self._reset(BROKEN_BY[side])
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
                self._reset(BROKEN_BY[side])
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
            self._reset(BROKEN_BY[1 - side])

    def _deaf(self, side: int) -> None:
        """`side` takes nothing any more; what it sent before, such as the reason, still reaches the other."""
        if not self._ended[side] and not self._pending[side]:
            self._pump(side, 0)
        if self._phase == OPEN and self._ended[side]:
            self._close(BROKEN_BY[side])
        elif self._phase == OPEN:
            self._reset(BROKEN_BY[side])

    def _reset(self, reason: str) -> None:
        """Make both ends see that the stream did not end as it should."""
        for line in self._lines:
            reset_on_close(line)
        self._close(reason)

    def _close(self, reason: str = "") -> None:
        """`reason` is why, as in records; empty: both have ended."""
        self._count()
        self._tell(reason, self._state, len(self._tried) + 1, self._bytes)
        for line, fd in zip(self._lines, self._fds, strict=True):
            self._board.hang_up(fd, line)
        state = self._state
        self._leave()
        if state is not None:
            state.in_flight -= 1
            state.connections.discard(self)
            self._backend.left(state, 0.0, NO_ANSWER_DUE)

    def give_up(self, reason: Reason) -> None:
        """End now, visibly."""
        if self._phase == OPEN:
            self._backend.failed(reason)
            self._reset(reason.error)
        elif self._phase == CONNECTING:
            self._abandon(reason)

    def drain(self) -> None:
        """A stream of unknown contents cannot be asked to end: it ends when its ends like, or at the last."""

    def endpoint_withdrawn(self) -> None:
        """As in Kubernetes, what is established stays; if the endpoint terminates, for a while."""
        if self._state is not None and self._state.endpoint.terminating:
            deadlines = self._proxy.deadlines
            deadlines.watch(Farewell(deadlines.now + self._proxy.farewell, self._bid_farewell))

    def _bid_farewell(self) -> None:
        if self._phase == OPEN:
            self._reset(NO_ENDPOINTS.error)

    # -- time

    def on_deadline(self, now: float) -> None:
        if self._phase == OPEN:
            self._look(now)
        elif self._phase == CONNECTING:
            self._connecting_too_long()

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
            self._reset(RESPONSE_STALLED.error)
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
        self._bytes = self._bytes[CLIENT] + into, self._bytes[ENDPOINT] + out
        return into + out
