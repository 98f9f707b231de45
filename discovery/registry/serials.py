"""Serials of the derived zones: each is the number of the last change that touched it (RFC 1982).

One counter is enough for all of them, so a zone costs nothing until it changes, and one that went and came back is
never behind.  Numbers only rise, over restarts as well: a file says up to where they may be given out, and is written
before the first one beyond that is; who starts goes on from there, or from the clock, whichever is ahead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from discovery.assignments import replace_whole
from discovery.registry.content import SERIALS, later, next_serial

BLOCK: Final = 4096
"""Numbers that are given out between two times that the file is written."""

log = logging.getLogger(__name__)


class Serials:
    """Of the zones of one `Zone`, by their names as wire bytes."""

    def __init__(self, start: int, reserve: Callable[[int], None] = lambda _: None) -> None:
        """`start`: not reached by any number of an earlier process; `reserve`: told how far they may go from now on."""
        self._last = self._reserved = start % SERIALS
        self._reserve = reserve
        self._of: dict[bytes, int] = {}
        self._others = self._last
        """Of all zones that have not changed since."""

    def of(self, zone: bytes) -> int:
        """The serial of a zone."""
        return self._of.get(zone, self._others)

    def changed(self, zones: Collection[bytes]) -> None:
        """These zones have other content now."""
        if zones:
            self._of.update(dict.fromkeys(zones, self._next()))

    def all_changed(self) -> None:
        """All zones have, or may have."""
        self._of.clear()
        self._others = self._next()

    def gone(self, zone: bytes) -> None:
        """That zone is not there now; if it ever comes back, it has changed."""
        self._of.pop(zone, None)

    def _next(self) -> int:
        if self._last == self._reserved:
            self._reserved = (self._last + BLOCK) % SERIALS or 1
            self._reserve(self._reserved)
        self._last = next_serial(self._last)
        return self._last


def kept_in(path: Path, now: float) -> Serials:
    """Serials that go on after those of earlier processes, as `path` says; `now`: seconds since 1970."""
    start = int(now) % SERIALS
    try:
        before = int(path.read_bytes()) % SERIALS
    except (OSError, ValueError):
        before = start
    return Serials(before if later(before, start) else start, lambda most: _keep(path, most))


def _keep(path: Path, most: int) -> None:
    try:
        replace_whole(path, b"%d\n" % most)
    except OSError as error:  # the clock is ahead of them at the next start, unless they rise faster than once a second
        log.warning("serials of the derived zones cannot be kept in %s: %s", path, error.strerror or error)
