"""The switchboard: where the sockets of relayed connections meet, one epoll set inside the event loop.

A transport object per socket is most of what a short connection costs in Python: making a pair of them takes
longer than all that the kernel does.  Here a socket is a number.  The loop watches one descriptor, that of the
epoll set; when it stirs, bytes are handed from descriptor to descriptor.  Whatever is out of the ordinary (a
beginning, an end, a full buffer, an error) is told to the handler of the descriptor.

Watching is edge-triggered (epoll(7)): an event says that something changed, and is not repeated.  Closing waits
until the events at hand are dealt with, so that none of them meets a new socket that was given an old number.
"""

from __future__ import annotations

import asyncio
import logging
from os import read, write
from select import EPOLLERR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from socket import SocketType
from typing import Final, Protocol

from mesh.conduit import Conduit

CHUNK: Final = 16 * 1024
"""Bytes that are handed on in passing; a source that has more at a time is its handler's business."""
BATCH: Final = 256
"""Events that are dealt with before the loop has its turn."""

STREAM: Final = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET
BROKEN: Final = EPOLLERR
"""Told alone: an error was read from the descriptor, and will not be read again."""
_ORDINARY: Final = EPOLLIN | EPOLLOUT
_NOBODY: Final = -1

log = logging.getLogger(__name__)


class Handler(Protocol):
    """Who deals with what is out of the ordinary at a descriptor."""

    def on_event(self, fd: int, events: int) -> None:
        """`events` is epoll's mask."""

    def on_leftover(self, fd: int, data: bytes) -> None:
        """`data` was read from `fd` and its peer did not take it; empty: it took all, and there is more at `fd`."""


class Switchboard:
    """One per event loop."""

    __slots__ = ("_again", "_busy", "_closing", "_epoll", "_handlers", "_loop", "_peers", "conduit", "moved")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = epoll()
        self._handlers: dict[int, Handler] = {}
        self._peers: list[int] = []
        self.moved: list[int] = []
        """By descriptor: bytes that were read from it; who reads this sets it to 0."""
        self._again: list[tuple[Handler, int]] = []
        self._closing: list[SocketType] = []
        self._busy = False
        self.conduit = Conduit()
        loop.add_reader(self._epoll.fileno(), self._stir)

    # -- what handlers say

    def watch(self, fd: int, handler: Handler, events: int = STREAM) -> None:
        """Tell `handler` of events at `fd`, beginning with what is already there."""
        while fd >= len(self._peers):
            self._peers += [_NOBODY] * 256
            self.moved += [0] * 256
        self._handlers[fd] = handler
        self._peers[fd] = _NOBODY
        self.moved[fd] = 0
        self._epoll.register(fd, events)

    def forget(self, fd: int) -> None:
        """Watch no longer; the descriptor stays open."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def join(self, fd: int, peer: int) -> None:
        """Hand on what comes in at `fd` to `peer` unasked, while it is little and `peer` takes it."""
        self._peers[fd] = peer

    def joined(self, fd: int) -> bool:
        return self._peers[fd] >= 0

    def part(self, fd: int) -> None:
        """Ask the handler of `fd` from now on."""
        self._peers[fd] = _NOBODY

    def again(self, fd: int, handler: Handler) -> None:
        """Tell `handler` that there is something to read at `fd`, once others have had their turn."""
        if not self._again:
            self._loop.call_soon(self._repeat)
        self._again.append((handler, fd))

    def hang_up(self, fd: int, line: SocketType) -> None:
        """Close `line`, whose descriptor `fd` is watched."""
        del self._handlers[fd]
        self._peers[fd] = _NOBODY
        if self._busy:
            self._closing.append(line)
        else:
            line.close()

    def close(self) -> None:
        """Watch nothing any more; the sockets are closed by their handlers."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self.conduit.close()

    # -- what the loop says

    def _stir(self) -> None:
        """Deal with a batch of events: those that are ordinary here, without a call of our own for each."""
        peers, moved = self._peers, self.moved
        self._busy = True
        for fd, events in self._epoll.poll(0, BATCH):
            try:
                if events == _ORDINARY and (peer := peers[fd]) >= 0:
                    data = read(fd, CHUNK)
                    size = len(data)
                    moved[fd] += size
                    try:
                        sent = write(peer, data)
                    except OSError:
                        sent = 0  # what is wrong with the peer shows when its handler writes
                    if sent != size or not 0 < size < CHUNK:
                        self._leave_over(fd, data, sent)
                else:
                    self._tell(fd, events)
            except BlockingIOError:
                continue  # its handler has read it before
            except Exception as error:  # noqa: BLE001  # it is logged, and ends only the connection it came from
                self._fail(fd, error)
        self._settle()

    def _leave_over(self, fd: int, data: bytes, sent: int) -> None:
        if data:
            self._handlers[fd].on_leftover(fd, data[sent:])
        else:
            self._tell(fd, EPOLLIN)  # the end of the stream, which can be read again

    def _tell(self, fd: int, events: int) -> None:
        handler = self._handlers.get(fd)
        if handler is not None:
            handler.on_event(fd, events)

    def _repeat(self) -> None:
        waiting, self._again = self._again, []
        self._busy = True
        for handler, fd in waiting:
            try:
                if self._handlers.get(fd) is handler:
                    handler.on_event(fd, EPOLLIN)
            except Exception as error:  # noqa: BLE001  # it is logged, and ends only the connection it came from
                self._fail(fd, error)
        self._settle()

    def _fail(self, fd: int, error: Exception) -> None:
        """End one connection, and no other."""
        if not isinstance(error, OSError):
            log.error("a fault of weft's own ended a connection", exc_info=error)
        try:
            self._tell(fd, BROKEN)
        except Exception:
            log.exception("a connection could not be ended")

    def _settle(self) -> None:
        self._busy = False
        while self._closing:
            self._closing.pop().close()
