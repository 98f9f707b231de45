"""One coarse timer for all connections, instead of a timer each.

A connection states when it must be looked at by setting its `deadline`, which costs one attribute store;
it may move it at any time without telling anyone.  The wheel looks at a connection when the deadline that
it knew of has come, and either finds a later one, and looks again then, or tells the connection.  A
deadline that moves nearer is seen late by at most `patience` seconds.

What is likely to be over in a moment is better `expect`ed than watched: it is looked at only if it is still
there a little later, and nothing is kept of it if it is not.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from itertools import cycle
from typing import Final, Protocol

SLICE: Final = 0.003
"""Seconds of telling before the loop has its turn: thousands may have the same deadline."""
_SPREAD: Final = 8
_YOUTH: Final = 0.25
"""Share of the patience after which what was expected to be over soon is watched."""

log = logging.getLogger(__name__)


class Watched(Protocol):
    """What the wheel looks at; a `deadline` of 0 ends the watch."""

    deadline: float

    def on_deadline(self, now: float) -> None:
        """Called once `deadline` has passed; a new `deadline` keeps the watch going."""


class Deadlines:
    """`now` is the coarse clock of the data plane: monotonic seconds, renewed at every tick."""

    __slots__ = (
        "_buckets",
        "_clock",
        "_due",
        "_growing",
        "_grown_at",
        "_horizons",
        "_next",
        "_young",
        "now",
        "patience",
        "tick",
    )

    def __init__(self, clock: Callable[[], float], tick: float = 0.1, patience: float = 1.0) -> None:
        self._clock = clock
        self.tick = tick
        self.patience = patience
        self.now = clock()
        self._buckets: dict[int, list[Watched]] = {}
        self._due: deque[Watched] = deque()
        self._young: dict[Watched, None] = {}
        self._growing: dict[Watched, None] = {}
        self._grown_at = self.now
        self._next = int(self.now / tick)
        # Connections that came at the same moment are not looked at in the same moment for ever after.
        self._horizons = cycle([patience * (_SPREAD - part / 2) / _SPREAD for part in range(_SPREAD)])

    def watch(self, item: Watched) -> None:
        """Begin to look at `item`; to be called once in its life, while `deadline` is not 0."""
        at = min(item.deadline, self.now + next(self._horizons))
        slot = max(int(at / self.tick) + 1, self._next)
        bucket = self._buckets.get(slot)
        if bucket is None:
            self._buckets[slot] = [item]
        else:
            bucket.append(item)

    def expect(self, item: Watched) -> None:
        """Like `watch`, for what is likely to be forgotten soon; a near deadline may be seen half the patience late."""
        self._young[item] = None

    def forget(self, item: Watched) -> None:
        """End the watch of an expected item, whose deadline is 0 now."""
        if item in self._young:
            del self._young[item]
        else:
            self._growing.pop(item, None)

    def advance(self) -> bool:
        """Renew `now` and look at all whose time has come; the owner calls it every `tick` seconds.

        False: there was more to tell than fits in a slice; the owner calls it again before the next tick.
        """
        now = self.now = self._clock()
        if now - self._grown_at >= self.patience * _YOUTH:
            self._grow(now)
        last = int(now / self.tick)
        while self._next <= last:
            self._due.extend(self._buckets.pop(self._next, ()))
            self._next += 1
        while self._due:
            item = self._due.popleft()
            if 0 < item.deadline <= now:
                self._tell(item, now)
                if self._clock() - now > SLICE:
                    return not self._due
            elif item.deadline:
                self.watch(item)
        return True

    def _grow(self, now: float) -> None:
        """Watch what was expected to be over and is not."""
        for item in self._growing:
            self.watch(item)
        self._growing, self._young = self._young, {}
        self._grown_at = now

    def _tell(self, item: Watched, now: float) -> None:
        try:
            item.on_deadline(now)
        except Exception:
            log.exception("a deadline was not dealt with")
        if item.deadline:
            self.watch(item)
