"""Which Services a sidecar follows: those that are named, and those that something was sent to, from then on.

What is sent to one that is not followed yet waits until it is known, which is when a table is in force that was made
of a copy with its names.  Who does not answer in time is not waited for again; what it says counts when it comes.
No I/O, and no clock of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from config.meta import Named
from discovery.registry.parts import Parts
from discovery.registry.wire import to_wire

MOST: Final = 500
"""Services that are followed besides those that are named; the one that was met first is forgotten first."""
PATIENCE: Final = 5.0
"""Seconds that a Service is waited for."""


def part_of(named: Named) -> bytes:
    """The part of the zone that tells of a Service."""
    return to_wire((named.name.encode(), named.namespace.encode()))[:-1]


class Uses:
    """All that is known of it; times are seconds of any steady clock."""

    def __init__(self, named: Iterable[Named], now: float) -> None:
        self._named = dict.fromkeys(named, now)
        self._services: Collection[Named] = ()
        self._met: dict[Named, float] = {}
        """When each was used first, the oldest first."""
        self._known: Parts = frozenset()

    def define(self, services: Collection[Named]) -> None:
        """These Services are there now."""
        self._services = services
        self._met = {each: at for each, at in self._met.items() if each in services}

    def use(self, service: Named, now: float) -> bool:
        """Something is sent to it; whether it is to be followed that was not."""
        if service in self._met or service in self._named or service not in self._services:
            return False
        if len(self._met) >= MOST:
            del self._met[next(iter(self._met))]
        self._met[service] = now
        return True

    def lacks(self, service: Named, now: float) -> bool:
        """Whether it is worth waiting for what the registry says of it."""
        if service not in self._services or part_of(service) in self._known:
            return False
        since = self._named.get(service, self._met.get(service, now))
        return now - since < PATIENCE

    @property
    def parts(self) -> Parts:
        """What is to be followed."""
        return frozenset(map(part_of, (*self._named, *self._met)))

    def known(self, parts: Parts) -> None:
        """What is in force was made of these."""
        self._known = parts
