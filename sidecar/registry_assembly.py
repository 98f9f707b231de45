"""The registry alone: the written zones, and the names of the Services that are written, without any traffic.

Its catalog follows the manifests and the written zone as a node's does, so that it answers as every node does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from config.changes import same
from config.settings import NodeConfigSpec
from discovery.catalog import Snapshot
from discovery.platforms.making import finding
from mesh.exposition import render
from mesh.metrics import process_families
from sidecar import views
from sidecar.autoscaling import Autoscaling
from sidecar.dns import NodeDNS
from sidecar.documents import Answer, Question, Stream, Write
from sidecar.errors import UserError
from sidecar.existing import Existing
from sidecar.families import Reloads, build_info
from sidecar.fingerprints import new_fingerprints
from sidecar.garbage import Garbage
from sidecar.registry import Registry
from sidecar.scales import Scales
from sidecar.standing import Standing
from sidecar.state import FOUND, StateFolder
from sidecar.written import Written

if TYPE_CHECKING:
    from sidecar.platforms import Platforms


class RegistryAssembly:
    """All parts of a registry that is nothing else.  Needs a running event loop."""

    def __init__(self, written: Written, state: StateFolder) -> None:
        config_set = written.config_set
        self._existing = Existing(config_set)
        self._reloads = Reloads()
        self._hide = new_fingerprints(state.path)
        catalog = self._existing.catalog
        self.running = Standing(config_set=config_set, faults=(), catalog=catalog, reloads=self._reloads)
        self._tell(written)
        self._zones = Registry(config_set, catalog, state.path, Random())
        self.dns = NodeDNS(config_set, catalog, state.path, self._zones)
        self._platforms = _platforms(config_set.node, state)
        self.dns.follow_scales(self._scales().sleeps)
        self.autoscaling = Autoscaling(config_set, target=self._platforms, standby=self._zones.standby)
        self.running.autoscaled = self.autoscaling.status

    async def start(self) -> None:
        """Open the DNS server.  Raises UserError if its address cannot be used: others must find it there."""
        self.running.catalog.subscribe(self._changed)
        self._changed(self.running.snapshot)
        await self.dns.start()
        if self.dns.served is None or self.dns.note:
            raise UserError(f"DNS is not served at {self.running.config_set.node.dns}: {self.dns.note}")
        garbage = Garbage(lambda: 0)
        garbage.keep()
        self._zones.grown.append(garbage.keep)

    async def run_beside(self) -> None:
        """What runs until the end of `stop`, until cancelled."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self.dns.run())
            beside.create_task(self.autoscaling.run())

    async def start_platform(self) -> None:
        """Nothing runs here but the registry; what platforms find is looked at."""
        if self._platforms is not None:
            await self._platforms.apply(self.running.config_set)

    async def reload(self, written: Written) -> None:
        """Put in force what is written now."""
        changed = not same(self.running.config_set, written.config_set)
        self._tell(written)
        if changed:
            await self._existing.change(written.config_set)
            self._zones.define(written.config_set)
            await self._zones.fill()
            self._changed(self.running.snapshot)
            self.autoscaling.define(written.config_set)

    async def drain(self, delay: float) -> None:
        """Say that the end is near: those who ask have others to turn to."""
        self.running.draining = True
        await asyncio.sleep(delay)

    async def stop(self) -> None:
        """Finish what is under way."""
        self.running.draining = True
        self.autoscaling.stop()
        if self._platforms is not None:
            await self._platforms.close()
        await self.dns.close()

    def answers(self) -> dict[str, Answer]:
        """What the admin server says, by path."""
        own = {"/api/v1/dns": self.dns.document, "/api/v1/autoscalers": self.autoscaling.document}
        platforms = {"/api/v1/platforms": self._platforms.document} if self._platforms is not None else {}
        return {**views.answers(self.running, self._hide), **own, **platforms}

    def questions(self) -> dict[str, Question]:
        """Where no traffic goes, nothing is to be explained."""
        return {}

    def writes(self) -> dict[str, Write]:
        """What is stored is changed through the channel's own."""
        return {}

    def streams(self) -> dict[str, Stream]:
        """Where no traffic goes, nothing happens."""
        return {}

    def metrics(self) -> Iterator[bytes]:
        """The page of /metrics."""
        own = chain(self._reloads.families(), [build_info()], self.dns.families(), self.autoscaling.families())
        platforms = self._platforms.families() if self._platforms is not None else ()
        return render(chain(own, platforms, process_families()))

    def _scales(self) -> Scales:
        """Deployments run elsewhere, so their manifests count."""
        scales = Scales(lambda: self.running.config_set, lambda _: None)
        if self._platforms is not None:
            scales.sizes.append(self._platforms.size)
        return scales

    def _tell(self, written: Written) -> None:
        """Have readers know what was read, and how that went."""
        self.running.config_set, self.running.faults = written.config_set, written.faults
        self.running.kept = frozenset(written.kept)
        self._reloads.read(successful=not written.failed, at=time.time())

    def _changed(self, snapshot: Snapshot) -> None:
        self.dns.put_in_force(self.running.config_set, snapshot)


def _platforms(node: NodeConfigSpec, state: StateFolder) -> Platforms | None:
    """None: nobody's services and tasks are to be looked at here, so that nothing for it is imported."""
    if not finding(node.platforms):
        (state.path / FOUND).unlink(missing_ok=True)
        return None
    from sidecar.platforms import found_for_registry

    return found_for_registry(node, state)
