"""The descriptors that this process may have open, and who may take the next.

Accepting stops before they run out: a connection that is accepted needs one for each of its two sides, and the
rest of the process (probes, logs, replicas, the admin server) needs some too.  A process that runs into the limit
instead finds a listening socket that stirs for ever and cannot be accepted from.
"""

from __future__ import annotations

import resource
from typing import Final

PER_CONNECTION: Final = 2
RESERVE: Final = 256
"""Descriptors left to everything that is not a connection or a listener; a quarter, where there are few."""


def raise_limit() -> int:
    """Raise RLIMIT_NOFILE as far as is allowed without privilege; returns the limit that is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # a hard limit over what the kernel now permits
            return soft
    return hard


class Descriptors:
    """What connections and listeners may take of `limit`."""

    __slots__ = ("free",)

    def __init__(self, limit: int) -> None:
        self.free = limit - min(RESERVE, limit // 4)

    @property
    def connections(self) -> int:
        """How many more connections may be accepted."""
        return self.free // PER_CONNECTION
