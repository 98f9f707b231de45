"""Lane: what is due when, released no faster and no more at once than allowed.

A heap instead of a sleeping task for each of thousands of targets.  The rate is held by GCRA (the virtual
scheduling form of the leaky bucket, ITU-T I.371): each release moves the theoretical time of the next one on
by 1/rate, and may be ahead of it by the burst.  No I/O; time is a parameter.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

BURST_SECONDS = 0.01
"""How much of the rate may be used at once: at 2,000 per second 20 probes, which hold a loop for about 2 ms."""


class Lane(Generic[T]):
    """Items that wait for their time; `parallel` of them at once, `per_second` on average."""

    def __init__(self, parallel: int, per_second: float) -> None:
        self._parallel = parallel
        self._spacing = 1 / per_second
        self._heap: list[tuple[float, int]] = []
        self._waiting: dict[int, T] = {}
        self._tickets = 0
        self._theoretical = 0.0
        self.running = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, due: float, item: T) -> int:
        """Let `item` wait until `due`; returns the ticket that `cancel` takes."""
        self._tickets += 1
        self._waiting[self._tickets] = item
        heappush(self._heap, (due, self._tickets))
        return self._tickets

    def cancel(self, ticket: int) -> None:
        """Forget an item that waits; one that was taken already is not affected."""
        self._waiting.pop(ticket, None)
        if len(self._heap) > 2 * len(self._waiting) + 64:
            self._heap = [entry for entry in self._heap if entry[1] in self._waiting]
            heapify(self._heap)

    def take(self, now: float) -> T | None:
        """The item that is to begin now, if any; `done` is owed for it."""
        begins = self.next_time()
        if begins is None or begins > now:
            return None
        self._theoretical = max(self._theoretical, now) + self._spacing
        self.running += 1
        return self._waiting.pop(heappop(self._heap)[1])

    def done(self) -> None:
        """One that was taken has ended."""
        self.running -= 1

    def next_time(self) -> float | None:
        """When `take` will give something; None: not before an `add` or a `done`."""
        while self._heap and self._heap[0][1] not in self._waiting:
            heappop(self._heap)
        if not self._heap or self.running >= self._parallel:
            return None
        return max(self._heap[0][0], self._theoretical - BURST_SECONDS)
