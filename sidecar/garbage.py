"""When the garbage collector of the interpreter looks, and at what: a look at everything holds the loop.

The objects of thousands of Services live as long as their table, and to find that out takes a tenth of a second.  So
they are put aside once they are in force, and while they are being made nobody looks.  What is put aside is never
looked at again, and with it whatever else is there at that moment: a client's connection that closes afterwards
leaves some objects that refer to each other.  These are counted, and now and then everything is looked at after all.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS: Final = 5000
"""More than before, until those are looked at: lines of the access log that are to be written are no garbage."""
MANY_OBJECTS: Final = 500
"""That change at a time; fewer are left to the collector, which looks at what is young."""
MOST_CLIENTS: Final = 4096
"""Whose connections were put aside, at about 3 KiB each, until everything is looked at."""


class Garbage:
    """Of a process that carries traffic; `clients` says how many connections are open."""

    def __init__(self, clients: Callable[[], int]) -> None:
        self._clients = clients
        self._put_aside = 0
        gc.set_threshold(YOUNG_OBJECTS)
        self._changes = 0
        """That are large and not over: the zone may grow while a table is compiled in slices."""

    def keep(self) -> None:
        """Put aside all there is; looking begins, or goes on, with what comes from now on, but in a large change."""
        self._put_aside += self._clients()
        if self._put_aside > MOST_CLIENTS:
            self._put_aside = 0
            gc.unfreeze()
            gc.collect()
        gc.freeze()
        if not self._changes:
            gc.enable()

    @contextmanager
    def unsought(self, changed: int) -> Iterator[None]:
        """For a change of so many objects, which live on: if they are many, nobody looks until they are kept."""
        if changed < MANY_OBJECTS:
            yield
            return
        gc.disable()
        self._changes += 1
        try:
            yield
        finally:
            self._changes -= 1
            self.keep()
