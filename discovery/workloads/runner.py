"""What a platform must be able to do for Deployments to run on it: start, stop and list replicas, nothing more.

When to start and stop which is decided above this seam, from what `Runner.replicas` lists: the list is the truth,
whoever started what is in it.  So replicas that outlived weft are adopted by being listed, with the digest that
they were made with, and those of a Deployment that is gone are stopped.  Starting and stopping only begin here;
how they went is seen in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

from config.configset import ConfigSet
from config.resources.workloads import Deployment
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, ReplicaStatus

RunnerChanged = Callable[[WorkloadRef | None], None]
"""Says whose replicas changed; None: anybody's may have."""


class Unrunnable(Exception):
    """A template that cannot run here; `faults` says why, one line for each container."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class CannotStart(Exception):
    """A replica that cannot be begun now, in words for the user; it is tried again after the next change."""


class Revision(Protocol):
    """A pod template made ready to run on a platform, with all that decides what its replicas run."""

    @property
    def digest(self) -> str:
        """Equal where replicas need no replacement; lower-case letters and digits, fit for names and labels."""


class ReplicaHandle(Protocol):
    """One replica that exists, from before its first container runs until nothing of it is left."""

    @property
    def id(self) -> str: ...
    @property
    def digest(self) -> str:
        """Of the revision that it was made from."""

    @property
    def ready(self) -> bool:
        """All of its containers run and their probes say so; never while it is terminating."""

    @property
    def terminating(self) -> bool: ...
    @property
    def since(self) -> float:
        """Unix time at which `ready` last changed; at first that at which the replica was made."""

    @property
    def published(self) -> Replica:
        """What everyone else sees of it; the same object until it differs."""

    def terminate(self) -> None:
        """Have it end: terminating at once; then drained, SIGTERM, grace period, SIGKILL.  Again: nothing."""

    def status(self) -> ReplicaStatus: ...
    def usage(self) -> tuple[ContainerUsage, ...]: ...


R = TypeVar("R", bound=Revision)


class Runner(Protocol[R]):
    """Replicas on one platform.  All methods are for the event loop's thread."""

    @property
    def known(self) -> bool:
        """Whether `replicas` lists all there are; while it does not, nothing is started or stopped."""

    async def define(self, config_set: ConfigSet) -> None:
        """Put `config_set` in force for what is made ready and started from now on; called before anything else."""

    def revise(self, deployment: Deployment) -> R:
        """What `deployment` runs here; raises Unrunnable."""

    def start(self, workload: WorkloadRef, revision: R, replica_id: str) -> None:
        """Begin a replica: it is listed from now on, not ready.  Raises CannotStart."""

    def replicas(self, workload: WorkloadRef) -> Sequence[ReplicaHandle]:
        """All that exist of a workload, terminating ones too, oldest first."""

    def workloads(self) -> Collection[WorkloadRef]:
        """Those that have replicas, also such as nobody asked for in this run of weft."""

    def subscribe(self, changed: RunnerChanged) -> None:
        """Call `changed` after each change that is not `start` or `terminate` itself: a replica became ready or
        unready, showed up, or is gone; or `known` differs."""

    async def close(self) -> None:
        """End what must not outlive weft, drained and with its grace period, and leave the rest; called last."""
