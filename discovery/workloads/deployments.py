"""All Deployments on one runner: a platform (see `platforms.base`), made of its runner and a reconciler for each.

A Deployment that is gone from the ConfigSet is scaled to nothing and forgotten; replicas that are found running
and belong to none are stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path
from random import Random
from typing import Generic

from config.configset import ConfigSet
from config.meta import Named
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, ReplicasChanged, WorkloadStatus
from discovery.workloads.keeping import Keeping
from discovery.workloads.reconciler import Reconciler, Surroundings
from discovery.workloads.runner import R, ReplicaHandle, Runner


class Deployments(Generic[R]):
    """Runs the Deployments of a ConfigSet on a runner (see `base.Platform`).  Needs a running event loop."""

    def __init__(
        self, runner: Runner[R], random: Random, history: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """`history`: folder for what is kept over restarts; `clock` tells Unix time."""
        self._runner = runner
        self._keeping = Keeping(history)
        self._around = Surroundings(random, clock, self._publish, self._keeping.keep)
        self._written = ConfigSet()
        self._scaled: set[Named] = set()
        self._scaled_elsewhere: frozenset[Named] = frozenset()
        self._reconcilers: dict[Named, Reconciler[R]] = {}
        self._subscribers: list[ReplicasChanged] = []
        self._closing = False
        self._retained = False
        """What is kept of Deployments that went while weft was down is forgotten."""
        runner.subscribe(self._changed)

    async def apply(self, config_set: ConfigSet) -> None:
        """Make the Deployments of `config_set` the ones that run; returns when all changes are under way."""
        await self._runner.define(config_set)
        self._written = config_set
        self._scaled = _autoscaled(config_set)
        if config_set.deployments and not self._retained:  # with none it may be another platform that runs them
            self._retained = True
            await self._keeping.retain(config_set.deployments)
        for key, deployment in config_set.deployments.items():
            if key not in self._reconcilers:
                record = self._keeping.load(key)
                self._reconcilers[key] = Reconciler(self._runner, deployment, self._around, record)
            self._reconcilers[key].update(deployment, autoscaled=self._is_scaled(key))
            await asyncio.sleep(0)
        for key in self._reconcilers.keys() - config_set.deployments.keys():
            self._reconcilers[key].retire()
        self._tidy()

    def scaled_elsewhere(self, names: Collection[Named]) -> None:
        """An autoscaler of another process sets the number of these now, and of no others."""
        before, self._scaled_elsewhere = self._scaled_elsewhere, frozenset(names)
        for name in before ^ self._scaled_elsewhere:
            found = self._reconcilers.get(name)
            if found is not None and not found.retired:
                found.update(found.written, autoscaled=self._is_scaled(name))

    def replicas(self) -> tuple[Replica, ...]:
        """All replicas that exist, ready or not, by Deployment and then oldest first."""
        handles = chain.from_iterable(map(self._runner.replicas, self._runner.workloads()))
        return tuple(handle.published for handle in handles)

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return tuple(self._reconcilers[key].status() for key in sorted(self._reconcilers))

    def desired(self, name: Named) -> int | None:
        """How many replicas a Deployment is to have now; None: it does not run here."""
        found = self._reconcilers.get(name)
        return found.desired if found is not None else None

    def rollout(self, name: Named) -> Reconciler[R]:
        """Raises KeyError for a Deployment that does not run here, or is gone."""
        found = self._reconcilers[name]
        if found.retired:
            raise KeyError(name)
        return found

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        return self._find(workload).status()

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        self._find(workload)
        self.rollout(Named(workload.namespace, workload.name)).scale(replicas, victims)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        found = self._reconcilers.get(Named(workload.namespace, workload.name))
        return found.usage() if found is not None and workload.kind == "Deployment" else {}

    async def close(self) -> None:
        """Take no more steps, and have the runner end what must not outlive weft."""
        self._closing = True
        for each in self._reconcilers.values():
            each.stop()
        try:
            await self._runner.close()
        finally:
            await self._keeping.close()

    def _is_scaled(self, name: Named) -> bool:
        return name in self._scaled or name in self._scaled_elsewhere

    def _changed(self, workload: WorkloadRef | None) -> None:
        self._publish()
        if self._closing:
            return
        if workload is None:
            for each in self._reconcilers.values():
                each.reconcile()
        elif (found := self._reconcilers.get(Named(workload.namespace, workload.name))) is not None:
            found.reconcile()
        self._tidy()

    def _publish(self) -> None:
        replicas = self.replicas()
        for callback in self._subscribers:
            callback(replicas)

    def _tidy(self) -> None:
        """Stop what belongs to no Deployment, and forget Deployments of which nothing is left."""
        if not self._runner.known:
            return
        for key in self._reconcilers.keys() - self._written.deployments.keys():
            if not self._reconcilers[key].replicas:
                self._reconcilers.pop(key).stop()
                self._keeping.keep(key, None)
        strays = [handle for handle in self._strays() if not handle.terminating]
        for handle in strays:
            handle.terminate()
        if strays:
            self._publish()

    def _strays(self) -> Iterator[ReplicaHandle]:
        """Replicas of Deployments that are not written, and were not in this run of weft."""
        for workload in self._runner.workloads():
            if Named(workload.namespace, workload.name) not in self._reconcilers:
                yield from self._runner.replicas(workload)

    def _find(self, workload: WorkloadRef) -> Reconciler[R]:
        if workload.kind != "Deployment":
            raise KeyError(workload)
        return self._reconcilers[Named(workload.namespace, workload.name)]


def _autoscaled(config_set: ConfigSet) -> set[Named]:
    """The Deployments whose number an autoscaler sets."""
    targets = ((name.namespace, hpa.spec.scale_target_ref) for name, hpa in config_set.autoscalers.items())
    found = {Named(namespace, target.name) for namespace, target in targets if target.kind == "Deployment"}
    for policy in config_set.policies.values():
        found.update(name for kind, name in config_set.scaled_by(policy) if kind == "Deployment")
    return found
