"""A node's part in autoscaling: how many replicas it is to have comes down, what it has and sends goes up.

Only a count comes down, of Deployments that run here anyway; what is executed stays with this node's own files.  As
with counters, how things stand is said at most once a second, and only when it is not what it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Final

from msgspec import structs

from config.meta import matches
from config.resources.core import Service
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.target import ContainerUsage, ReplicaLoad, ScaleTarget
from mesh.steps import run_in_slices
from sidecar.channel.messages import MOST_COPIES, Autoscaled, Copy, Scales, Used, Wanted, Workload
from sidecar.channel.tally import MOST_REPLICAS, Load

SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60.0
"""Where nothing is autoscaled there is nothing to say."""
FEW: Final = 100
"""Replicas of one Deployment whose use is looked at every time."""
RARELY: Final = 5
"""Of more, every so many times."""

Loads = Callable[[frozenset[WorkloadRef]], Generator[None, None, Mapping[str, ReplicaLoad]]]

log = logging.getLogger("weft.autoscaler")


class Scaling:
    """What is known of autoscaled Deployments here; `run` carries out what is wanted of them."""

    def __init__(self, target: ScaleTarget | None, loads: Loads) -> None:
        """`target`: who runs Deployments here, None: nobody; `loads`: what this node sends to their replicas."""
        self._target = target
        self._loads = loads
        self._wanted: dict[WorkloadRef, Wanted] = {}
        self._scaled: set[WorkloadRef] = set()
        """All that are autoscaled, as far as is known."""
        self._to_do: dict[WorkloadRef, Wanted] = {}
        self._woken = asyncio.Event()
        self._sent: Scales | None = None
        self._turn = 0
        self._usage: dict[WorkloadRef, dict[str, tuple[Used, ...]]] = {}
        """As it was looked at last, of those of whom it is asked for."""
        self.follow: Callable[[Collection[WorkloadRef]], None] = lambda _: None
        """Told of all that are autoscaled, whenever that was said."""
        self.next = 0.0
        """When something is said again, in seconds of the clock that `due` is given."""

    def begin(self) -> None:
        """There is a new connection: everything is to be said."""
        self._sent, self.next = None, 0.0

    def lost(self) -> None:
        """The connection is gone; what may sleep is still known, so that it is said why nobody wakes it."""
        self._wanted = {ref: structs.replace(each, replicas=None, victims=()) for ref, each in self._wanted.items()}

    def take(self, said: Autoscaled) -> None:
        """This is what autoscalers want now."""
        before, self._wanted = self._wanted, {ref_of(each.name): each for each in said.workloads}
        for ref, wanted in self._wanted.items():
            if wanted.replicas is not None and wanted != before.get(ref):
                self._to_do[ref] = wanted
                self._woken.set()
        self._to_do = {ref: each for ref, each in self._to_do.items() if ref in self._wanted}
        self._scaled = {*self._wanted, *(self._scaled if said.incomplete else ())}
        self.follow(self._scaled)
        self.next = 0.0

    def wakes(self, workload: WorkloadRef) -> bool:
        """Whether an autoscaler elsewhere wakes it when it sleeps at zero."""
        wanted = self._wanted.get(workload)
        return wanted is not None and wanted.sleeps

    def behind(self, service: Service) -> tuple[WorkloadRef, ...]:
        """What may sleep, wherever it runs, and stands behind `service`: selected by it, or as the registry knows."""
        selector, namespace = service.spec.selector, service.metadata.namespace
        name = f"{namespace}/{service.metadata.name}"

        def is_behind(ref: WorkloadRef, wanted: Wanted) -> bool:
            if name in wanted.services:
                return True
            return bool(selector) and ref.namespace == namespace and matches(selector, wanted.labels)

        return tuple(ref for ref, wanted in self._wanted.items() if wanted.sleeps and is_behind(ref, wanted))

    def size(self, workload: WorkloadRef) -> int | None:
        """How many replicas it is to have, as the registry said last; None: that is not known."""
        wanted = self._wanted.get(workload)
        return wanted.size if wanted is not None else None

    async def run(self) -> None:
        """Carry out, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            to_do, self._to_do = self._to_do, {}
            for ref, wanted in to_do.items():
                await self._carry_out(ref, wanted)
            self.next = 0.0

    async def due(self, now: float) -> Scales | None:
        """What is to be sent now."""
        if now < self.next:
            return None
        self.next = now + (SECONDS if self._wanted else IDLE_SECONDS)
        if not self._wanted:
            return None
        said = await self._scales(now)
        if said == self._sent:
            return None
        self._sent = said
        return said

    async def _carry_out(self, ref: WorkloadRef, wanted: Wanted) -> None:
        if self._target is None or wanted.replicas is None:
            return
        try:
            await self._target.set(ref, wanted.replicas, wanted.victims)
        except KeyError:
            log.info("%s is to have %d replicas, and is not run here", wanted.name, wanted.replicas)

    async def _scales(self, now: float) -> Scales:
        wanted, target = self._wanted, self._target
        loads = await run_in_slices(self._loads(frozenset(wanted)))
        self._turn += 1
        self._usage = {ref: used for ref, used in self._usage.items() if ref in wanted and wanted[ref].measured}
        workloads = [await self._workload(target, *each, now) for each in wanted.items()] if target else []
        some = dict(sorted(loads.items())[:MOST_REPLICAS])
        return Scales(
            tuple(each for each in workloads if each is not None),
            {replica: Load(load.in_flight, load.requests) for replica, load in some.items()},
        )

    async def _workload(self, target: ScaleTarget, ref: WorkloadRef, wanted: Wanted, now: float) -> Workload | None:
        """None: it is not run here.  Of replicas of another's, as tasks of a swarm are, only what they use is said."""
        try:
            scale = await target.read(ref)
        except KeyError:
            used = _usage(target, ref, now) if wanted.measured else {}
            return Workload(wanted.name, 0, (), used) if used else None
        copies = tuple(
            Copy(each.id, each.ready, each.terminating, each.pending, each.started, each.since)
            for each in scale.replicas[:MOST_COPIES]
        )
        if wanted.measured and (len(copies) <= FEW or self._turn % RARELY == 0 or ref not in self._usage):
            self._usage[ref] = _usage(target, ref, now)
        return Workload(wanted.name, scale.desired, copies, self._usage.get(ref, {}))


def _usage(target: ScaleTarget, ref: WorkloadRef, now: float) -> dict[str, tuple[Used, ...]]:
    return {replica: tuple(_used(each, now) for each in used) for replica, used in target.usage(ref).items()}


def _used(each: ContainerUsage, now: float) -> Used:
    at = now if each.at is None else each.at
    return Used(each.container, each.cpu_seconds, each.memory, dict(each.requests), at)


def name_of(ref: WorkloadRef) -> str:
    """As messages name a workload."""
    name = f"{ref.namespace}/{ref.name}"
    return name if ref.kind == "Deployment" else f"{ref.kind}:{name}"


def ref_of(name: str) -> WorkloadRef:
    """The workload that messages name so."""
    kind, _, named = name.rpartition(":")
    namespace, _, bare = named.partition("/")
    return WorkloadRef(kind or "Deployment", namespace, bare)
