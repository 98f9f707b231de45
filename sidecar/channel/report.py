"""The counters that a node hands to the registry: at most once a second, and only those that changed since.

They are taken in slices, since they are counted on the loop that carries the traffic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator
from typing import Final

from mesh.stats import BackendFrame, StatsFrame
from mesh.steps import run_in_slices
from sidecar.channel.messages import MOST_BACKENDS, Stats

SECONDS: Final = 1.0

Take = Callable[[], Generator[None, None, StatsFrame]]


class Report:
    """What was sent of the counters on one connection after the other."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._sent: dict[tuple[str, str, str], BackendFrame] = {}
        self._whole = True
        self.next = 0.0
        """When counters are sent again, in seconds of the clock that `due` is given."""

    def begin(self) -> None:
        """There is a new connection: everything is to be said."""
        self._sent, self._whole, self.next = {}, True, 0.0

    def hurry(self) -> None:
        """Do not wait for the second to pass."""
        self.next = 0.0

    async def due(self, now: float) -> AsyncIterator[Stats]:
        """What is to be sent now, all of which is."""
        if now < self.next:
            return
        self.next = now + SECONDS
        frame = await run_in_slices(self._take())
        counted = {(each.namespace, each.service, each.port): each for each in frame.backends}
        whole = self._whole or bool(self._sent.keys() - counted.keys())
        news = [each for name, each in counted.items() if whole or self._sent.get(name) != each]
        self._sent, self._whole = counted, False
        for start in range(0, len(news) if news else whole, MOST_BACKENDS):
            yield Stats(news[start : start + MOST_BACKENDS], whole=whole and start == 0)
