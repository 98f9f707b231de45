"""All replicas of one runner (see `workloads.runner`), each with a task of its own from its begin to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Generic, Protocol, TypeVar

from discovery.endpoint import WorkloadRef
from discovery.platforms.owned import OwnedTasks
from discovery.workloads.runner import RunnerChanged


class Runs(Protocol):
    """A replica."""

    @property
    def id(self) -> str: ...
    @property
    def workload(self) -> WorkloadRef: ...

    async def run(self) -> None:
        """Until it has ended."""


R = TypeVar("R", bound=Runs)


class Fleet(Generic[R]):
    """What runners build on.  Needs a running event loop."""

    def __init__(self) -> None:
        self._replicas: dict[WorkloadRef, list[R]] = {}
        self._subscribers: list[RunnerChanged] = []
        self._running = OwnedTasks()
        """A task for each replica, with its name."""

    def replicas(self, workload: WorkloadRef) -> Sequence[R]:
        return tuple(self._replicas.get(workload, ()))

    def workloads(self) -> Collection[WorkloadRef]:
        return tuple(self._replicas)

    def subscribe(self, changed: RunnerChanged) -> None:
        self._subscribers.append(changed)

    # For those that build on this

    def _all(self) -> list[R]:
        return [replica for replicas in self._replicas.values() for replica in replicas]

    def _add(self, replica: R) -> None:
        """Run it until it has ended."""
        self._replicas.setdefault(replica.workload, []).append(replica)
        self._running.start(self._run(replica), replica.id)

    def _announce(self, workload: WorkloadRef | None) -> None:
        for changed in self._subscribers:
            changed(workload)

    async def _run(self, replica: R) -> None:
        try:
            await replica.run()
        except asyncio.CancelledError:
            raise  # weft ends; what runs on is not gone
        except BaseException:
            self._forget(replica)
            raise
        self._forget(replica)

    def _forget(self, replica: R) -> None:
        workload = replica.workload
        self._replicas[workload].remove(replica)
        if not self._replicas[workload]:
            del self._replicas[workload]
        self._announce(workload)
