"""What a platform is: replicas out, replica counts in.

A platform runs the Deployments of a ConfigSet somewhere: as processes here, as containers elsewhere.  It
says which replicas exist and whether they are ready, and takes the number that there should be (the
autoscaler's ScaleTarget by shape).  It never knows what a request is: that no request is left in flight on a
replica it learns by awaiting `Drained`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from config.configset import ConfigSet
from discovery.endpoint import Replica, WorkloadRef
from discovery.workloads.conditions import Condition

Drained = Callable[[str, float], Awaitable[None]]
"""``drained(replica_id, deadline)`` returns once no proxy sends to the replica and nothing is in flight on it.

`deadline` is absolute, in seconds on the event loop's clock; whoever waits gives up then."""

ReplicasChanged = Callable[[tuple[Replica, ...]], None]


class ReplicaStatus(msgspec.Struct, frozen=True):
    """One replica for people to read; `message` is empty while there is nothing to say."""

    id: str
    ready: bool
    running: bool
    terminating: bool
    restarts: int
    pending: bool = False
    """Not all of its containers have been started yet."""
    started: float = 0.0
    """Unix time at which it was made."""
    since: float = 0.0
    """Unix time at which it last changed between ready and not ready; at first that at which it was made."""
    message: str = ""
    last_end: str = ""
    """Why a container of it ended the last time; empty when none has."""
    logs: tuple[str, ...] = ()
    """Files that hold its output, one per container."""


class ContainerUsage(msgspec.Struct, frozen=True):
    """What one container of a replica uses now, and asked for."""

    container: str
    cpu_seconds: float | None = None
    """Since its process was started; None: not known."""
    memory: float | None = None
    """Bytes; None: not known."""
    requests: dict[str, str] = {}
    """Quantities by resource; limits where only these are written."""
    at: float | None = None
    """When the seconds were counted, by a clock of the platform's own that only goes forward; None: just now."""


class WorkloadStatus(msgspec.Struct, frozen=True):
    """Desired and actual replicas of one workload; terminating replicas count nowhere."""

    workload: WorkloadRef
    desired: int
    running: int = 0
    """Replicas all of whose containers have a process."""
    ready: int = 0
    updated: int = 0
    """Replicas made from the current template."""
    restarts: int = 0
    message: str = ""
    """The last thing that went wrong and still matters; empty when nothing did."""
    replicas: tuple[ReplicaStatus, ...] = ()
    existing: int = 0
    """All that are not terminating."""
    available: int = 0
    """Ready for ``minReadySeconds``."""
    unavailable: int = 0
    """Wanted in any revision, and not available."""
    revision: int = 0
    """Number of the current revision; 0: there is none."""
    paused: bool = False
    conditions: tuple[Condition, ...] = ()
    rolled_back: str = ""
    """Why an older template than the manifest's is in force, without anybody's asking; empty: it is not."""
    departs: bool = False
    """The template in force is another than the manifest's, apart from a restart."""

    @property
    def complete(self) -> bool:
        """Whether what should run is running and ready, from the current template unless that is held back."""
        return self.ready >= self.desired and (self.paused or self.updated == self.desired)


class PlatformStanding(msgspec.Struct, frozen=True):
    """How a platform stands with whoever really runs the replicas, such as an engine."""

    name: str
    host: str
    """Where that is asked."""
    connected: bool
    """Else what is known of replicas is stale: it is what was known last."""
    reason: str = ""
    """Why it is not connected."""
    since: float = 0.0
    """Unix time at which `connected` last changed."""
    connections: int = 0
    """Made so far."""
    replicas: int = 0
    """Known, stale or not."""
    remarks: tuple[str, ...] = ()
    """What is otherwise than one might think, in words for the user."""


class Platform(Protocol):
    """Runs workloads.  All methods are for the event loop's thread."""

    async def apply(self, config_set: ConfigSet) -> None:
        """Make the Deployments of `config_set` the ones that run; returns when all changes are under way."""

    def replicas(self) -> tuple[Replica, ...]:
        """All replicas that exist, ready or not, oldest first."""

    def subscribe(self, callback: ReplicasChanged) -> None:
        """Call `callback` with all replicas at once on every change."""

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        """One status per workload, by namespace and name."""

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        """Raises KeyError for a workload that this platform does not run."""

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Want `replicas` copies; when some must go, `victims` (replica ids) go first.

        Holds until the manifest's own number changes.  Raises KeyError as `read` does, and OSError, in words for the
        user, when whoever runs them does not take it.
        """

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        """What the replicas of a workload use now, by replica and container; empty for one that is not run here."""

    async def close(self) -> None:
        """Drain and stop all replicas."""
