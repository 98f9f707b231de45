"""Which of several registries a node is connected to: the one that acts, if it can be reached and is known.

Registries that share a store elect one that scales what nodes run; it has to hear what all of them carry.  Another one
says that it stands by, and is left for the next, unless that has just shown that it does not act either.  No I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from sidecar.options import Address

AGAIN_SECONDS: Final = 60.0
"""Until one that stood by, or could not be reached, is tried again for the sake of the one that acts."""


class Turns:
    """Times are seconds of any steady clock."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        self._addresses = deque(addresses)
        """The one whose turn it is comes first."""
        self._standby = ""
        """Why the one that is connected does not act; empty: it does, as far as is known."""
        self._word = ""
        """What was said of that last, by any of them."""
        self._words: dict[Address, str] = {}
        """What each of them said last."""
        self._tried: dict[Address, float] = {}
        """When it was seen of one that it does not act, since others acted than now."""

    @property
    def current(self) -> Address:
        return self._addresses[0]

    def told(self, standby: str, now: float) -> None:
        """The one that is connected says why it does not act; empty: it does."""
        if standby != self._words.get(self.current, self._word):  # they may differ from each other for long
            self._tried.clear()
        self._words[self.current] = self._word = self._standby = standby
        self._tried[self.current] = now

    def is_to_leave(self, now: float) -> bool:
        """Whether another one is to be tried, though this one is there."""
        others = (each for each in self._addresses if each != self.current)
        return bool(self._standby) and any(self._is_worth_a_try(each, now) for each in others)

    def ended(self, now: float, *, connected: bool) -> None:
        """There is no connection; `connected`: there was one.  It is the next one's turn."""
        if not connected:
            self._tried[self.current] = now
        self._standby = ""
        self._addresses.rotate(-1)

    def _is_worth_a_try(self, address: Address, now: float) -> bool:
        return now - self._tried.get(address, float("-inf")) >= AGAIN_SECONDS
