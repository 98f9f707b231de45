"""How often somebody may be wrong: failed attempts by address, bounded in rate and in memory.

After `MOST` failures within `SECONDS` an address has no more of them counted; each one counts for as long.  Pure: the
clock is the caller's.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MOST: Final = 10
SECONDS: Final = 60.0
MOST_ADDRESSES: Final = 1024
"""Remembered; the one that was silent for longest is forgotten first."""


class Attempts:
    def __init__(self) -> None:
        self._failures: dict[str, deque[float]] = {}

    def exhausted(self, address: str, now: float) -> bool:
        """Whether `address` has been wrong too often lately."""
        failures = self._failures.get(address)
        return failures is not None and len(failures) == MOST and now - failures[0] < SECONDS

    def failed(self, address: str, now: float) -> bool:
        """Count a failure; whether that is worth a line in the log: the first ones, and the last before silence."""
        failures = self._failures.pop(address, None) or deque(maxlen=MOST)
        while failures and now - failures[0] >= SECONDS:
            failures.popleft()
        failures.append(now)
        self._failures[address] = failures
        if len(self._failures) > MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        return len(failures) == 1 or len(failures) == MOST

    def __len__(self) -> int:
        return len(self._failures)
