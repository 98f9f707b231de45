"""What exists by the manifests alone: Services, and the endpoints that are written, told to the catalog in steps."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from itertools import islice
from typing import Final

from config.configset import ConfigSet
from config.meta import Named
from discovery.catalog import Catalog
from discovery.membership import PortEndpoints
from discovery.sources import manifest
from mesh.steps import run_in_slices, run_to_end

BATCH: Final = 100
"""Services whose endpoints are told to the catalog at a time."""
SOURCE: Final = "manifest"


class Existing:
    """Keeps `catalog` told of what is written."""

    def __init__(self, config_set: ConfigSet) -> None:
        self.catalog = Catalog()
        self._given: Mapping[Named, PortEndpoints] = {}
        self.catalog.define(config_set.services)
        run_to_end(self._give(run_to_end(self._endpoints(config_set))))

    async def change(self, config_set: ConfigSet) -> None:
        """This is what is written now."""
        await asyncio.sleep(0)  # the caller may have looked at all objects, and here they are looked at once more
        given = await run_in_slices(self._endpoints(config_set))
        await run_in_slices(self.catalog.define_steps(config_set.services))
        await run_in_slices(self._give(given))

    def _endpoints(self, config_set: ConfigSet) -> Generator[None, None, Mapping[Named, PortEndpoints]]:
        """The endpoints that are written, those that are as before being the same objects."""
        given: dict[Named, PortEndpoints] = {}
        for name, made in manifest.by_service(config_set):
            before = self._given.get(name)
            given[name] = before if before == made else made
            yield
        return given

    def _give(self, given: Mapping[Named, PortEndpoints]) -> Generator[None, None, None]:
        """Tell the catalog what differs, some Services at a time."""
        before = map(self._given.get, given)
        changed = {name: now for (name, now), old in zip(given.items(), before, strict=True) if now is not old}
        changed |= {name: {} for name in self._given.keys() - given.keys()}
        self._given = given
        rest = iter(changed.items())
        while batch := dict(islice(rest, BATCH)):
            self.catalog.change_endpoints(SOURCE, batch)
            yield
