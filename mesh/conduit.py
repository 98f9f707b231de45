"""The conduit: moves large transfers from socket to socket inside the kernel (splice(2)).

One pipe serves all transfers of an event loop, one after the other, because it is empty between two calls: what
a slow reader does not take is read out of it and becomes its connection's to keep.
"""

from __future__ import annotations

import fcntl
import os
from os import SPLICE_F_MOVE, SPLICE_F_NONBLOCK, splice
from typing import Final

BULK: Final = 128 * 1024
"""Bytes that are moved at a time, and so the most that is ever held for a slow reader.  Both ends of a connection
may be slow at once; twice as much at a time moves no faster."""
_FLAGS: Final = SPLICE_F_MOVE | SPLICE_F_NONBLOCK
_DEFAULT_PIPE: Final = 64 * 1024


class Conduit:
    __slots__ = ("_entrance", "_exit", "_size")

    def __init__(self) -> None:
        self._exit, self._entrance = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._size = min(fcntl.fcntl(self._entrance, fcntl.F_SETPIPE_SZ, BULK), BULK)
        except OSError:  # the user has too many pipes
            self._size = _DEFAULT_PIPE

    def move(self, source: int, sink: int) -> tuple[int, bytes, OSError | None]:
        """Move what `source` has to `sink`: how much came, what of it was not taken, and the sink's error.

        Nothing came: the stream has ended.  Raises BlockingIOError if nothing is there, OSError if `source` fails.
        """
        came = left = splice(source, self._entrance, self._size, flags=_FLAGS)
        try:
            while left:
                left -= splice(self._exit, sink, left, flags=_FLAGS)
        except BlockingIOError:
            return came, self._empty(left), None
        except OSError as error:
            return came, self._empty(left), error
        return came, b"", None

    def close(self) -> None:
        os.close(self._entrance)
        os.close(self._exit)

    def _empty(self, left: int) -> bytes:
        parts = []
        while left:
            part = os.read(self._exit, left)
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
