"""Questions by UDP without a task for each: one is under way at a time, and its answer is handed to a callback.

Where answers are signed, the socket stays open: a question then costs one system call, and its answer two.  Where they
are not, each question comes from a port of its own, which whoever forges an answer would have to guess (RFC 5452).
No socket stays that gave no answer: libuv does not watch one any more that had an error, and its own address may be
one that this host has no longer.

By TCP there is a connection for each question.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK
from typing import Final

from discovery.registry.messages import ixfr_query
from discovery.registry.resolv_conf import Resolver
from discovery.registry.transfer import Apex

LARGEST: Final = 65535
AFTER_SERIAL: Final = 4 * 5 + 11
"""Bytes of a question for a difference from the serial on, without options of EDNS."""

Outcome = bytes | OSError
"""The answer, or why there is none; one that did not come in time is a TimeoutError."""
Tell = Callable[[Outcome], None]


class Question:
    """A question for a difference, of which all but id and serial stay as they are."""

    def __init__(self, apex: Apex) -> None:
        self._apex = apex
        self._options = b""
        self._before = self._after = b""
        """What stands between the id and the serial, and behind that."""

    def since(self, serial: int, options: bytes, message_id: int) -> bytes:
        """For what changed after `serial`; `options`: those of EDNS."""
        if not self._before or options != self._options:
            made = ixfr_query(0, self._apex.soa(0), options)
            at = len(made) - len(options) - AFTER_SERIAL
            self._options, self._before, self._after = options, made[2:at], made[at + 4 :]
        return b"".join((message_id.to_bytes(2, "big"), self._before, serial.to_bytes(4, "big"), self._after))


class Asking:
    """Asks until it is closed.  Needs a running event loop."""

    def __init__(self, seconds: float, *, stays: bool) -> None:
        """`seconds` that an answer may take; `stays`: whether the socket does."""
        self._seconds = seconds
        self._stays = stays
        self._socket: socket.socket | None = None
        self._where: Resolver | None = None
        self._id = b""
        self._tell: Tell | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, where: Resolver, query: bytes, tell: Tell) -> None:
        """Have `tell` called once with the outcome; the question before is forgotten.  Raises OSError."""
        self.forget()
        if self._socket is None or self._where != where or not self._stays:
            self.close()
            self._open(where)
        assert self._socket is not None
        try:
            self._socket.send(query)
        except OSError:
            self.close()
            raise
        self._id, self._tell = query[:2], tell
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end, TimeoutError())

    def close(self) -> None:
        """Forget what was asked."""
        self.forget()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _open(self, where: Resolver) -> None:
        made = socket.socket(AF_INET6 if ":" in where.address else AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)
        try:
            made.connect(where)
        except OSError:
            made.close()
            raise
        self._socket, self._where = made, where
        asyncio.get_running_loop().add_reader(made, self._readable)

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError as error:  # nobody listens there
                self._end(error)
                return
            if self._tell is not None and message[:2] == self._id:
                self._end(message)
                return

    def _end(self, outcome: Outcome) -> None:
        tell = self._tell
        if isinstance(outcome, OSError):
            self.close()
        else:
            self.forget()
        if tell is not None:
            tell(outcome)

    def forget(self) -> None:
        """Nobody waits for the answer any more."""
        self._tell = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@asynccontextmanager
async def connected(
    where: Resolver, seconds: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, which may take so many seconds to be there.  Raises OSError, TimeoutError."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(*where)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
