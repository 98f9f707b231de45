"""What local processes use (psutil): CPU time and memory of a process and all below it.

Children that ended and were waited for count in their parent's time, so that the sum only ever grows while the first
process lives.  Who descends from whom only a look at all processes of the machine tells; it is taken once for all
replicas that are asked about together, and asks only of those that are new whose child they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

MOST: Final = 1000
"""Processes that are looked at beneath one container."""
TOGETHER: Final = 0.25
"""Seconds for which what was seen of descents holds."""
REMEMBERED: Final = 60.0
"""Seconds after a look within which a process number still means the same process."""


class ProcessUsage(NamedTuple):
    cpu_seconds: float
    memory: float
    """Resident bytes; what processes share counts for each of them."""


class Descents:
    """Who is whose child on this machine."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only go forward."""
        self._clock = clock
        self._looked = float("-inf")
        self._parents: dict[int, int] = {}
        self._children: dict[int, list[int]] = {}

    def usage(self, pid: int) -> ProcessUsage | None:
        """What the process and its descendants use now; None if it is not there."""
        total = _own(pid)
        if total is None:
            return None
        self._look()
        left = [*self._children.get(pid, ())]
        for _ in range(MOST):
            if not left:
                break
            child = left.pop()
            if (own := _own(child)) is not None:
                total = ProcessUsage(total.cpu_seconds + own.cpu_seconds, total.memory + own.memory)
                left += self._children.get(child, ())
        return total

    def _look(self) -> None:
        from psutil import pids

        now = self._clock()
        if now - self._looked < TOGETHER:
            return
        known = self._parents if now - self._looked < REMEMBERED else {}
        self._looked = now
        self._parents = {pid: known[pid] if pid in known else _parent(pid) for pid in pids()}
        self._children = {}
        for pid, parent in self._parents.items():
            self._children.setdefault(parent, []).append(pid)


def _parent(pid: int) -> int:
    """0: it is gone, or nobody may know."""
    from psutil import Error, Process

    try:
        return int(Process(pid).ppid())
    except Error:
        return 0


def _own(pid: int) -> ProcessUsage | None:
    from psutil import Error, Process

    try:
        process = Process(pid)
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
    except Error:  # it is gone, or nobody may know
        return None
    waited = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return ProcessUsage(times.user + times.system + waited, float(memory.rss))
