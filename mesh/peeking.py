"""A connection of which nothing is read yet: its first bytes are peeked at, and stay for whoever gets it.

What stands at the beginning of a connection (a PROXY header, or what the client speaks) decides who serves it; until
that is known it is watched on the switchboard, for a bounded time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from select import EPOLLET, EPOLLIN, EPOLLRDHUP
from socket import SocketType

from mesh.gate import Gate
from mesh.proxy import Proxy
from mesh.switchboard import Switchboard
from mesh.table import Listener


class Peeking(ABC):
    """What is common to all that peek."""

    __slots__ = ("_board", "_fd", "_gate", "_line", "_listener", "_proxy", "deadline")

    def __init__(self, proxy: Proxy, board: Switchboard, listener: Listener, line: SocketType, gate: Gate) -> None:
        self._proxy = proxy
        self._board = board
        self._listener = listener
        self._line = line
        self._fd = line.fileno()
        self._gate = gate
        self.deadline = 0.0

    @abstractmethod
    def start(self) -> None:
        """Begin to peek."""

    def _watch(self, seconds: float) -> None:
        """Be told what comes from now on, and when so many seconds have passed."""
        self.deadline = self._proxy.deadlines.now + seconds
        self._proxy.deadlines.watch(self)
        self._board.watch(self._fd, self, EPOLLIN | EPOLLRDHUP | EPOLLET)
        self._proxy.clients.add(self)

    @abstractmethod
    def on_event(self, fd: int, events: int) -> None:
        """There is more to peek at, or the other side has gone."""

    @abstractmethod
    def on_deadline(self, now: float) -> None:
        """Its time is over."""

    def on_leftover(self, fd: int, data: bytes) -> None:
        raise AssertionError("nothing is read while it is not known for whom")

    def drain(self) -> None:  # noqa: B027 - there is nothing to be done, for all of them
        """It is soon known whose this is, and whoever gets it is told."""

    def _forget(self) -> None:
        self.deadline = 0.0
        self._proxy.clients.discard(self)
