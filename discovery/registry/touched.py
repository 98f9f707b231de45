"""Which serials of the written zone concern whom: for one who follows some Services, most say nothing new.

Whoever waits until all have a serial in force needs not wait for those whose Services are as they were: what is kept
is the last serial that each Service changed with.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from discovery.registry.content import Content, later, parent
from discovery.registry.targets import followed
from discovery.registry.wire import from_text, to_wire

MOST: Final = 50_000
"""Services that are remembered; with more, all count as changed now."""


class Touched:
    """Told of the names that changed; the other way round, asked about a node."""

    def __init__(self, written: Content, nodes: Content) -> None:
        self._written = written
        self._nodes = nodes
        self._since = written.serial
        """All that is not remembered last changed with this serial, or before it."""
        self._serials: dict[bytes, int] = {}

    def changed(self, names: Iterable[bytes]) -> None:
        """These names of the written zone are other ones now."""
        serial = self._written.serial
        for name in names:
            service = self._service(name)
            if service:
                self._serials[service] = serial
        if len(self._serials) > MOST:
            self._serials.clear()
            self._since = serial

    def last_for(self, name: str) -> int | None:
        """The last serial that changed what the node `name` follows; None: it follows all, or that is not known."""
        try:
            there = self._nodes.nodes.get(to_wire(from_text(name.lower()))[:-1] + self._nodes.origin, ())
        except ValueError:
            return None
        last: int | None = None
        for part in followed(there):
            if self._service(part) != part:
                return None
            serial = self._serials.get(part, self._since)
            last = serial if last is None or later(serial, last) else last
        return last

    def _service(self, name: bytes) -> bytes:
        """The name two labels beneath the zone's, at or above `name`; empty: there is none."""
        if not self._written.within(name):
            return b""
        size, names = len(self._written.origin), [name]
        while len(names[-1]) > size:
            names.append(parent(names[-1]))
        return names[-3] if len(names) > 2 else b""
