"""Which of several servers is asked: the first of the list whenever it answers, the others in turn meanwhile.

No I/O.  Who turned from the first one tries it again after a while, which is longer each time, until it has held: so
one that comes and goes is left alone, and the others do not return to it all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from discovery.backoff import Backoff, BackoffPolicy
from discovery.registry.resolv_conf import Resolver

RETURNS: Final = BackoffPolicy(first=1.0, ceiling=20.0, jitter=0.5, forget_after=20.0)
"""From one try of the first server to the next: less than leases last, also with one that takes long to fail."""


class Preference:
    """Times are seconds of any steady clock."""

    def __init__(self, servers: Sequence[Resolver], random: Random) -> None:
        """`servers`: at least one, in the order in which they are preferred."""
        self._servers = tuple(servers)
        self._turn = 0
        self._backoff = Backoff(RETURNS, random)
        self.try_at = float("inf")
        """When the first one is to be tried again; never, while it is the one that is asked."""

    @property
    def current(self) -> Resolver:
        """Who is asked."""
        return self._servers[self._turn]

    @property
    def first(self) -> Resolver:
        """Who is asked if there is a choice."""
        return self._servers[0]

    def failed(self, now: float) -> None:
        """The one that was asked did not answer: it is the next one's turn."""
        was_first = self._turn == 0
        self._turn = (self._turn + 1) % len(self._servers)
        if self._turn == 0:
            self.try_at = float("inf")
        elif was_first:
            self.put_off(now)

    def put_off(self, now: float) -> None:
        """The first one is not to be had yet."""
        self.try_at = now + self._backoff.failed(now)

    def take_first(self) -> None:
        """The first one is to be had."""
        self._turn, self.try_at = 0, float("inf")
