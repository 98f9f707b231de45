"""The platforms of a node, by the names that a NodeConfig has for them, joined to one.

Of several the first runs the Deployments; the others only say what replicas they have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import ContainerUsage, Drained, PlatformStanding, ReplicasChanged, WorkloadStatus
from discovery.platforms.environment import ServedAt, as_written
from discovery.platforms.making import CannotMake, Made, Parts, finding, maker
from discovery.prober import Prober
from discovery.workloads.deployments import Deployments
from mesh.exposition import Family, Sample
from sidecar.documents import Document
from sidecar.errors import UserError
from sidecar.logs import timestamp
from sidecar.state import FOUND, StateFolder


def for_node(
    node: NodeConfigSpec, state: StateFolder, prober: Prober, drained: Drained, served_at: ServedAt, *, finds: bool
) -> Platforms:
    """Those that `node` names; `finds`: Services that they find are made here, as in the process that has the registry.

    Raises UserError for what the user can put right.
    """
    found = state.path / FOUND if finds else None
    return Platforms(
        Parts(node=node, state=state.path, found=found, prober=prober, drained=drained, served_at=served_at)
    )


def found_for_registry(node: NodeConfigSpec, state: StateFolder) -> Platforms:
    """What a registry needs to know though it runs nothing, such as services of a swarm.  Raises UserError."""
    prober = Prober(Random(), asyncio.get_running_loop().time)
    settings = replace(node, platforms=finding(node.platforms))
    parts = Parts(
        node=settings, state=state.path, found=state.path / FOUND, prober=prober, drained=_at_once,
        served_at=as_written, carries=False,
    )  # fmt: skip
    return Platforms(parts)


async def _at_once(replica_id: str, deadline: float) -> None:
    """Where nothing is run, nothing is waited for."""


class Platforms:
    """All platforms of a node as one (see `base.Platform`)."""

    def __init__(self, parts: Parts) -> None:
        """Raises UserError for what the user can put right."""
        try:
            made = [maker(name).make(parts, index == 0) for index, name in enumerate(parts.node.platforms)]
        except CannotMake as error:
            raise UserError(str(error)) from None
        self._made: Sequence[Made] = made
        self._platforms = [each.platform for each in made]
        if parts.found is None or not finding(parts.node.platforms):  # what an earlier run found does not hold
            (parts.state / FOUND).unlink(missing_ok=True)
        self._subscribers: list[ReplicasChanged] = []
        for each in self._platforms:
            each.subscribe(self._changed)

    async def apply(self, config_set: ConfigSet) -> None:
        """Make the Deployments of `config_set` the ones that run on the first platform."""
        without = replace(config_set, deployments={})
        for index, each in enumerate(self._platforms):
            await each.apply(without if index else config_set)

    def replicas(self) -> tuple[Replica, ...]:
        return tuple(replica for each in self._platforms for replica in each.replicas())

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return tuple(status for each in self._platforms for status in each.statuses())

    def desired(self, name: Named) -> int | None:
        """How many replicas there are to be of a Deployment now; None: it does not run here."""
        return self.deployments.desired(name) if self.deployments is not None else None

    def scaled_elsewhere(self, workloads: Collection[WorkloadRef]) -> None:
        """An autoscaler of another process sets the number of these now."""
        if self.deployments is not None:
            self.deployments.scaled_elsewhere([Named(*each[1:]) for each in workloads if each.kind == "Deployment"])

    def size(self, name: Named) -> int | None:
        """How many tasks a Swarm service is to have; None: that is not known here."""
        sizes = (each.size(name) for each in self._made if each.size is not None)
        return next((found for found in sizes if found is not None), None)

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        for each in self._platforms:
            try:
                return await each.read(workload)
            except KeyError:
                continue
        raise KeyError(workload)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        for each in self._platforms:
            try:
                await each.set(workload, replicas, victims)
            except KeyError:
                continue
            return
        raise KeyError(workload)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        return next((found for each in self._platforms if (found := each.usage(workload))), {})

    async def close(self) -> None:
        async with asyncio.TaskGroup() as closing:
            for each in self._platforms:
                closing.create_task(each.close())

    @property
    def deployments(self) -> Deployments[Any] | None:
        """Who runs the Deployments here; None: the first platform takes none."""
        return next((each.deployments for each in self._made if each.deployments is not None), None)

    def document(self) -> tuple[int, Document]:
        """What the admin API says of those who really run the replicas."""
        return 200, {"platforms": [_told(standing) for standing in self._standings()]}

    def families(self) -> Iterator[Family]:
        """Metrics of the same."""
        standings = self._standings()
        if standings:
            yield _family("connected", "gauge", "Whether the platform answers; else its replicas are stale.",
                          [(each.name, int(each.connected)) for each in standings])  # fmt: skip
            yield _family("connections", "counter", "Times that the platform was found, or found again.",
                          [(each.name, each.connections) for each in standings])  # fmt: skip
            yield _family("replicas", "gauge", "Replicas that are known, stale or not.",
                          [(each.name, each.replicas) for each in standings])  # fmt: skip

    def _standings(self) -> list[PlatformStanding]:
        return [each.standing() for each in self._made if each.standing is not None]

    def _changed(self, _: object) -> None:
        replicas = self.replicas()
        for callback in self._subscribers:
            callback(replicas)


def _told(standing: PlatformStanding) -> dict[str, object]:
    return {**to_builtins(standing), "since": timestamp(standing.since) if standing.since else None}


def _family(name: str, kind: str, text: str, values: list[tuple[str, int]]) -> Family:
    whole = f"weft_platform_{name}"
    suffix = "_total" if kind == "counter" else ""
    return Family(whole, kind, text, [Sample(whole + suffix, {"platform": each}, value) for each, value in values])
