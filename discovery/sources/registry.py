"""The registry as a source: Services take the endpoints that a written zone has for them.

A few names that changed are told of at once.  Many, such as those of a whole zone, or of all Services at the start,
are due, and are told of in short steps, for which whoever owns the source hands the loop back in between.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from config.meta import Named
from config.resources.core import Service
from discovery.catalog import Catalog, PortEndpoints
from discovery.registry.content import Content
from discovery.registry.registrations import Counts, Registrations

SOURCE: Final = "registry"
AT_ONCE: Final = 32
"""Names or Services that are told of without steps."""
NAMES_IN_STEP: Final = 256
MOST_IN_STEP: Final = 100
"""Endpoints, and Services, that are read in one step; a Service's endpoints are read together."""
SERVICES_AT_ONCE: Final = 100
"""That the catalog is told of together: what it makes of them takes as long for one as for many."""


class RegistrySource:
    """Keeps `catalog` told of what `content` says; single-threaded, without I/O."""

    def __init__(self, catalog: Catalog, content: Content, counts: Counts | None = None) -> None:
        """`counts`: which endpoints are told; None: all."""
        self._catalog = catalog
        self._registrations = Registrations(content, counts)
        self._services: Mapping[Named, Service] = {}
        self._names: deque[Iterator[bytes]] = deque()
        """That changed, and whose Services are not found out yet."""
        self._due: dict[Named, None] = {}
        """Services that are to be told of."""
        self._read: dict[Named, PortEndpoints] = {}
        """What the catalog is to be told next, of Services that are due no more."""
        self._is_due = asyncio.Event()
        self._is_behind = False
        self.settled: list[Callable[[], None]] = []
        """Called when the catalog has all that `changed` was told of."""

    def define(self, services: Mapping[Named, Service]) -> None:
        """These are the Services now; if many differ, they are due."""
        before, self._services = self._services, services
        differ = {name for name, service in services.items() if before.get(name) is not service}
        differ |= before.keys() - services.keys()
        if len(differ) <= AT_ONCE:
            self._tell(differ)
        else:
            self._due.update(dict.fromkeys(differ))
            self._is_due.set()

    def changed(self, names: Iterable[bytes]) -> None:
        """These names of the zone are not what they were; if they are many, they are due."""
        names = tuple(names)
        is_behind, self._is_behind = self._is_behind or bool(self._due or self._read), True
        if len(names) <= AT_ONCE:
            self._tell(self._registrations.touched(names) & self._services.keys(), None if is_behind else names)
            self._settle()
        else:
            self._names.append(iter(names))
            self._is_due.set()

    async def due(self) -> None:
        """Wait until something is."""
        await self._is_due.wait()

    def steps(self) -> Generator[None, None, None]:
        """Tell of all that is due; whatever is told of meanwhile, and whoever else takes steps, is no harm."""
        while self._names:
            if names := tuple(islice(self._names[0], NAMES_IN_STEP)):
                touched = self._registrations.touched(names) & self._services.keys()
                self._due.update(dict.fromkeys(touched))
            else:
                self._names.popleft()
            yield
        while self._due or self._read:
            self._read_some()
            yield
            if len(self._read) >= SERVICES_AT_ONCE or not self._due:
                self._tell_read()
                yield
        if not self._names:
            self._is_due.clear()
        self._settle()

    def _settle(self) -> None:
        if self._is_behind and not (self._names or self._due or self._read):
            self._is_behind = False
            for tell in self.settled:
                tell()

    def _read_some(self) -> None:
        """Read the endpoints of some of the Services that are due."""
        count = 0
        while self._due and count < MOST_IN_STEP:
            name, _ = self._due.popitem()
            self._read[name] = endpoints = self._endpoints(name)
            count += 1 + sum(map(len, endpoints.values()))

    def _tell_read(self) -> None:
        changes, self._read = self._read, {}
        self._catalog.change_endpoints(SOURCE, changes)

    def _tell(self, touched: Iterable[Named], changed: Container[bytes] | None = None) -> None:
        """Of these Services; `changed`: all names that differ from what was told, None: any may."""
        if changes := {name: self._endpoints(name, changed) for name in touched}:
            for name in self._read.keys() & changes.keys():
                del self._read[name]
            self._catalog.change_endpoints(SOURCE, changes)

    def _endpoints(self, name: Named, changed: Container[bytes] | None = None) -> PortEndpoints:
        """What the content has for a Service by now; nothing if there is no such Service any more."""
        service = self._services.get(name)
        return {} if service is None else self._registrations.endpoints(name, service, changed)
