"""Recent exchanges: a bounded ring of the last ones, and those who watch as exchanges end.

What costs time is to make a record, and to leave the shortest way for it; to keep one costs a twentieth of that.
So while nobody asks, only exchanges that the proxy itself ended are recorded, which are on a longer way anyway.
All are, at the price of the access log, while that is on, while somebody watches, or if the ring is to keep all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace

from mesh.access_log import AccessRecord

Watcher = Callable[[AccessRecord], None]

LONGEST: Final = 2048
"""Characters of a target that are kept: it is the client's choice, and may be 16 KiB."""


class Recorded(Protocol):
    """What tells of its exchanges; the Proxy does."""

    access_log: Watcher | None
    failure_log: Watcher | None


class Recent:
    """Callable by the data plane while somebody watches: keeps the record, and hands it to all who do."""

    __slots__ = ("_every", "_proxy", "_ring", "_watchers")

    def __init__(self, proxy: Recorded, size: int, every: bool = False) -> None:
        """`size`: records that are kept, 0 and more; `every`: those of good exchanges too, whether watched or not."""
        self._proxy = proxy
        self._every = every
        self._ring: deque[AccessRecord] = deque(maxlen=size)
        self._watchers: tuple[Watcher, ...] = ()
        self._settle()

    def __call__(self, record: AccessRecord) -> None:
        self._keep(record)
        for watcher in self._watchers:
            watcher(record)

    def _keep(self, record: AccessRecord) -> None:
        if len(record.target) > LONGEST:
            record = replace(record, target=record.target[:LONGEST])
        self._ring.append(record)

    @property
    def complete(self) -> bool:
        """Whether good exchanges are recorded too, now."""
        return self._proxy.access_log is not None

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every exchange that ends from now on."""
        self._watchers += (watcher,)
        self._settle()

    def leave(self, watcher: Watcher) -> None:
        """It watches no longer."""
        self._watchers = tuple(other for other in self._watchers if other != watcher)
        self._settle()

    def records(self) -> tuple[AccessRecord, ...]:
        """Those that are kept, the latest last."""
        return tuple(self._ring)

    def find(self, request_id: str) -> AccessRecord | None:
        """The latest exchange with this id, if it is kept."""
        return next((record for record in reversed(self._ring) if record.request_id == request_id), None)

    def _settle(self) -> None:
        """Ask the data plane for what is wanted, and for nothing else; who only keeps is told by the shortest way."""
        told = self if self._watchers else self._keep
        self._proxy.failure_log = told
        self._proxy.access_log = told if self._watchers or self._every else None
