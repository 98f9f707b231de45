"""A farewell: when a stream through an endpoint that terminates is ended, if its ends have not ended it before.

An exchange comes to its end by itself; a tunnel or a relayed connection need not, and would hold up whoever waits
for the endpoint to be left alone.
"""

from __future__ import annotations

from collections.abc import Callable


class Farewell:
    """Give it to the wheel (`mesh.deadlines`); `end` is called at `deadline`, also if all is over by then."""

    __slots__ = ("_end", "deadline")

    def __init__(self, deadline: float, end: Callable[[], None]) -> None:
        self.deadline = deadline
        self._end = end

    def on_deadline(self, now: float) -> None:
        self.deadline = 0.0
        self._end()
