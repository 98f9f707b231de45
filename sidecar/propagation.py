"""How long changes of the registry take to come in force here: from the NOTIFY that tells of one to the table.

The NOTIFY is sent at once after a change is stored, and is the first that a node can know of it.  What came without
one, because it got lost, is not counted.  Changes that come in force together count once, from the first of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from discovery.registry.content import later
from mesh.exposition import Family
from sidecar.convergence import Durations

NAME: Final = "weft_propagation_seconds"
MOST: Final = 1000
"""Serials that are waited for at a time."""


class Propagation:
    """Seconds are those of any clock that never goes back."""

    def __init__(self) -> None:
        self._heard: deque[tuple[int, float]] = deque(maxlen=MOST)
        """Serials that the copy does not have yet, and when they were heard of."""
        self._coming: deque[tuple[int, float]] = deque(maxlen=MOST)
        """Generations of the catalog that are not in force yet, and since when their changes were known of."""
        self._latest = 0
        """Of the generations that were told of."""
        self._durations = Durations(NAME, "From a NOTIFY of a change of the registry to the table in force here.")

    def heard(self, serial: int, now: float) -> None:
        """A NOTIFY said that there is this serial."""
        self._heard.append((serial, now))

    def copied(self, serial: int, generation: int) -> None:
        """The copy has `serial`, and the catalog made this generation of it."""
        since = [at for each, at in self._heard if not later(each, serial)]
        self._heard = deque(((each, at) for each, at in self._heard if later(each, serial)), MOST)
        if since and generation > self._latest:
            self._coming.append((generation, min(since)))
        self._latest = max(self._latest, generation)

    def in_force(self, generation: int, now: float) -> None:
        """A table is in force that was made of this generation of the catalog."""
        self._latest = max(self._latest, generation)
        since = []
        while self._coming and self._coming[0][0] <= generation:
            since.append(self._coming.popleft()[1])
        if since:
            self._durations.add(now - min(since))

    def families(self) -> Iterator[Family]:
        """The histogram."""
        return self._durations.families()
