"""The registry as a source: Services take the endpoints that a written zone has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from config.meta import Named
from config.resources.core import Service
from discovery.catalog import Catalog, PortEndpoints
from discovery.endpoint import Endpoint
from discovery.registry.content import Content
from discovery.registry.registrations import Registrations

SOURCE: Final = "registry"

Counts = Callable[[Endpoint], bool]


class RegistrySource:
    """Keeps `catalog` told of what `content` says; single-threaded, without I/O."""

    def __init__(self, catalog: Catalog, content: Content, counts: Counts | None = None) -> None:
        """`counts`: which endpoints are told; None: all."""
        self._catalog = catalog
        self._counts = counts
        self._registrations = Registrations(content)
        self._services: Mapping[Named, Service] = {}

    def define(self, services: Mapping[Named, Service]) -> None:
        """These are the Services now."""
        before, self._services = self._services, services
        differ = {name for name, service in services.items() if before.get(name) is not service}
        self._tell(differ | (before.keys() - services.keys()))

    def changed(self, names: Iterable[bytes]) -> None:
        """These names of the zone are not what they were."""
        self._tell(self._registrations.touched(names) & self._services.keys())

    def _tell(self, touched: Iterable[Named]) -> None:
        changes = {name: self._endpoints(name) if name in self._services else {} for name in touched}
        if changes:
            self._catalog.change_endpoints(SOURCE, changes)

    def _endpoints(self, name: Named) -> PortEndpoints:
        found = self._registrations.endpoints(name, self._services[name])
        if self._counts is None:
            return found
        counted = {port: tuple(filter(self._counts, there)) for port, there in found.items()}
        return counted if any(counted.values()) else {}
