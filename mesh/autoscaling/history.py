"""What an autoscaler remembers: what it recommended, and how it changed the size.

Of recommendations only the latest moment of each number matters, for a window either reaches back to it or does
not.  Both are forgotten after the longest window and period that autoscaling/v2 allows.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

LONGEST_WINDOW = 3600.0
LONGEST_PERIOD = 1800.0
MOST = 4000
"""Recommendations, and changes; the oldest are forgotten first."""


class Change(msgspec.Struct, frozen=True, gc=False):
    at: float
    by: int
    """Replicas more; negative: fewer."""


class History(msgspec.Struct, frozen=True):
    """Times are in seconds of any clock that only goes forward."""

    recommendations: Mapping[int, float] = {}
    """Number to when it was last recommended."""
    changes: tuple[Change, ...] = ()

    def recommended(self, replicas: int, now: float) -> History:
        """With one more recommendation, and without what is too old."""
        kept = {number: at for number, at in self.recommendations.items() if at > now - LONGEST_WINDOW}
        kept.pop(replicas, None)
        for number in tuple(kept)[: max(0, len(kept) - MOST + 1)]:
            del kept[number]
        return msgspec.structs.replace(self, recommendations={**kept, replicas: now})

    def changed(self, by: int, now: float) -> History:
        """With one more change of the size."""
        kept = tuple(change for change in self.changes if change.at > now - LONGEST_PERIOD)
        return msgspec.structs.replace(self, changes=(*kept[-MOST + 1 :], Change(now, by)))

    def net(self, period: float, now: float) -> int:
        """How many replicas more there are than `period` seconds ago, by the autoscaler's own doing."""
        return sum(change.by for change in self.changes if change.at > now - period)
