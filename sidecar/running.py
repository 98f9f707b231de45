"""What runs in this process, as the admin server, readiness and the announcements see it.

It is only ever read from here, on the event loop that also carries the traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import ObjectKey
from discovery.catalog import Catalog, Snapshot
from discovery.platforms.base import Platform, WorkloadStatus
from mesh.listener import Listeners
from mesh.proxy import Proxy
from sidecar.doors import Door, doors
from sidecar.publisher import Publisher
from sidecar.readiness import Missing, missing


@dataclass(slots=True)
class Running:
    config_set: ConfigSet
    faults: tuple[Fault, ...]
    catalog: Catalog
    proxy: Proxy
    publisher: Publisher
    listeners: Listeners
    platform: Platform

    @property
    def snapshot(self) -> Snapshot:
        return self.catalog.snapshot

    def doors(self) -> Iterator[Door]:
        return doors(self.proxy.table, self.listeners)

    def workloads(self) -> tuple[WorkloadStatus, ...]:
        return self.platform.statuses()

    def missing(self) -> Iterator[Missing]:
        return missing(self.doors(), self.workloads())

    def status(self, key: ObjectKey) -> object:
        """What became of an object: its state and the reasons, as plain data."""
        compiled = self.publisher.compiled
        status = compiled.statuses.get(key) if compiled else None
        return msgspec.to_builtins(status) if status else {"state": "accepted"}
