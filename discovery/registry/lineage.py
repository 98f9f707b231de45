"""Which serials a primary gives out, so that none means two things, even if its store was lost or is an older copy.

Who follows takes nothing older (RFC 1982) and asks for what changed since the serial that it has.  So a gap is left
after what is stored at the start, wider than what is given out before those are heard who have other serials; and
when somebody has a later one that was never given out here, the serials go on after that.  No I/O.
"""

from __future__ import annotations

from typing import Final

from discovery.registry.content import SERIALS, later, next_serial

PAUSE_SECONDS: Final = 1.0
"""At least, from one time that the serials go ahead of others' to the next."""
FARTHEST: Final = SERIALS // 4
"""That they go at a time: who has the serial before must not take the next one for an older one."""


class Lineage:
    """Of one zone from one start on."""

    def __init__(self, gap: int) -> None:
        """`gap`: serials that are left out."""
        self._gap = gap
        self._has_begun = False
        self._heard: int | None = None
        self._jumped_at = float("-inf")

    def next(self, serial: int) -> int:
        """The serial after `serial`, which is in force."""
        return next_serial(serial if self._has_begun else serial + self._gap)

    def stored(self) -> None:
        """One is given out."""
        self._has_begun = True

    def hear(self, theirs: int, ours: int) -> bool:
        """Whether somebody who has `theirs` is ahead of us."""
        if later(theirs, ours):
            self._heard = theirs
        return later(theirs, ours)

    def jump(self, ours: int, now: float) -> tuple[int, int] | None:
        """The serial that others have, and the one to go on with; None: they have none that is later, or not yet.

        What was heard stays until that is in force, since a question that is asked again may not be heard again.
        """
        heard = self._heard
        if heard is None or now < self._jumped_at + PAUSE_SECONDS:
            return None
        if not later(heard, ours):
            self._heard = None
            return None
        self._jumped_at = now
        is_far = (heard - ours) % SERIALS > FARTHEST
        return heard, next_serial(ours + FARTHEST if is_far else heard + self._gap)
