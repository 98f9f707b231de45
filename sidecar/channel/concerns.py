"""What there is to know of a Service, for who uses a few and is not to hold all: found without looking at the rest.

Beside the Service these are its endpoints and policies, the Services that policies hand its requests to, and so on,
and the Secrets that all of these name.  Ingresses are none of it: who enters the mesh by one uses what is behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

from config.meta import Named, ObjectKey
from sidecar.channel.selection import Stored


class Concerns:
    """By Service, the objects that tell of it."""

    def __init__(self) -> None:
        self._objects: dict[Named, dict[ObjectKey, Stored]] = {}

    def put(self, stored: Stored) -> None:
        for service in stored.services:
            self._objects.setdefault(service, {})[stored.manifest.key] = stored

    def remove(self, stored: Stored) -> None:
        for service in stored.services:
            there = self._objects.get(service, {})
            there.pop(stored.manifest.key, None)
            if not there:
                self._objects.pop(service, None)

    def of(self, services: Iterable[Named]) -> frozenset[ObjectKey]:
        """All that concerns these; Secrets may not be there."""
        found: set[ObjectKey] = set()
        rest, seen = list(services), set[Named]()
        while rest:
            service = rest.pop()
            if service in seen:
                continue
            seen.add(service)
            for key, stored in self._objects.get(service, {}).items():
                found |= {key, *stored.secrets}
                rest += stored.destinations
        return frozenset(found)
