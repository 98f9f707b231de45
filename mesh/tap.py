"""A tap: one who watches exchanges as they end, through a filter, at its own pace.

Records that pass wait for the reader, at most so many; a reader that is too slow loses the others, and is told how
many.  The data plane never waits.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from mesh.access_log import AccessRecord, Ended, record_of, wall

CAPACITY: Final = 1000
"""Records that wait for a reader."""
_STATUS = re.compile(r"([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


class Filter(NamedTuple):
    """What an exchange must be to be shown; what is not said may be anything."""

    namespace: str = ""
    service: str = ""
    method: str = ""
    path: str = ""
    """What the target begins with, as the client sent it."""
    statuses: tuple[range, ...] = ()
    """One of which holds the status."""
    failed: bool = False
    """Ended by the proxy itself, or in disorder."""
    protocol: str = ""
    """``http``, ``tcp`` or ``udp``."""

    def accepts(self, record: AccessRecord) -> bool:
        return (
            (not self.namespace or self.namespace == record.namespace)
            and (not self.service or self.service == record.service)
            and (not self.method or self.method == record.method)
            and (not self.protocol or self.protocol == record.protocol)
            and (not self.failed or bool(record.reason))
            and record.target.startswith(self.path)
            and (not self.statuses or any(record.status in some for some in self.statuses))
        )


def parse_statuses(text: str) -> tuple[range, ...]:
    """``404``, ``5xx``, ``400-403`` and several of these, separated by commas; raises ValueError with a sentence."""
    return tuple(_range(part.strip()) for part in text.split(",") if part.strip())


def _range(text: str) -> range:
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no status: write 404, 5xx or 400-403")
    if found[1]:
        return range(int(found[1]) * 100, int(found[1]) * 100 + 100)
    return range(int(found[2]), int(found[3] or found[2]) + 1)


class Tap:
    """Callable by who has records to show; `take` is for the reader."""

    def __init__(self, wanted: Filter, capacity: int = CAPACITY) -> None:
        self._wanted = wanted
        self._capacity = capacity
        self._waiting: deque[AccessRecord] = deque()
        self._lost = 0
        self._there = asyncio.Event()

    def __call__(self, ended: Iterable[Ended]) -> None:
        began = wall()
        for one in ended:
            record = record_of(one, began)
            if self._wanted.accepts(record):
                self._take_in(record)

    def _take_in(self, record: AccessRecord) -> None:
        if len(self._waiting) >= self._capacity:
            self._lost += 1
            return
        self._waiting.append(record)
        self._there.set()

    async def take(self, patience: float, most: int) -> tuple[list[AccessRecord], int]:
        """Up to `most` records, as soon as there is one or after `patience` seconds; and how many were lost since."""
        try:
            async with asyncio.timeout(patience):
                await self._there.wait()
        except TimeoutError:
            return [], 0
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if not self._waiting:
            self._there.clear()
        lost, self._lost = self._lost, 0
        return taken, lost
