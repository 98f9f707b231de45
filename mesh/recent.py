"""Recent exchanges: a bounded ring of the last ones, and those who watch as exchanges end.

What costs time is to be told of an exchange, and to make a record of it.  So while nobody asks, only exchanges that
the proxy itself ended are recorded, which are on a longer way anyway.  All are told of while the access log is on,
while somebody watches, or if the ring is to keep all: then the data plane only appends to a list, which is handed on
some times a second, and of which records are made when somebody wants to read them.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec.structs import replace

from mesh.access_log import AccessRecord, Ended, record_of, wall

Told = Callable[[Ended], None]
Watcher = Callable[[Sequence[Ended]], None]

LONGEST: Final = 2048
"""Characters of a target that are kept: it is the client's choice, and may be 16 KiB."""
PERIOD: Final = 0.05
"""Seconds for which what has ended is gathered."""


class Recorded(Protocol):
    """What tells of its exchanges; the Proxy does."""

    access_log: Told | None
    failure_log: Told | None

    @property
    def loop(self) -> AbstractEventLoop: ...


class Recent:
    """Gathers what ends while somebody watches, keeps the last, and hands it to all who do."""

    __slots__ = ("_ended", "_every", "_proxy", "_ring", "_timer", "_watchers")

    def __init__(self, proxy: Recorded, size: int, every: bool = False) -> None:
        """`size`: records that are kept, 0 and more; `every`: those of good exchanges too, whether watched or not."""
        self._proxy = proxy
        self._every = every
        self._ring: deque[Ended] = deque(maxlen=size)
        self._watchers: tuple[Watcher, ...] = ()
        self._ended: list[Ended] = []
        """What was not handed on yet."""
        self._timer: TimerHandle | None = None
        self._settle()

    def gather(self) -> None:
        """Hand on what has ended."""
        ended = self._ended[:]
        self._ended.clear()  # the data plane holds this list's own method
        self._ring += [
            each if type(each) is tuple and len(each[2]) <= LONGEST else _shortened(each)
            for each in ended[-(self._ring.maxlen or 1) :]
        ]
        if ended:
            for watcher in self._watchers:
                watcher(ended)

    @property
    def complete(self) -> bool:
        """Whether good exchanges are recorded too, now."""
        return self._proxy.access_log is not None

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` soon of every exchange that ends from now on."""
        self.gather()
        self._watchers += (watcher,)
        self._settle()

    def leave(self, watcher: Watcher) -> None:
        """It watches no longer."""
        self.gather()
        self._watchers = tuple(other for other in self._watchers if other != watcher)
        self._settle()

    def records(self) -> tuple[AccessRecord, ...]:
        """Those that are kept, the latest last."""
        self.gather()
        began = wall()
        return tuple([record_of(ended, began) for ended in self._ring])

    def find(self, request_id: str) -> AccessRecord | None:
        """The latest exchange with this id, if it is kept."""
        return next((record for record in reversed(self.records()) if record.request_id == request_id), None)

    def _settle(self) -> None:
        """Ask the data plane for what is wanted, and for nothing else; who only keeps is told by the shortest way."""
        everything = bool(self._watchers) or self._every
        self._proxy.access_log = self._ended.append if everything else None
        self._proxy.failure_log = self._keep
        if everything and self._timer is None:
            self._timer = self._proxy.loop.call_later(PERIOD, self._go_on)
        elif not everything and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = self._proxy.loop.call_later(PERIOD, self._go_on)
        self.gather()

    def _keep(self, ended: Ended) -> None:
        self._ring.append(_shortened(ended))


def _shortened(ended: Ended) -> Ended:
    """What may be kept for long: the client has a say in how long it is."""
    if isinstance(ended, tuple):
        return ended if len(ended[2]) <= LONGEST else _shortened(record_of(ended, wall()))
    return ended if len(ended.target) <= LONGEST else replace(ended, target=ended.target[:LONGEST])
