"""Several places and several data planes, as if each were one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from config.meta import Named
from discovery.endpoint import WorkloadRef
from discovery.platforms.base import ContainerUsage
from mesh.autoscaling.places import Places, Sources
from mesh.autoscaling.target import ReplicaLoad
from mesh.stats import BackendFrame, StatsFrame
from tests.mesh.autoscaling.objects import Fake, FakeScale

WEB = WorkloadRef("Deployment", "default", "web")


class Place:
    def __init__(self, name: str, desired: int) -> None:
        self.name = name
        self.desired = desired
        self.told: list[tuple[int, tuple[str, ...]]] = []

    async def read(self, workload: WorkloadRef) -> FakeScale:
        if workload != WEB:
            raise KeyError(workload)
        return FakeScale(self.desired, tuple(Fake(f"{self.name}{i}") for i in range(self.desired)))

    async def set(self, workload: WorkloadRef, replicas: int, victims: tuple[str, ...] = ()) -> None:
        self.told.append((replicas, victims))

    def usage(self, workload: WorkloadRef) -> Mapping[str, tuple[ContainerUsage, ...]]:
        return {f"{self.name}0": (ContainerUsage("main"),)}


async def test_places_are_read_as_one_and_told_apart() -> None:
    a, b = Place("a", 2), Place("b", 1)
    places = Places(lambda: {"a": a, "b": b})
    scale = await places.read(WEB)
    assert (scale.desired, [copy.id for copy in scale.replicas]) == (3, ["a0", "a1", "b0"])
    await places.set(WEB, 5)
    assert (a.told, b.told) == ([(3, ())], [(2, ())])
    await places.set(WEB, 2, ("a1",))
    assert (a.told[1:], b.told[1:]) == ([(1, ("a1",))], []), "who has what it is to have is told nothing"
    assert places.usage(WEB).keys() == {"a0", "b0"}


@pytest.mark.parametrize("places", [{}, {"a": Place("a", 2)}], ids=["none", "none that runs it"])
async def test_nowhere(places: dict[str, Place]) -> None:
    other = WorkloadRef("Deployment", "default", "other")
    with pytest.raises(KeyError):
        await Places(lambda: places).read(other)
    with pytest.raises(KeyError):
        await Places(lambda: places).set(other, 3)


class Plane:
    def services(self, names: Collection[Named]) -> StatsFrame:
        return StatsFrame([BackendFrame(*name, "http", in_flight=3) for name in names])

    def epoch(self) -> int:
        return 2

    def replicas(self, workloads: Collection[WorkloadRef]) -> Mapping[str, ReplicaLoad]:
        return {"r": ReplicaLoad(1, 10)}


def test_data_planes_add_up() -> None:
    sources = Sources(lambda: [Plane(), Plane()])
    (frame,) = sources.services({Named("default", "web")}).backends
    assert (frame.in_flight, sources.epoch()) == (6, 4)
    assert sources.replicas({WEB}) == {"r": ReplicaLoad(2, 20)}
