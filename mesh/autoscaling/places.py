"""A workload that runs in several places, and data planes that are several: each as if there were one.

A place is a `ScaleTarget` of its own: the platform of this process, or a node that is told over the channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from config.meta import Named
from discovery.endpoint import WorkloadRef
from mesh.autoscaling.shares import divided
from mesh.autoscaling.target import Copy, ReplicaLoad, SampleSource, Scale, ScaleTarget, Usage
from mesh.stats import StatsFrame, merge


class Whole(NamedTuple):
    """What all places have of one workload."""

    desired: int
    replicas: Sequence[Copy]
    away: bool = False
    """It cannot be told anything now."""


class Places:
    """A `ScaleTarget` of all places that there are now."""

    def __init__(self, places: Callable[[], Mapping[str, ScaleTarget]]) -> None:
        """`places`: by name."""
        self._places = places

    async def read(self, workload: WorkloadRef) -> Whole:
        """Raises KeyError for a workload that is run nowhere."""
        scales = [scale for _, scale in (await self._running(workload)).values()]
        if not scales:
            raise KeyError(workload)
        return Whole(sum(scale.desired for scale in scales), [copy for scale in scales for copy in scale.replicas])

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        """Raises KeyError for a workload that is run nowhere, or nowhere that can be told."""
        running = await self._running(workload)
        homes = {copy.id: name for name, (_, scale) in running.items() for copy in scale.replicas}
        there = {name: scale.desired for name, (_, scale) in running.items()}
        away = {name for name, (_, scale) in running.items() if isinstance(scale, Whole) and scale.away}
        try:
            shares = divided(replicas, there, [homes[each] for each in victims if each in homes], away)
        except ValueError:
            raise KeyError(workload) from None
        for name, share in shares.items():
            if share != there[name]:
                going = tuple(each for each in victims if homes.get(each) == name)
                await running[name][0].set(workload, share, going)

    def usage(self, workload: WorkloadRef) -> Usage:
        return {
            replica: containers
            for place in self._places().values()
            for replica, containers in place.usage(workload).items()
        }

    async def _running(self, workload: WorkloadRef) -> dict[str, tuple[ScaleTarget, Scale]]:
        found: dict[str, tuple[ScaleTarget, Scale]] = {}
        for name, place in self._places().items():
            try:
                found[name] = place, await place.read(workload)
            except KeyError:
                continue
        return found


class Sources:
    """A `SampleSource` of several."""

    def __init__(self, sources: Callable[[], Iterable[SampleSource]]) -> None:
        self._sources = sources

    def epoch(self) -> int:
        return sum(source.epoch() for source in self._sources())

    def services(self, names: Collection[Named]) -> StatsFrame:
        return merge(source.services(names) for source in self._sources())

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        total: dict[str, ReplicaLoad] = {}
        for source in self._sources():
            for replica, load in source.replicas(workloads).items():
                known = total.get(replica, ReplicaLoad())
                total[replica] = ReplicaLoad(known.in_flight + load.in_flight, known.requests + load.requests)
        return total
