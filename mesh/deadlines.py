"""One coarse timer for all connections, instead of a timer each.

A connection states when it must be looked at by setting its `deadline`, which costs one attribute store;
it may move it at any time without telling anyone.  The wheel looks at a connection when the deadline that
it knew of has come, and either finds a later one, and looks again then, or tells the connection.  A
deadline that moves nearer is seen late by at most `patience` seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Watched(Protocol):
    """What the wheel looks at; a `deadline` of 0 ends the watch."""

    deadline: float

    def on_deadline(self, now: float) -> None:
        """Called once `deadline` has passed; a new `deadline` keeps the watch going."""


class Deadlines:
    """`now` is the coarse clock of the data plane: monotonic seconds, renewed at every tick."""

    __slots__ = ("_buckets", "_clock", "_next", "now", "patience", "tick")

    def __init__(self, clock: Callable[[], float], tick: float = 0.1, patience: float = 1.0) -> None:
        self._clock = clock
        self.tick = tick
        self.patience = patience
        self.now = clock()
        self._buckets: dict[int, list[Watched]] = {}
        self._next = int(self.now / tick)

    def watch(self, item: Watched) -> None:
        """Begin to look at `item`; to be called once in its life, while `deadline` is not 0."""
        at = min(item.deadline, self.now + self.patience)
        slot = max(int(at / self.tick) + 1, self._next)
        bucket = self._buckets.get(slot)
        if bucket is None:
            self._buckets[slot] = [item]
        else:
            bucket.append(item)

    def advance(self) -> None:
        """Renew `now` and look at all whose time has come; the owner calls it every `tick` seconds."""
        now = self.now = self._clock()
        last = int(now / self.tick)
        while self._next <= last:
            due = self._buckets.pop(self._next, ())
            self._next += 1
            for item in due:
                if 0 < item.deadline <= now:
                    item.on_deadline(now)
                if item.deadline:
                    self.watch(item)
