"""The copy of the written zone that a node keeps: followed while a registry answers, kept over restarts, and dated.

Whoever serves from the copy serves on when it gets old; here is how old it is.  What a file had at the start is as old
as the file until a registry has answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

from discovery.registry.keepsake import keep, kept
from discovery.registry.keys import Key
from discovery.registry.resolv_conf import Resolver
from discovery.registry.secondary import Secondary
from mesh.exposition import Family, Sample
from sidecar.documents import Document

FILE: Final = "endpoints.zone"
STALE_SECONDS: Final = 30.0
"""Without a word from any registry after which the copy counts as stale."""
KEEP_SECONDS: Final = 5.0
"""From one time that it is written to the file to the next, ..."""
KEEP_SHARE: Final = 50
"""... or so many times as long as that took."""

log = logging.getLogger(__name__)


class ZoneCopy:
    """A copy of one zone; `run` follows it.  Needs a running event loop."""

    def __init__(self, zone: bytes, servers: Sequence[Resolver], key: Key | None, folder: Path, random: Random) -> None:
        """`servers`: who has the zone; `folder`: where the copy is kept."""
        self.secondary = Secondary(zone, servers, key, random, time.time)
        self.content = self.secondary.content
        self._file = folder / FILE
        self._kept_at = 0.0
        """When what was in the file was written, in Unix seconds; 0: there was nothing."""
        self._kept_serial: int | None = None
        self._failed = ""

    @property
    def age(self) -> float | None:
        """Seconds since a registry was last heard, as far as this copy is concerned; None: it never was."""
        if self.secondary.last_contact:
            return asyncio.get_running_loop().time() - self.secondary.last_contact
        return max(time.time() - self._kept_at, 0.0) if self._kept_at else None

    @property
    def is_stale(self) -> bool:
        """Whether no registry has been heard for long, or at all since this process started."""
        age = self.age
        return age is not None and (age > STALE_SECONDS or not self.secondary.last_contact)

    def restore(self) -> None:
        """Have what an earlier run kept, if it kept anything."""
        found = kept(self.content.origin, self._file)
        if found is None:
            return
        serial, nodes = found
        self.content.begin(nodes)
        self.content.serial = serial
        self._kept_serial, self._kept_at = serial, self._file.stat().st_mtime
        self.secondary.synced.set()

    async def run(self) -> None:
        """Follow the zone and keep the copy, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self.secondary.run())
            await self.secondary.synced.wait()
            while True:
                began = time.monotonic()
                await self.keep()
                await asyncio.sleep(max(KEEP_SECONDS, KEEP_SHARE * (time.monotonic() - began)))

    async def keep(self) -> None:
        """Have the file hold what is known now."""
        if not self.secondary.synced.is_set() or self.content.serial == self._kept_serial:
            return
        try:
            self._kept_serial = await keep(self.content, self._file)
            self._failed = ""
        except OSError as error:
            why = error.strerror or str(error)
            if why != self._failed:
                log.warning("the copy of the registry's zone cannot be kept in %s: %s", self._file, why)
            self._failed = why

    def document(self) -> Document:
        """What the admin API says of it."""
        return {
            "serial": self.content.serial,
            "names": len(self.content.nodes),
            "registry": str(self.secondary.primary),
            "age": None if self.age is None else round(self.age, 3),
            "stale": self.is_stale,
            "failure": self.secondary.failure,
        }

    def families(self) -> Iterator[Family]:
        """Metrics of the copy."""
        name, zone = "weft_registry_serial", {"zone": "endpoints"}
        yield Family(name, "gauge", "Serial of a written zone.", [Sample(name, zone, self.content.serial)])
        age = self.age
        if age is not None:
            name = "weft_registry_last_contact_seconds"
            text = "Seconds since a registry was last heard by the copy of a written zone."
            yield Family(name, "gauge", text, [Sample(name, zone, age)])
