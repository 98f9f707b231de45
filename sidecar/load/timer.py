"""A periodic wake-up finer than the event loop's own timers, which count in whole milliseconds.

A load generator that wakes late reports its own lateness as latency.  Linux's timerfd (timerfd_create(2))
gives the loop a descriptor that becomes readable on time.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

CLOCK_MONOTONIC = 1
NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class _Times(ctypes.Structure):
    """``struct itimerspec``: the interval, then the time to the first expiry."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]


class Ticker:
    """Calls `callback` every `seconds` while it is entered; missed ticks are not made up for.

    Raises OSError when the kernel refuses another descriptor.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._callback = callback
        self._descriptor = -1

    def __enter__(self) -> Self:
        descriptor = _libc.timerfd_create(CLOCK_MONOTONIC, NONBLOCK_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        whole, part = int(self._seconds), int(self._seconds % 1 * 1e9)
        _libc.timerfd_settime(descriptor, 0, ctypes.byref(_Times(whole, part, whole, part)), None)
        self._descriptor = descriptor
        self._loop.add_reader(descriptor, self._expired)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _expired(self) -> None:
        os.read(self._descriptor, 8)
        self._callback()
