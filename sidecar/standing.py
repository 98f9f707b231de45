"""What a process knows of itself in every role, as the admin server, readiness and the announcements see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from config.configset import ConfigSet
from config.errors import Fault
from config.meta import Named, ObjectKey
from discovery.catalog import Catalog, Snapshot
from discovery.platforms.base import WorkloadStatus
from mesh.status import ACCEPTED, ObjectStatus
from sidecar.doors import Door
from sidecar.families import Reloads
from sidecar.readiness import Missing

LAST_GOOD = "what is written has errors: its last good version is in force"


@dataclass(slots=True, kw_only=True)
class Standing:
    """A process that carries no traffic and runs nothing."""

    config_set: ConfigSet
    faults: tuple[Fault, ...]
    catalog: Catalog
    reloads: Reloads
    kept: frozenset[ObjectKey] = frozenset()
    """Objects that are in force in their last good version."""
    autoscaled: Callable[[ObjectKey], ObjectStatus | None] = lambda _: None
    """What became of an autoscaler, or of the scaling of a policy; None of what is neither, and where none acts."""
    lacks: list[Callable[[], Missing | None]] = field(default_factory=list)
    """Who says what else keeps this weft from being ready."""
    watchers: list[Callable[[], None]] = field(default_factory=list)
    """Who is told when there may be something new to show."""
    draining: bool = False
    """The process is about to end."""

    @property
    def snapshot(self) -> Snapshot:
        return self.catalog.snapshot

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever there may be something new to show."""
        self.watchers.append(changed)
        self.catalog.subscribe(lambda _: changed())

    def stirred(self) -> None:
        """Something that lacked is there."""
        for changed in self.watchers:
            changed()

    def doors(self) -> Iterator[Door]:
        """Where this process takes traffic."""
        return iter(())

    def listens(self, named: Named) -> dict[str, list[str]]:
        """By the ports of a Service: the addresses that are really bound for it."""
        return {}

    def workloads(self) -> tuple[WorkloadStatus, ...]:
        """What it runs."""
        return ()

    def missing(self) -> list[Missing]:
        """All that keeps this weft from being ready."""
        if self.draining:
            return [Missing("weft", "it is stopping")]
        return [lack for each in self.lacks if (lack := each()) is not None]

    def status(self, key: ObjectKey) -> ObjectStatus:
        """What became of an object."""
        return self._told(key, self.autoscaled(key) or ACCEPTED, ())

    def _told(self, key: ObjectKey, status: ObjectStatus, remarks: tuple[str, ...]) -> ObjectStatus:
        more = (*((LAST_GOOD,) if key in self.kept else ()), *remarks)
        return msgspec.structs.replace(status, reasons=(*status.reasons, *more)) if more else status

    def not_in_force(self) -> Iterator[tuple[ObjectKey, ObjectStatus]]:
        """Objects that are valid and yet not, or not wholly, in force."""
        for key in self.config_set.sources:
            status = self.status(key)
            if status.state != "accepted":
                yield key, status
