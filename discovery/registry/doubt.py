"""Whether a whole zone is believed that lacks what the copy of it has: a primary may have lost its store.

Who registered what is lost there registers it again as soon as that is seen, so a moment later all may be there.  Until
then the copy stays, as it does while no primary answers; and no longer than `HOLD_SECONDS`, for the zone may be right.
No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from discovery.registry.content import Node

HOLD_SECONDS: Final = 3.0
MOST_LOST: Final = 5
"""One in so many names may be lacking, as so many may expire at once."""


Nodes = Mapping[bytes, Node]
"""What a zone has, by name."""


class Doubt:
    """Of one copy."""

    def __init__(self) -> None:
        self.lacks: list[Callable[[Nodes], bool]] = []
        """Asked of a whole zone: whether anything is not there that must be."""
        self._since: float | None = None
        """When a zone came first that was not believed."""

    def settle(self) -> None:
        """The copy is in step with what a primary has: what was not believed was another matter."""
        self._since = None

    def holds(self, copy: Nodes, offered: Nodes, now: float) -> str:
        """Why `offered` is not to take the place of `copy` yet; empty: it is.  `now`: seconds of any steady clock."""
        lost = len(copy.keys() - offered.keys())
        lacks = [ask(offered) for ask in self.lacks]  # each of them has something to do about it
        if self._since is None and (any(lacks) or lost * MOST_LOST > len(copy)):
            self._since = now
        if self._since is not None and (lost or any(lacks)) and now - self._since < HOLD_SECONDS:
            return f"it lacks {lost} of {len(copy)} names that were there"
        self._since = None
        return ""
