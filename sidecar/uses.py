"""Which Services a sidecar follows: those that are named, and those that something was sent to, from then on.

Those that it does not know are *sought*: whoever has the manifests is asked for them, and tells of them when they come.

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
MOST_SOUGHT: Final = 200
"""Services that were asked about and are not there; the one that was asked about first is forgotten first."""
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
        self._sought: dict[Named, float] = {}
        """When each was asked about first that is not there, the oldest first."""
        self._absent: frozenset[Named] = frozenset()
        """Of which it is known that they are not there."""

    def define(self, services: Collection[Named], now: float) -> bool:
        """These Services are there now; whether one of them is to be followed that was sought."""
        self._services = services
        self._met = {each: at for each, at in self._met.items() if each in services}
        self._absent -= set(services)
        found = [each for each in self._sought if each in services]
        for each in found:
            del self._sought[each]
            self.use(each, now)
        return bool(found)

    def use(self, service: Named, now: float, *, can_ask: bool = False) -> bool:
        """Something is sent to it; whether it is to be followed, or sought, that was not.

        `can_ask`: whether those can be sought that are not there.
        """
        if service in self._met or service in self._named or service in self._sought:
            return False
        there, most = (self._met, MOST) if service in self._services else (self._sought, MOST_SOUGHT)
        if there is self._sought and not can_ask:
            return False
        if len(there) >= most:
            del there[next(iter(there))]
        there[service] = now
        return True

    def lacks(self, service: Named, now: float, *, can_ask: bool = False) -> bool:
        """Whether it is worth waiting for what the registry says of it; `can_ask`: now, of one that is not there."""
        if service not in self._services:
            sought = self._sought.get(service, self._named.get(service, now))
            return can_ask and service not in self._absent and now - sought < PATIENCE
        if part_of(service) in self._known:
            return False
        since = self._named.get(service, self._met.get(service, now))
        return now - since < PATIENCE

    @property
    def parts(self) -> Parts:
        """What is to be followed."""
        return frozenset(map(part_of, (*self._named, *self._met)))

    @property
    def wanted(self) -> tuple[Named, ...]:
        """All whose manifests are wanted."""
        return (*self._named, *self._met, *self._sought)

    def answered(self) -> None:
        """All that are wanted and there are here."""
        self._absent = frozenset(self._sought) | {each for each in self._named if each not in self._services}

    def known(self, parts: Parts) -> None:
        """What is in force was made of these."""
        self._known = parts
