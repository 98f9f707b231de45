"""The platforms of a node, by the names that a NodeConfig has for them, joined to one.

Each is made by one function and imported only where it is used: a line in `MAKERS` is all that a new one needs here.
Of several the first runs the Deployments; the others only say what replicas they have.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from msgspec import to_builtins
from msgspec.structs import replace

from config.configset import ConfigSet
from config.meta import Named
from config.settings import NodeConfigSpec
from discovery.endpoint import Replica, WorkloadRef
from discovery.platforms.base import (
    ContainerUsage,
    Drained,
    Platform,
    PlatformStanding,
    ReplicasChanged,
    WorkloadStatus,
)
from discovery.platforms.environment import ServedAt, as_written
from discovery.prober import Prober
from discovery.workloads.deployments import Deployments
from mesh.exposition import Family, Sample
from sidecar.documents import Document
from sidecar.errors import UserError
from sidecar.logs import timestamp
from sidecar.state import FOUND, StateFolder


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What platforms are made of."""

    node: NodeConfigSpec
    """As it was at the start."""
    state: StateFolder
    prober: Prober
    drained: Drained
    served_at: ServedAt
    carries: bool = True
    """Whether anything is sent to replicas from here, so that it matters whether they listen."""
    finds: bool = True
    """Whether Services that platforms find labels for are made here, as in the process that has the registry."""
    standings: list[Callable[[], PlatformStanding]] = field(default_factory=list)
    """Who says how a platform stands with whoever really runs its replicas."""
    sizes: list[Callable[[Named], int | None]] = field(default_factory=list)
    """Who knows how many tasks a Swarm service is to have."""
    running: list[Deployments[Any]] = field(default_factory=list)
    """Who runs the Deployments, if anybody does."""


class Made(Platform, Protocol):
    """A platform of a node."""

    def desired(self, name: Named) -> int | None:
        """How many replicas there are to be of a Deployment now; None: it does not run here."""


DOCKER_HOST = "unix:///var/run/docker.sock"
"""Where an engine is unless something else is said."""

Maker = Callable[[Parts, bool], Made]
"""From parts, and whether Deployments are run there."""


def _process(parts: Parts, runs: bool) -> Made:
    from discovery.platforms.process import ProcessPlatform

    try:
        made = ProcessPlatform(
            state=parts.state.path,
            prober=parts.prober,
            drained=parts.drained,
            random=Random(),
            served_at=parts.served_at,
        )
    except OSError as error:
        raise UserError(f"the state folder {parts.state.path} cannot be written ({error.strerror})") from None
    if runs:
        parts.running.append(made)
    return made


_ADDRESSES = ("unix://", "tcp://", "http://", "https://")
_INSTALL = "pip install 'weft[docker]'"


def _engine(parts: Parts) -> str:
    """Raises UserError for what is no URL of an engine."""
    asked = parts.node.docker.host
    host = asked or os.environ.get("DOCKER_HOST", "") or DOCKER_HOST
    if not host.startswith(_ADDRESSES) or host in _ADDRESSES:
        where = "spec.docker.host of the NodeConfig" if asked else "DOCKER_HOST"
        raise UserError(f"{where} is {host!r}, which is no address of an engine: write one such as {DOCKER_HOST}")
    return host


def _docker(parts: Parts, runs: bool) -> Made:
    try:
        from discovery.platforms.docker.platform import DockerPlatform, Running
    except ImportError as error:
        raise UserError(f"the platform docker needs {error.name}: {_INSTALL}") from None
    running = Running(parts.state.path / "rollouts", parts.drained, parts.served_at) if runs else None
    made = DockerPlatform(_engine(parts), Random(), parts.prober, running)
    parts.standings.append(made.standing)
    if made.deployments is not None:
        parts.running.append(made.deployments)
    return made


def _swarm(parts: Parts, runs: bool) -> Made:
    try:
        from discovery.platforms.swarm.platform import SwarmPlatform
    except ImportError as error:
        raise UserError(f"the platform swarm needs {error.name}: {_INSTALL}") from None
    prober, manifests = parts.prober if parts.carries else None, parts.state.path / FOUND if parts.finds else None
    made = SwarmPlatform(_engine(parts), Random(), prober, manifests)
    parts.standings.append(made.standing)
    parts.sizes.append(made.size)
    return made


MAKERS: Mapping[str, Maker] = {"process": _process, "docker": _docker, "swarm": _swarm}


def found_for_registry(node: NodeConfigSpec, state: StateFolder) -> Platforms:
    """What a registry needs to know though it runs nothing: the swarm that its engine manages.  Raises UserError."""
    prober = Prober(Random(), asyncio.get_running_loop().time)
    settings = replace(node, platforms=("swarm",))
    parts = Parts(
        node=settings, state=state, prober=prober, drained=_at_once, served_at=as_written, carries=False
    )  # fmt: skip
    return Platforms(parts)


async def _at_once(replica_id: str, deadline: float) -> None:
    """Where nothing is run, nothing is waited for."""


class Platforms:
    """All platforms of a node as one (see `base.Platform`)."""

    def __init__(self, parts: Parts) -> None:
        """Raises UserError for what the user can put right."""
        self._made: Sequence[Made] = [
            MAKERS[name](parts, index == 0) for index, name in enumerate(parts.node.platforms)
        ]
        self._standings, self._running, self._sizes = parts.standings, parts.running, parts.sizes
        if not parts.finds or "swarm" not in parts.node.platforms:  # what an earlier run found does not hold
            (parts.state.path / FOUND).unlink(missing_ok=True)
        self._subscribers: list[ReplicasChanged] = []
        for each in self._made:
            each.subscribe(self._changed)

    async def apply(self, config_set: ConfigSet) -> None:
        """Make the Deployments of `config_set` the ones that run on the first platform."""
        without = replace(config_set, deployments={})
        for index, each in enumerate(self._made):
            await each.apply(without if index else config_set)

    def replicas(self) -> tuple[Replica, ...]:
        return tuple(replica for each in self._made for replica in each.replicas())

    def subscribe(self, callback: ReplicasChanged) -> None:
        self._subscribers.append(callback)

    def statuses(self) -> tuple[WorkloadStatus, ...]:
        return tuple(status for each in self._made for status in each.statuses())

    def desired(self, name: Named) -> int | None:
        return next((found for each in self._made if (found := each.desired(name)) is not None), None)

    def size(self, name: Named) -> int | None:
        """How many tasks a Swarm service is to have; None: that is not known here."""
        return next((found for size in self._sizes if (found := size(name)) is not None), None)

    async def read(self, workload: WorkloadRef) -> WorkloadStatus:
        for each in self._made:
            try:
                return await each.read(workload)
            except KeyError:
                continue
        raise KeyError(workload)

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        for each in self._made:
            try:
                await each.set(workload, replicas, victims)
            except KeyError:
                continue
            return
        raise KeyError(workload)

    def usage(self, workload: WorkloadRef) -> dict[str, tuple[ContainerUsage, ...]]:
        return next((found for each in self._made if (found := each.usage(workload))), {})

    async def close(self) -> None:
        async with asyncio.TaskGroup() as closing:
            for each in self._made:
                closing.create_task(each.close())

    @property
    def deployments(self) -> Deployments[Any] | None:
        """Who runs the Deployments here; None: the first platform takes none."""
        return self._running[0] if self._running else None

    def document(self) -> tuple[int, Document]:
        """What the admin API says of those who really run the replicas."""
        return 200, {"platforms": [_told(standing()) for standing in self._standings]}

    def families(self) -> Iterator[Family]:
        """Metrics of the same."""
        standings = [standing() for standing in self._standings]
        if standings:
            yield _family("connected", "gauge", "Whether the platform answers; else its replicas are stale.",
                          [(each.name, int(each.connected)) for each in standings])  # fmt: skip
            yield _family("connections", "counter", "Times that the platform was found, or found again.",
                          [(each.name, each.connections) for each in standings])  # fmt: skip
            yield _family("replicas", "gauge", "Replicas that are known, stale or not.",
                          [(each.name, each.replicas) for each in standings])  # fmt: skip

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
