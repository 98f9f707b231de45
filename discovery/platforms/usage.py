"""What local processes use, read from Linux's ``/proc`` (proc(5)): CPU time and memory of a process and all below it.

Children that ended and were waited for count in their parent's time, so that the sum only ever grows while the first
process lives.  Where there is no ``/proc``, nothing is known.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
MOST = 1000
"""Processes that are looked at beneath one container."""
_TICK = float(os.sysconf("SC_CLK_TCK"))
_PAGE = float(os.sysconf("SC_PAGE_SIZE"))


class ProcessUsage(NamedTuple):
    cpu_seconds: float
    memory: float
    """Resident bytes; what processes share counts for each of them."""


def measure(pid: int, proc: Path = PROC) -> ProcessUsage | None:
    """What the process and its descendants use; None if it is not there."""
    total = _own(pid, proc)
    if total is None:
        return None
    left = _children(pid, proc)
    for _ in range(MOST):
        if not left:
            break
        child = left.pop()
        if (own := _own(child, proc)) is not None:
            total = ProcessUsage(total.cpu_seconds + own.cpu_seconds, total.memory + own.memory)
            left += _children(child, proc)
    return total


def _own(pid: int, proc: Path) -> ProcessUsage | None:
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:  # it is gone, or this system has no such files
        return None
    fields = text.rpartition(")")[2].split()  # the program's name before it may hold anything
    user, system, waited_user, waited_system = (int(field) for field in fields[11:15])
    return ProcessUsage((user + system + waited_user + waited_system) / _TICK, int(fields[21]) * _PAGE)


def _children(pid: int, proc: Path) -> list[int]:
    found: list[int] = []
    try:
        for thread in (proc / str(pid) / "task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    except OSError:  # it ended meanwhile
        return found
    return found
