"""How long changes take to come in force: from when this node learned of one to the table that holds it.

It is the node's part of what kube-proxy calls network programming.  Changes that one table brings in force together
count once, from the first of them, so what is counted is the longest that any change of the table took.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from mesh.exposition import Family, Sample

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""
NAME: Final = "weft_network_programming_duration_seconds"


TEXT: Final = "From learning of a change of endpoints or configuration to the table in force that holds it."


class Durations:
    """A histogram of seconds."""

    def __init__(self, name: str, text: str) -> None:
        """`name` and `text` are those of the metric."""
        self._name = name
        self._text = text
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """It took so long once more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def families(self) -> Iterator[Family]:
        name, bounds = self._name, (*map(str, BOUNDS), "+Inf")
        below = tuple(accumulate(self._counts))
        samples = [Sample(f"{name}_bucket", {"le": le}, n) for le, n in zip(bounds, below, strict=True)]
        samples += [Sample(f"{name}_sum", {}, self._sum), Sample(f"{name}_count", {}, below[-1])]
        yield Family(name, "histogram", self._text, samples)


class Convergence:
    """A histogram of tables that brought a change."""

    def __init__(self) -> None:
        self._since: float | None = None
        """When the first change was learned of that no table holds yet."""
        self._durations = Durations(NAME, TEXT)

    def learned(self, now: float) -> None:
        """There is a change; `now` is in seconds of any clock that never goes back."""
        if self._since is None:
            self._since = now

    def taken(self) -> float | None:
        """A table is being made of all changes until now; what `published` is to be told of it."""
        since, self._since = self._since, None
        return since

    def published(self, since: float | None, now: float) -> None:
        """The table is in force whose changes were `taken`."""
        if since is not None:
            self._durations.add(now - since)

    def families(self) -> Iterator[Family]:
        return self._durations.families()
